"""`tool_choice`: which of the tools may be called, and which has to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...exchange import JsonObject
from ..base import BadRequest
from ..searching import WEB_SEARCH
from ..told import Told
from .tools import Offered, objects_in, own_fields

_WORDS: Final = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
"""`any` is Anthropic's word."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What `tool_choice` and `parallel_tool_calls` become, and the tools that are left to choose from."""

    functions: list[JsonObject]
    parameters: JsonObject


def choice(body: JsonObject, offered: Offered, told: Told) -> Choice:
    """The choice that is asked for among the tools that are `offered`. Raises `BadRequest`."""
    given = body.get("tool_choice")
    if given is not None and not isinstance(given, str | dict):
        raise BadRequest('tool_choice: must be "auto", "none", "required" or an object.', "tool_choice")
    if isinstance(given, dict) and isinstance(given.get("type"), str) and given["type"] in _WORDS:
        given = given["type"]  # as Anthropic's API has it
    asked: JsonObject = {}
    functions = offered.functions()
    if isinstance(given, str):
        if given in _WORDS:
            asked = {"tool_choice": _WORDS[given]}
        elif (sent := offered.chosen(given)) is not None:
            functions = offered.functions()
            asked = {"tool_choice": {"type": "function", "function": {"name": sent}}}
        else:
            told.say("/tool_choice", "a choice that chat has no word for is dropped")
    elif given is not None:
        functions, asked = _among(given, offered, told)
    if body.get("parallel_tool_calls") is False:
        asked["parallel_tool_calls"] = False
    if not functions:
        if given not in (None, "auto", "none"):
            told.say("/tool_choice", "there is no tool to choose: dropped")
        return Choice([], {})
    return Choice(functions, asked)


def _among(given: JsonObject, offered: Offered, told: Told) -> tuple[list[JsonObject], JsonObject]:
    """The tools that are left by the choice of one, or of some, and chat's words for it."""
    if given.get("type") != "allowed_tools":
        sent = chosen(given, offered)
        functions = offered.functions()  # it may have been deferred until now
        if sent is None:
            told.say("/tool_choice", "a choice of a tool that isn't offered is dropped")
            return functions, {}
        return functions, {"tool_choice": {"type": "function", "function": {"name": sent}}}
    allowed = {sent for tool in objects_in(given.get("tools")) if (sent := chosen(tool, offered)) is not None}
    kept = [tool for tool in offered.functions() if tool["function"]["name"] in allowed]
    told.say("/tool_choice", "only the tools that are allowed are offered: chat has no list of them")
    mode = given.get("mode")
    return kept, {"tool_choice": mode if mode in ("auto", "required") else "auto"}


def chosen(given: JsonObject, offered: Offered) -> str | None:
    """The name in chat of the tool that a choice names."""
    kind, name = given.get("type"), own_fields(given).get("name")
    if isinstance(name, str) and kind != "mcp":
        return offered.chosen(name, given.get("namespace"))
    if not isinstance(kind, str):
        return None
    if kind.startswith(WEB_SEARCH):
        return offered.search["tool"] if offered.search is not None else None
    return offered.chosen(kind)
