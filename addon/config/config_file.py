"""One of the files that `hunyuan_config` names: options in YAML or JSON."""

from __future__ import annotations

import json
import math
import os
import re
import stat
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ..did_you_mean import suggestion
from ..texts.terminal import say
from . import operating_system
from . import values as read_value
from .option import PREFIX, Value, Values, option, switch

NAME = "hunyuan_config"
"""The option that names the files."""

_MAX_BYTES = 1 << 16
_MOST_NODES = 10_000
"""Values of a table. An alias stands for all that it names: a few of them, nested, for millions of values."""
_DEEPEST = 8
"""Tables and lists within each other in a table."""
_MOST_BRACKETS = 500
"""The parser takes a time that grows with the square of how deep they nest: 0.2 s for these, 20 s for 5,000."""
_SCALARS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "bool", "int", "float", "null", "timestamp"))
_NULL = "tag:yaml.org,2002:null"
_SURROGATE = re.compile("[\ud800-\udfff]")
_SECRET = re.compile(r"(key|token|secret|passw\w*)$", re.IGNORECASE)


@dataclass(frozen=True)
class ConfigFileSettings:
    """The files of options."""

    config: tuple[Path, ...] = option(
        "",
        "Files of these options, YAML or JSON, comma separated: later ones win over earlier ones, --set and the "
        "environment over all. Read again when one changes.",
        read_value.paths,
    )


class ConfigError(ValueError):
    """An invalid file. The text names the line, the error and what is accepted; it quotes no value."""


class Line(NamedTuple):
    """A value and the line that gives it."""

    value: Value
    number: int


def read_file(file: Path, known: Values, tables: Collection[str] = ()) -> dict[str, Line]:
    """The options in `file`; `known` and `tables` as in `read`. Raises `ConfigError`; blocks."""
    try:
        with open(file, "rb", opener=operating_system.open_without_waiting) as opened:
            if stat.S_ISFIFO(os.fstat(opened.fileno()).st_mode):
                raise ConfigError(say("is a pipe: a file is read again when it changes"))
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(say("can't be read: {reason}", reason=error.strerror)) from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(say("is larger than {size} kB", size=_MAX_BYTES >> 10))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(say("is not UTF-8")) from None
    return read(text, known, tables, is_json=file.suffix.lower() == ".json")


def read(text: str, known: Values, tables: Collection[str] = (), *, is_json: bool = False) -> dict[str, Line]:
    """The options in a text of YAML or JSON. `known`: every option's name and default; `tables`: those with rows.

    The prefix `hunyuan_` may be left out; values are text, numbers, switches, or lists of these. Values keep their
    spelling, as after `--set`; mitmproxy's `configure` checks their meaning. The rows of a table become JSON, as its
    option has it where it is given as text. Raises `ConfigError`.
    """
    root = _root(_as_yaml(text, is_json=is_json))
    if root is None or root.tag == _NULL:
        return {}
    if not isinstance(root, MappingNode):
        raise ConfigError(_at(1, say("accepted are lines such as retry: all")))
    lines: dict[str, Line] = {}
    for key, given in root.value:
        number = key.start_mark.line + 1
        try:
            name = _name(key, known)
            if name in lines:
                raise ValueError(f"{name}: {say('given twice')}")
            try:
                if name in tables and not isinstance(given, ScalarNode):
                    lines[name] = Line(_Table().text(given), number)
                else:
                    lines[name] = Line(_value(given, is_switch=isinstance(known[name], bool)), number)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        except ValueError as error:
            raise ConfigError(_at(number, error)) from None
    return lines


def _at(line: int, problem: object) -> str:
    return say("line {line}: {problem}", line=line, problem=problem)


def _as_yaml(text: str, *, is_json: bool) -> str:
    """JSON that YAML reads alike: with characters as YAML escapes them.

    A text that is no JSON is returned unchanged, unless it must be. Raises `ConfigError`.
    """
    if not is_json and not text.lstrip().startswith("{"):
        return text
    try:
        json.loads(text or "{}")
    except json.JSONDecodeError as error:
        if is_json and text.strip():
            raise ConfigError(_at(error.lineno, say("not valid JSON: {problem}", problem=error.msg))) from None
        return text
    except RecursionError:
        raise ConfigError(say("not valid JSON: it is nested too deeply")) from None
    whole = _PAIR.sub(lambda found: json.loads(f'"{found[0]}"'), text)
    return _NOT_ASCII.sub(lambda found: f"\\U{ord(found[0]):08x}", whole)


_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
"""A character beyond the first 65,536 as JSON escapes it."""
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")
"""Characters among which are some that YAML refuses, or takes for the end of a line (U+0085, U+2028)."""


