"""The file that `hunyuan_config` names: options in YAML, read again when it changes."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mitmproxy import exceptions
from mitmproxy.optmanager import OptManager
from mitmproxy.utils import asyncio_utils
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ..wire import safe_text
from .did_you_mean import suggestion
from .options import OPTIONS, PREFIX
from .values import path as read_path

logger = logging.getLogger("hunyuan_fix")

type Value = str | bool
type Values = Mapping[str, Value]
"""Option name -> value, as mitmproxy takes it."""

NAME = "hunyuan_config"
"""The option that names the file."""

INTERVAL = 0.5
"""Seconds between two checks of the file. It is read when two checks in a row find the same new version."""

DEFAULTS: Values = {option.name: option.default for option in OPTIONS}
"""The options' defaults."""

_REFUSED = "%s: %s Nothing of it was taken, the settings stay as they are."
_MAX_BYTES = 1 << 16
_SCALARS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "bool", "int", "float", "null", "timestamp"))
_NULL = "tag:yaml.org,2002:null"
_SECRET = re.compile(r"(key|token|secret|passw\w*)$", re.IGNORECASE)


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
                raise ValueError(f"{name}: given before")
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
        raise ConfigError(f"{line}this is no YAML: {_without_quotes(error.problem or 'it ends early')}") from None
    except (YAMLError, RecursionError):
        raise ConfigError("this is no YAML: it has control characters or is nested too deeply") from None
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


def given_on_command_line(deferred: Mapping[str, object]) -> frozenset[str]:
    """The addon's options given by `--set`. `deferred`: mitmproxy's `options.deferred`, before `checks.settle_given`.

    Values from `--set` are wrapped there; values from mitmproxy's config.yaml are plain.
    """
    names = (name for name, value in deferred.items() if isinstance(getattr(value, "val", None), list))
    return frozenset(name for name in names if name.startswith(PREFIX))


@dataclass(slots=True)
class Layers:
    """The sources of an option's value: the command line, then the file, then config.yaml, then the default."""

    given: frozenset[str] = frozenset()
    """Names of the options on the command line."""
    beneath: Values = field(default_factory=dict)
    """Values in mitmproxy's config.yaml."""
    said: Values = field(default_factory=dict)
    """Values last applied from the file."""

    def under(self, said: Values) -> dict[str, Value]:
        """The option values to apply for the file's content `said`.

        Options removed from the file fall back to config.yaml or the default.
        """
        gone = {name: self.beneath.get(name, DEFAULTS[name]) for name in self.said}
        return {name: value for name, value in {**gone, **said}.items() if name not in self.given}


type Seen = tuple[Path | None, tuple[int, ...] | None]
"""A file and its version; `None`: no file is named, or it doesn't exist."""

_NOTHING: Seen = (None, None)


def look_at(file: Path | None) -> Seen:
    """The current version of `file`. Follows symbolic links: Kubernetes updates a mounted file by its link."""
    try:
        stat = os.stat(file) if file else None
    except OSError:
        stat = None
    # With ctime: a chmod may have made the file readable.
    version = stat and (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return file, version


class ConfigFile:
    """Applies the file to mitmproxy's options until the process ends. A hot reload doesn't restart it."""

    def __init__(self) -> None:
        self._options: OptManager | None = None
        """`None` before `begin`."""
        self._layers = Layers()
        self._file: Path | None = None
        self._seen: Seen = _NOTHING
        """Version at the last check."""
        self._dealt_with: Seen | None = _NOTHING
        """Version last read, or refused. `None`: read the next stable version, whichever it is."""
        self._task: asyncio.Task[None] | None = None

    def begin(self, options: OptManager, given: frozenset[str]) -> list[str]:
        """Add the file's values to the deferred ones of `options`, before mitmproxy applies these.

        `given`: the options that came by `--set`. Returns a line for each problem. Reads the file synchronously: no
        client is served yet. Does nothing at a hot reload.
        """
        if self._options is not None:
            return []
        self._options = options
        waiting = {name: value for name, value in options.deferred.items() if isinstance(value, str | bool)}
        beneath = {name: value for name, value in waiting.items() if name in DEFAULTS and name not in given}
        self._layers = Layers(given, beneath)
        if not waiting.get(NAME):
            return []
        self._file = read_path(str(waiting[NAME]))
        self._seen = self._dealt_with = look_at(self._file)
        try:
            said = read_file(self._file, DEFAULTS)
        except ConfigError as error:
            return [f"{NAME}: {self._file}: {error}"]
        options.deferred.update(self._layers.under(said))
        self._layers.said = said
        return []

    def follow(self, file: Path | None) -> None:
        """Watch `file` from now on. `None`: watch none, and undo the values of the last one."""
        self._file = file

    def start(self) -> None:
        """Start the watching task, unless it runs. Needs a running event loop."""
        if self._task is None or self._task.done():
            self._task = asyncio_utils.create_task(self._watch(), name="hunyuan-fix watches a file", keep_ref=True)

    def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.look()
            except Exception as error:
                logger.error("%s could not be looked at: %s", self._file, safe_text.traceback_without_text(error))

    async def look(self) -> None:
        """Check the file once; read it if it is new and unchanged since the last check."""
        before, self._seen = self._seen, look_at(self._file)
        # A version that differs from the last check's may be half written.
        if self._seen == self._dealt_with or self._seen != before:
            return
        self._dealt_with = seen = self._seen
        file, version = seen
        if file is None:
            self._take({}, f"no {NAME}")
        elif version is None:
            logger.warning("%s is not there: the settings stay as they are.", file)
        else:
            await self._read(file, seen)

    async def _read(self, file: Path, seen: Seen) -> None:
        try:
            said = await asyncio.to_thread(read_file, file, DEFAULTS)
        except ConfigError as error:
            logger.error(_REFUSED, file, _sentence(error))
            return
        if look_at(self._file) == seen:
            self._take(said, str(file))
        else:
            self._dealt_with = None

    def _take(self, said: Values, file: str) -> None:
        if self._options is None:
            return
        wanted = self._layers.under(said)
        changes = {name: value for name, value in wanted.items() if getattr(self._options, name) != value}
        try:
            self._options.update(**changes)
        except exceptions.OptionsError as error:
            logger.error(_REFUSED, file, _sentence(error))
            return
        self._layers.said = said
        outdone = sorted(self._layers.given & said.keys())
        logger.info(
            "%s: changed %s%s.",
            file,
            ", ".join(sorted(changes)) or "nothing",
            f"; --set wins for {', '.join(outdone)}" if outdone else "",
        )
