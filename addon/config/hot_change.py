"""The files of `hunyuan_config` while the proxy runs: read at the start, and again when one of them changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..texts.terminal import say
from .config_file import NAME, Line, read_file
from .option import Option, OptionError, Value, Values
from .sources import Given, Layers, Source, Start, at_start, from_files, in_file
from .watched_file import Found, WatchedFile

logger = logging.getLogger("hunyuan_fix")

type _File = WatchedFile[dict[str, Line]]


@dataclass(frozen=True, slots=True)
class HostOptions:
    """mitmproxy's options, as the files need them."""

    deferred: MutableMapping[str, object]
    """Values for options that aren't declared yet."""
    get: Callable[[str], object]
    """The value of an option."""
    update: Callable[[Values], None]
    """Change options together. Raises `OptionError` where a value is refused: none has changed then."""


class HotChange:
    """Applies all sources to mitmproxy's options at the start, and changed files until the process ends.

    The files count together: while one of them can't be used, no change of another does either. A hot reload keeps this
    object. `options`: all that there are.
    """

    def __init__(self, options: Sequence[Option]) -> None:
        self._options = options
        self._defaults: Values = {option.name: option.default for option in options}
        self._tables = frozenset(option.name for option in options if option.is_table)
        self._host: HostOptions | None = None
        """`None` before `begin`."""
        self._layers = Layers(self._defaults)
        self._files: list[_File] = []
        self._found: list[Found[dict[str, Line]] | None] = []
        """What was last found of each file; `None`: it has not been looked at."""
        self._paths: Sequence[Path] = ()
        """The files that are to be followed from the next look on."""
        self._refused: Sequence[Path] = ()
        """The files whose values were refused when they were applied last."""
        self._said: set[tuple[str, str]] = set()
        """Options of files that have no effect, and what wins: already logged."""

    # The start

    def begin(
        self, host: HostOptions, command_line: Source, environment: Mapping[str, str], mitmproxy_config: Source
    ) -> Start | None:
        """Give `host` the values that count, as deferred ones, before mitmproxy applies these.

        Reads the files synchronously: no client is served yet. Returns what was found, `None` at a hot reload, when
        nothing is to be done.
        """
        if self._host is not None:
            return None
        self._host = host
        self._files, self._found = [], []
        start = at_start(self._options, command_line, environment, mitmproxy_config, self._load)
        self._layers = start.layers
        host.deferred.update({name: given.value for name, given in start.layers.all_given.items()})
        return start

    def _load(self, path: Path) -> dict[str, Line]:
        file = self._watched(path)
        self._files.append(file)
        self._found.append(None)
        content = file.load(path)
        self._found[-1] = Found(content)
        return content

    def _watched(self, path: Path) -> _File:
        return WatchedFile(path, lambda path: read_file(path, self._defaults, self._tables))

    def is_given(self, name: str) -> bool:
        """Whether a source gives the option `name`: the command line, the environment, a file."""
        return name in self._layers.all_given

    def located(self, problem: str) -> str:
        """A problem that names an option, with the place where its value stands (`Layers.located`)."""
        return self._layers.located(problem)

    def given(self, name: str) -> Given:
        """What the sources give the option `name`."""
        return self._layers.given(name)

    def in_force(self, name: str) -> Given:
        """The value of the option `name` now: that of the sources, or one that it was given while the proxy runs."""
        given = self.given(name)
        value = self._host.get(name) if self._host is not None else None
        return given if value == given.value or not isinstance(value, str | bool) else Given(value, "running", "")

    def without_effect(self) -> dict[str, tuple[Given, Given]]:
        """See `Layers.without_effect`."""
        return self._layers.without_effect()

    @property
    def files(self) -> list[Path]:
        """The files of options, in their order."""
        return [file.path for file in self._files if file.path]

    # Changes

    def change(self, name: str, value: Value) -> None:
        """Give the option `name` another value, until a source that changes says otherwise or the process ends.

        Raises `OptionError` if it is refused.
        """
        if self._host is not None:
            self._host.update({name: value})

    @property
    def unusable(self) -> list[Path]:
        """The files that can't be used as they are now, or are missing; what they said before is in force."""
        looked = zip(self._files, self._found, strict=False)
        bad = [file.path for file, found in looked if file.path and found is not None and found.content is None]
        return bad or list(self._refused)

    def follow(self, paths: Sequence[Path]) -> None:
        """Watch the files `paths` from now on, and undo the values of files that are no longer among them."""
        self._paths = paths

    def again(self, name: str) -> None:
        """Let the option `name` be applied anew, with the value that it has. Raises `OptionError` if it is refused."""
        if self._host is not None:
            value = self._host.get(name)
            if isinstance(value, str | bool):
                self._host.update({name: value})

    async def look(self) -> None:
        """Look at the files once, and apply them if one has changed."""
        files, paths = self._files, self._paths
        if [file.path for file in files] != list(paths):
            # Not in `follow`: at a hot reload the option has its default for a moment, while it is declared.
            self._files = files = [self._watched(path) for path in paths]
            self._found = [None] * len(files)
            if not files:
                self._apply({}, NAME)
        looks = [await file.look() for file in files]
        if not any(looks):
            return
        self._found = [new or before for new, before in zip(looks, self._found, strict=True)]
        # 1. Say what is wrong with any of them: it also keeps a change of another from being applied.
        for file, found in zip(files, self._found, strict=True):
            if found and found.error is not None:
                logger.error("%s", _unchanged(in_file(file.path, found.error)))
            elif found and found.content is None:
                logger.warning("%s", _unchanged(in_file(file.path, say("doesn't exist"))))
        # 2. Apply all if all can be used.
        contents = [
            (file.path, found.content)
            for file, found in zip(files, self._found, strict=True)
            if file.path and found and found.content is not None
        ]
        if len(contents) == len(files):
            changed = [str(file.path) for file, new in zip(files, looks, strict=True) if new]
            self._apply(from_files(contents), ", ".join(changed))

    def _apply(self, files: Source, place: str) -> None:
        """Apply what the files say. `place`: what has changed, for the log."""
        if self._host is None:
            return
        host, after = self._host, replace(self._layers, files=files)
        effective = self._layers.changed(files)
        self._refused = ()
        changes: dict[str, Value] = {name: value for name, value in effective.items() if host.get(name) != value}
        try:
            host.update(changes)
        except OptionError as error:
            self._refused = [file.path for file in self._files if file.path]
            located = after.located(str(error))
            logger.error("%s", _unchanged(located if located != str(error) else in_file(place, located)))
            return
        self._layers = after
        if changes:
            logger.info("%s", say("{files}: changed {options}.", files=place, options=", ".join(sorted(changes))))
        else:
            logger.info("%s", say("{files}: changed nothing.", files=place))
        self.say_what_has_no_effect()

    def say_what_has_no_effect(self) -> None:
        """Log each option of a file that a stronger source sets, once for each such source."""
        for name, (given, winner) in self._layers.without_effect().items():
            if (name, winner.place) not in self._said:
                self._said.add((name, winner.place))
                said = say("{name} has no effect here: {winner} wins.", name=name, winner=winner.where)
                logger.info("%s", in_file(given.where, said))


def _unchanged(problem: str) -> str:
    return say("The settings are unchanged: {problem}", problem=problem)