def _root(text: str) -> Node | None:
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise ConfigError(say("not valid YAML: it has control characters or is nested too deeply"))
    # Composed, not constructed: values keep their spelling, and tags create no objects.
    root: Node | None = _parsed(YAML(typ="safe", pure=True).compose, text)
    return root


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # it quotes the file
            return parse(text)
    except MarkedYAMLError as error:
        problem = say("not valid YAML: {problem}", problem=_without_quotes(error.problem or say("it ends early")))
        raise ConfigError(_at(error.problem_mark.line + 1, problem) if error.problem_mark else problem) from None
    except (YAMLError, RecursionError):
        raise ConfigError(say("not valid YAML: it has control characters or is nested too deeply")) from None


def _without_quotes(problem: str) -> str:
    """The parser's message without quotes of three or more characters of the file, which may be a secret.

    The names of its own tokens stay, such as '<block end>'.
    """
    return _QUOTE.sub(lambda found: found[0] if len(found[0]) < 5 or _TOKEN.fullmatch(found[0]) else "…", problem)


_QUOTE = re.compile(r"'[^']*'|\"[^\"]*\"")
_TOKEN = re.compile(r"'<(?:alias|anchor|block|directive|document|flow|scalar|stream|tag)[a-z ]*>'")


def _name(key: Node, known: Values) -> str:
    text = key.value if isinstance(key, ScalarNode) else ""
    name = text if text.startswith(PREFIX) else PREFIX + text
    if name == NAME:
        raise ValueError(f"{NAME}: {say("can't be set in a file that it names")}")
    if name in known:
        return name
    spelt = text.lower().replace("-", "_").removeprefix(PREFIX)
    if not re.fullmatch(r"\w{1,60}", text, re.ASCII) and PREFIX + spelt not in known:
        raise ValueError(say("accepted are names of options, each followed by a colon and a value"))
    if _SECRET.search(text):
        raise ValueError(
            say(
                "{name}: there is no such option, and secrets don't belong here, where mitmweb would show them; a key "
                "is lent from HUNYUAN_API_KEY or from the file that hunyuan_api_key_file names",
                name=text,
            )
        )
    raise ValueError(f"{text}: {say('there is no such option')}{suggestion(PREFIX + spelt, known)}")


def _value(node: Node, *, is_switch: bool) -> Value:
    parts = node.value if isinstance(node, SequenceNode) else [node]
    if not all(isinstance(part, ScalarNode) and part.tag in _SCALARS for part in parts):
        raise ValueError(say("accepted are text, a number, true, false, or a list of these"))
    texts = ["" if part.tag == _NULL else str(part.value).strip() for part in parts]
    if _SURROGATE.search("".join(texts)):  # half a character, as "\\ud83d" in JSON
        raise ValueError(say("accepted are text, a number, true, false, or a list of these"))
    if is_switch:
        return switch(texts[0] if len(texts) == 1 else "")
    return ",".join(texts)


class _Table:
    """The rows of a table, as JSON."""

    def __init__(self) -> None:
        self._nodes = 0

    def text(self, node: Node) -> str:
        """Raises `ValueError` for what JSON has no form for, and for more than a table may hold."""
        return json.dumps(self._plain(node, 0), ensure_ascii=False)

    def _plain(self, node: Node, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES or depth > _DEEPEST:
            raise ValueError(say("too large, or nested too deeply"))
        if isinstance(node, SequenceNode):
            return [self._plain(item, depth + 1) for item in node.value]
        if not isinstance(node, MappingNode):
            return _scalar(node)
        plain: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if not re.fullmatch(r"[\w-]{1,60}", name, re.ASCII):
                raise ValueError(say("the keys of a table are names"))
            if name in plain:
                raise ValueError(f"{name}: {say('given twice')}")
            plain[name] = self._plain(value, depth + 1)
        return plain


def _scalar(node: Node) -> Any:
    """A value of a table by its type in YAML; a number keeps its value."""
    text = str(node.value)
    if node.tag not in _SCALARS or _SURROGATE.search(text):
        raise ValueError(say("accepted are text, a number, true, false, or a list of these"))
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" | "float":
            try:
                return json.loads(text, parse_constant=_no_number)
            except ValueError:
                number = float(text.replace("_", "")) if re.fullmatch(r"[-+\d._eE]+", text) else math.nan
                if not math.isfinite(number):
                    raise ValueError(say("accepted are text, a number, true, false, or a list of these")) from None
                return int(number) if number.is_integer() and "." not in text else number
    return text


def _no_number(name: str) -> Any:
    raise ValueError(name)


def read_mitmproxy_config(file: Path) -> Mapping[str, tuple[object, int]]:
    """The options with our prefix in mitmproxy's config.yaml: name -> the value as YAML has it, and its line.

    A file that is missing says nothing. Raises `ConfigError` for one that can't be read.
    """
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else say("is not UTF-8")
        raise ConfigError(say("can't be read: {reason}", reason=reason)) from None
    root = _root(text)
    if not isinstance(root, MappingNode):
        return {}
    values = _parsed(YAML(typ="safe", pure=True).load, text)
    lines = {key.value: key.start_mark.line + 1 for key, _ in root.value if isinstance(key, ScalarNode)}
    return {name: (values[name], line) for name, line in lines.items() if name.startswith(PREFIX)}
