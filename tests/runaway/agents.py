"""Histories of agents in each format, of what they did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

FORMATS: Final = ("chat", "anthropic", "responses")


@dataclass(frozen=True, slots=True)
class Did:
    """A call of a tool and what it gave."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    result: str = ""


type Turn = Sequence[Did] | str
"""Calls that the model made at once, or what stands in the user's place."""


def body_of(form: str, turns: Sequence[Turn], **more: Any) -> dict[str, Any]:
    """A request in `form`: a user's first message, then `turns`."""
    ids = (f"call_{number}" for number in count())
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Do it"}]
    for turn in turns:
        if isinstance(turn, str):
            messages.append({"role": "user", "content": turn})
        else:
            messages += _WRITE[form]([(next(ids), did) for did in turn])
    tools = [_TOOL[form] | {"name": name} for name in sorted({did.name for turn in turns if not isinstance(turn, str) for did in turn})]  # fmt: skip # noqa: E501
    if form == "chat":
        tools = [{"type": "function", "function": tool} for tool in tools]
    least = {"max_tokens": 1000} if form == "anthropic" else {}
    return {"model": "hy3", "input" if form == "responses" else "messages": messages, "tools": tools, **least, **more}


_SCHEMA: Final = {"type": "object", "properties": {"path": {"type": "string"}}}
_TOOL: Final[dict[str, dict[str, Any]]] = {
    "chat": {"description": "A tool.", "parameters": _SCHEMA},
    "anthropic": {"description": "A tool.", "input_schema": _SCHEMA},
    "responses": {"type": "function", "description": "A tool.", "parameters": _SCHEMA, "strict": False},
}


def _chat(calls: Sequence[tuple[str, Did]]) -> Iterator[dict[str, Any]]:
    functions = [(id, {"name": did.name, "arguments": json.dumps(did.arguments)}) for id, did in calls]
    made = [{"id": id, "type": "function", "function": function} for id, function in functions]
    yield {"role": "assistant", "content": None, "tool_calls": made}
    for id, did in calls:
        yield {"role": "tool", "tool_call_id": id, "content": did.result}


def _anthropic(calls: Sequence[tuple[str, Did]]) -> Iterator[dict[str, Any]]:
    used = [{"type": "tool_use", "id": id, "name": did.name, "input": did.arguments} for id, did in calls]
    yield {"role": "assistant", "content": used}
    given = [{"type": "tool_result", "tool_use_id": id, "content": did.result} for id, did in calls]
    yield {"role": "user", "content": given}


def _responses(calls: Sequence[tuple[str, Did]]) -> Iterator[dict[str, Any]]:
    for id, did in calls:
        yield {"type": "function_call", "call_id": id, "name": did.name, "arguments": json.dumps(did.arguments)}
    for id, did in calls:
        yield {"type": "function_call_output", "call_id": id, "output": did.result}


_WRITE: Final = {"chat": _chat, "anthropic": _anthropic, "responses": _responses}
