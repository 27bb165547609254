"""What kind of call a request is: of an agent, of its subagent, a small one beside the conversation, embeddings. Pure.

Only what a request shows tells it, by `kinds.toml`: a call that shows nothing is `main`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from typing import Final, Literal

from ..exchange import JsonObject
from .row import Kind

_MOST_TOOLS: Final = 64
"""Tools that are looked at: one of its own is among the first ones, if there is one."""
_ITS_OWN: Final = frozenset([None, "function", "custom"])
"""Types of tools that a client runs itself."""
_SYSTEM: Final = ("system", "developer")


def kind_of(headers: Mapping[str, str], program: str, body: JsonObject, *, embeddings: bool, counts: bool) -> Kind:
    """The kind of a request in any format. `headers` are found by lower-case names.

    A request that only has its tokens counted (`counts`) is no small call: agents count without tools.
    """
    if embeddings:
        return "embeddings"
    data = _data()
    if any(name in headers for name in data.subagent):
        return "subagent"
    if not counts and any(_fits(row, program, body) for row in data.helpers):
        return "helper"
    return "main"


@dataclass(frozen=True, slots=True)
class _Helper:
    """What a small call looks like."""

    program: str = ""
    begins: str = ""
    tools: Literal["none", "none of its own"] = "none"
    source: str = ""


def _fits(row: _Helper, program: str, body: JsonObject) -> bool:
    if row.program and row.program != program:
        return False
    if row.tools == "none" and body.get("tools"):
        return False
    if _has_tools_of_its_own(body.get("tools")):
        return False
    return not row.begins or _system(body).startswith(row.begins)


def _has_tools_of_its_own(given: object) -> bool:
    tools = islice(given, _MOST_TOOLS) if isinstance(given, list) else ()
    return any(not isinstance(tool, dict) or _is_its_own(tool.get("type")) for tool in tools)


def _is_its_own(kind: object) -> bool:
    return not isinstance(kind, str) or kind in _ITS_OWN


def _system(body: JsonObject) -> str:
    """The system text's first words, where a request of any format has them; `""` where it has none."""
    given = body.get("system") or body.get("instructions")
    if not given:
        messages = body.get("messages") or body.get("input")
        first = messages[0] if isinstance(messages, list) and messages else None
        given = first.get("content") if isinstance(first, dict) and first.get("role") in _SYSTEM else None
    if isinstance(given, list):
        given = next((part.get("text") for part in given if isinstance(part, dict) and part.get("text")), None)
    return given[:_LONGEST].lstrip() if isinstance(given, str) else ""


_LONGEST: Final = 1000
"""Characters of a system text that are looked at."""


@dataclass(frozen=True, slots=True)
class _Data:
    subagent: tuple[str, ...]
    helpers: tuple[_Helper, ...]


@cache
def _data() -> _Data:
    given = tomllib.loads(resources.files(__package__).joinpath("kinds.toml").read_text(encoding="utf-8"))
    return _Data(tuple(given["subagent"]["headers"]), tuple(_Helper(**row) for row in given["helper"]))
