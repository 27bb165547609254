"""The file that `hunyuan_config` names: options in YAML, read again when it changes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ..did_you_mean import suggestion
from . import values as read_value
from .checks import TextsGiven
from .option import PREFIX, Option, OptionError, option
from .watched_file import WatchedFile

logger = logging.getLogger("hunyuan_fix")

type Value = str | bool
type Values = Mapping[str, Value]
"""Option name -> value, as mitmproxy takes it."""

NAME = "hunyuan_config"
"""The option that names the file."""

_REFUSED = "%s: %s None of it was applied: the settings are unchanged."
_MAX_BYTES = 1 << 16
_SCALARS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "bool", "int", "float", "null", "timestamp"))
_NULL = "tag:yaml.org,2002:null"
_SECRET = re.compile(r"(key|token|secret|passw\w*)$", re.IGNORECASE)


@dataclass(frozen=True)
class ConfigFileSettings:
    """The file of options."""

    config: Path | None = option(
        "",
        "YAML file with these options, watched while the proxy runs; --set wins over it.",
        read_value.optional(read_value.path),
    )


class ConfigError(ValueError):
    """An invalid file. The text names the line, the error and what is accepted; it quotes no value."""


# Reading the file


def read(text: str, known: Values) -> dict[str, Value]:
    """The options in a YAML text. `known`: every option's name and default.

    The prefix `hunyuan_` may be left out; values are text, numbers, switches, or lists of these. Values keep their
    spelling, as after `--set`; mitmproxy's `configure` checks their meaning. Raises `ConfigError`.
    """
    root = _root(text)
    if root is None or root.tag == _NULL:
        return {}
    if not isinstance(root, MappingNode):
        raise ConfigError("line 1: accepted are lines such as retry: all")
    values: dict[str, Value] = {}
    for key, given in root.value:
        try:
            name = _name(key, known)
            if name in values:
                raise ValueError(f"{name}: given twice")
            values[name] = _value(name, given, switch=isinstance(known[name], bool))
        except ValueError as error:
            raise ConfigError(f"line {key.start_mark.line + 1}: {error}") from None
    return values


def _root(text: str) -> Node | None:
    # Composed, not constructed: values keep their spelling, and tags create no objects.
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"{line}not valid YAML: {_without_quotes(error.problem or 'it ends early')}") from None
    except (YAMLError, RecursionError):
        raise ConfigError("not valid YAML: it has control characters or is nested too deeply") from None
    return root


def _without_quotes(problem: str) -> str:
    """The parser's message without quotes of three or more characters of the file, which may be a secret."""
    return re.sub(r"'[^']{3,}'|\"[^\"]{3,}\"", "…", problem)


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith("?") else f"{text}."


def _name(key: Node, known: Values) -> str:
    text = key.value if isinstance(key, ScalarNode) else ""
    name = text if text.startswith(PREFIX) else PREFIX + text
    if name == NAME:
        raise ValueError(f"{NAME}: can't be set in the file that it names")
    if name in known:
        return name
    if not re.fullmatch(r"\w{1,60}", text, re.ASCII):
        raise ValueError("accepted are names of options, each followed by a colon and a value")
    if _SECRET.search(text):
        raise ValueError(
            f"{text}: there is no such option, and secrets don't belong here, where mitmweb would show them; a key is "
            "lent from HUNYUAN_API_KEY or from the file that hunyuan_api_key_file names"
        )
    raise ValueError(f"{text}: there is no such option{suggestion(name, known)}")


def _value(name: str, node: Node, *, switch: bool) -> Value:
    parts = node.value if isinstance(node, SequenceNode) else [node]
    if not all(isinstance(part, ScalarNode) and part.tag in _SCALARS for part in parts):
        raise ValueError(f"{name}: accepted are text, a number, true, false, or a list of these")
    texts = ["" if part.tag == _NULL else str(part.value).strip() for part in parts]
    if not switch:
        return ",".join(texts)
    if texts not in (["true"], ["false"]):
        raise ValueError(f"{name}: accepted are true and false")
    return texts == ["true"]


