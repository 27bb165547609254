"""Which answers are worth keeping, and what is new in one that is given again. Pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, Final

from ..exchange import JsonObject
from ..wire import call_ids, rule_names

_ENDS: Final = frozenset({"stop", "tool_calls", "function_call"})
"""Finish reasons of a chat answer that is whole."""
_STOPS: Final = frozenset({"end_turn", "tool_use", "stop_sequence"})
"""Those of an Anthropic message."""
_ID: Final = re.compile(r"(.*[_:.-])?([A-Za-z0-9]+)", re.DOTALL)
_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_LENGTHS: Final = (8, 40)
"""Of the part of an id that is new."""


def is_good(form: str, answer: JsonObject) -> bool:
    """Whether an answer in `form` (`Asked.form`) came to its own end and says something: not one that was cut by a
    limit, stopped by a filter, or that is an error."""
    if answer.get("error"):
        return False
    if form == rule_names.ANTHROPIC_NATIVE:
        return answer.get("stop_reason") in _STOPS and bool(answer.get("content"))
    if form == rule_names.RESPONSES_NATIVE:
        return answer.get("status") == "completed" and bool(answer.get("output"))
    choices = answer.get("choices")
    return isinstance(choices, list) and bool(choices) and all(map(_is_whole, choices))


def _is_whole(choice: Any) -> bool:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or choice.get("finish_reason") not in _ENDS:
        return False
    return any(message.get(name) for name in ("content", "tool_calls", "function_call", "refusal", "audio"))


def given_again(form: str, answer: JsonObject) -> JsonObject:
    """A copy of an answer with ids of its own, and new ones for its calls: agents take what has an id that they know
    for the same answer, and drop it (docs/facts/kimi.md#clients)."""
    made = {**answer}
    if isinstance(made.get("id"), str):
        made["id"] = _new(made["id"])
    if form == rule_names.ANTHROPIC_NATIVE:
        made["content"] = _each(made.get("content"), lambda block: _renamed(block, "id"))
    elif form == rule_names.RESPONSES_NATIVE:
        made["output"] = _each(made.get("output"), lambda item: _renamed(item, "call_id"))
    else:
        made["choices"] = _each(made.get("choices"), _with_new_calls)
    return made


def _with_new_calls(choice: JsonObject) -> JsonObject:
    message = choice.get("message")
    if not isinstance(message, dict) or not isinstance(message.get("tool_calls"), list):
        return choice
    calls = _each(message["tool_calls"], lambda call: _renamed(call, "id"))
    return {**choice, "message": {**message, "tool_calls": calls}}


def _each(values: Any, change: Callable[[JsonObject], JsonObject]) -> Any:
    if not isinstance(values, list):
        return values
    return [change(value) if isinstance(value, dict) else value for value in values]


def _renamed(value: JsonObject, name: str) -> JsonObject:
    """`value` with a new id, if `name` is that of a call: texts and thoughts have none."""
    return {**value, name: _new(value[name])} if isinstance(value.get(name), str) and value[name] else value


def _new(id: str) -> str:
    """Another id of the same kind. One that ends with a number keeps its form: some models want that back."""
    if call_ids.is_counted(id):
        stem = id.rstrip("0123456789")
        return f"{stem}{secrets.randbelow(900_000) + 100_000}"
    found = _ID.fullmatch(id)
    stem, own = (found[1] or "", found[2]) if found else ("call_", "")
    length = min(max(len(own), _LENGTHS[0]), _LENGTHS[1])
    return stem + "".join(secrets.choice(_CHARACTERS) for _ in range(length))
