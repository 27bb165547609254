"""What a chat message, or a delta of one, says: its text, its reasoning and its tool calls."""

from __future__ import annotations

from typing import Any, Final

from ..exchange import JsonObject
from ..wire import json_body

_FIRST: Final = (0, None, "0")
"""How the first choice is numbered, if it is."""


def choice_of(chat: JsonObject) -> JsonObject | None:
    """The first choice of an answer or of a chunk, the only one that a message has room for; `None` without one."""
    choices = chat.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in _FIRST:
            return choice
    return None


def only_text(chunk: JsonObject, field: str) -> str | None:
    """The text of a chunk that brings nothing but a piece of its delta's `field`; `None` for any other chunk.

    Usage may stand beside it.
    """
    choices = chunk.get("choices")
    if type(choices) is not list or not choices:
        return None
    choice = choices[0]
    if type(choice) is not dict or choice.get("finish_reason") or choice.get("index"):
        return None
    delta = choice.get("delta")
    if type(delta) is not dict:
        return None
    text = delta.get(field)
    if type(text) is not str or not text:
        return None
    if len(delta) > 1 and any(delta[key] for key in delta if key not in (field, "role")):
        return None
    return text


def text_of(given: object) -> str:
    """The text of a `content` or a `refusal`: a string, or a list of parts, of which others than texts become JSON."""
    if isinstance(given, str):
        return given
    if not isinstance(given, list):
        return ""
    return "".join(_text_of_part(part) for part in given)


def reasoning_of(delta: JsonObject) -> str | None:
    """The reasoning, "" where it is there and empty; `None` without any. Newer servers call it `reasoning`."""
    found = [delta[name] for name in ("reasoning_content", "reasoning") if isinstance(delta.get(name), str)]
    return max(found, key=bool, default=None)


def calls_of(delta: JsonObject) -> list[JsonObject]:
    """The tool calls, or frames of some; a call in the deprecated `function_call` is one of them."""
    calls = delta.get("tool_calls")
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    function = delta.get("function_call")
    if isinstance(function, dict) and not found:
        found.append({"index": 0, "function": function})
    return found


def function_of(call: JsonObject) -> tuple[str, str]:
    """The name and the arguments in a call or a frame of one, both as text; "" for what isn't there."""
    function: Any = call.get("function")
    if not isinstance(function, dict):
        return "", ""
    name, arguments = function.get("name"), function.get("arguments")
    if arguments is None:
        arguments = ""
    elif not isinstance(arguments, str):
        arguments = json_body.serialise(arguments).decode()
    return name if isinstance(name, str) else "", arguments


def _text_of_part(part: object) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    if isinstance(text, str):
        return text
    return "" if part is None else json_body.serialise(part).decode()