def read_file(file: Path, known: Values) -> dict[str, Value]:
    """The options in `file`. Raises `ConfigError`; blocks."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"is larger than {_MAX_BYTES >> 10} kB")
    try:
        return read(data.decode("utf-8-sig"), known)
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8") from None


# Applying it


def given_on_command_line(deferred: Mapping[str, object], texts_of: TextsGiven) -> frozenset[str]:
    """The addon's options given by `--set`. `deferred`: mitmproxy's `options.deferred`, not yet settled (`checks`)."""
    names = (name for name, value in deferred.items() if texts_of(value) is not None)
    return frozenset(name for name in names if name.startswith(PREFIX))


@dataclass(slots=True)
class Layers:
    """The sources of an option's value: the command line, then the file, then config.yaml, then the default."""

    defaults: Values
    command_line: frozenset[str] = frozenset()
    """Names of the options given by `--set`."""
    mitmproxy_config: Values = field(default_factory=dict)
    """Values in mitmproxy's config.yaml."""
    file: Values = field(default_factory=dict)
    """Values last applied from the file."""

    def effective(self, file: Values) -> dict[str, Value]:
        """The option values to apply for this content of the file.

        Options removed from the file fall back to config.yaml or the default.
        """
        removed = {name: self.mitmproxy_config.get(name, self.defaults[name]) for name in self.file}
        return {name: value for name, value in {**removed, **file}.items() if name not in self.command_line}


@dataclass(frozen=True, slots=True)
class HostOptions:
    """mitmproxy's options, as the file needs them."""

    deferred: MutableMapping[str, object]
    """Values for options that aren't declared yet."""
    get: Callable[[str], object]
    """The value of an option."""
    update: Callable[[Values], None]
    """Change options together. Raises `OptionError` where a value is refused: none has changed then."""


class ConfigFile:
    """Applies the file to mitmproxy's options until the process ends. A hot reload keeps this object.

    `options`: the options that the file may set.
    """

    def __init__(self, options: Iterable[Option]) -> None:
        self._defaults: Values = {option.name: option.default for option in options}
        self._host: HostOptions | None = None
        """`None` before `begin`."""
        self._layers = Layers(self._defaults)
        self._file = WatchedFile(None, lambda file: read_file(file, self._defaults))

    def begin(self, host: HostOptions, command_line: frozenset[str]) -> list[str]:
        """Add the file's values to the deferred ones of `host`, before mitmproxy applies these.

        `command_line`: the options given by `--set`. Returns a line for each problem. Reads the file synchronously: no
        client is served yet. Does nothing at a hot reload.
        """
        if self._host is not None:
            return []
        self._host = host
        waiting = {name: value for name, value in host.deferred.items() if isinstance(value, str | bool)}
        mitmproxy_config = {
            name: value for name, value in waiting.items() if name in self._defaults and name not in command_line
        }
        self._layers = Layers(self._defaults, command_line, mitmproxy_config)
        if not waiting.get(NAME):
            return []
        path = read_value.path(str(waiting[NAME]))
        try:
            values = self._file.load(path)
        except ConfigError as error:
            return [f"{NAME}: {path}: {error}"]
        host.deferred.update(self._layers.effective(values))
        self._layers.file = values
        return []

    def follow(self, file: Path | None) -> None:
        """Watch `file` from now on. `None`: watch no file, and undo the values of the last one."""
        self._file.path = file

    def again(self, name: str) -> None:
        """Let the option `name` be applied anew, with the value that it has. Raises `OptionError` if it is refused."""
        if self._host is not None:
            value = self._host.get(name)
            if isinstance(value, str | bool):
                self._host.update({name: value})

    async def look(self) -> None:
        """Look at the file once, and apply it if it has changed."""
        if (found := await self._file.look()) is None:
            return
        path = self._file.path
        if found.content is not None:
            self._apply(found.content, str(path))
        elif found.error is not None:
            logger.error(_REFUSED, path, _sentence(found.error))
        elif path is None:
            self._apply({}, f"no {NAME}")
        else:
            logger.warning("%s doesn't exist: the settings are unchanged.", path)

    def _apply(self, values: Values, file: str) -> None:
        if self._host is None:
            return
        host, effective = self._host, self._layers.effective(values)
        changes = {name: value for name, value in effective.items() if host.get(name) != value}
        try:
            host.update(changes)
        except OptionError as error:
            logger.error(_REFUSED, file, _sentence(error))
            return
        self._layers.file = values
        overridden = sorted(self._layers.command_line & values.keys())
        logger.info(
            "%s: changed %s%s.",
            file,
            ", ".join(sorted(changes)) or "nothing",
            f"; --set wins for {', '.join(overridden)}" if overridden else "",
        )
