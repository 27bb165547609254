"""Roles: `developer` is system, the deprecated function calls are tool calls, any other role is user.

Source: SDK Message.Role ("可选值：system、user、assistant、tool").
"""

from __future__ import annotations

from typing import Any

from addon.exchange import Change, JsonObject
from addon.rules.context import RuleContext
from addon.wire import json_body

ROLES = frozenset({"system", "user", "assistant", "tool"})


def roles(body: JsonObject, context: RuleContext) -> list[Change]:
    """Give every message one of the four roles; what isn't a message at all becomes user text."""
    changes: list[Change] = []
    messages = _objects(body["messages"], changes)
    pending = _PendingFunctionCalls()
    for index, message in enumerate(messages):
        role = message.get("role")
        named = role.lower() if isinstance(role, str) else ""
        if named == "developer":
            _set_role(message, "system", index, changes)
        elif named == "function":
            _set_role(message, "tool", index, changes)
            pending.answer(message)
        elif named not in ROLES:
            _set_role(message, "user", index, changes)
        elif named != role:
            _set_role(message, named, index, changes)
        if message["role"] == "assistant" and isinstance(message.get("function_call"), dict):
            _to_tool_call(message, pending)
            pointer = f"/messages/{index}/function_call"
            changes.append(Change("roles", pointer, "function_call becomes a tool call"))
    body["messages"] = messages
    return changes


def _objects(messages: list[Any], changes: list[Change]) -> list[JsonObject]:
    """The messages that are objects; other values are kept as user text, nulls go."""
    objects: list[JsonObject] = []
    for index, message in enumerate(messages):
        if isinstance(message, dict):
            objects.append(message)
            continue
        changes.append(Change("roles", f"/messages/{index}", "not a message: kept as user text"))
        if message is not None:
            text = message if isinstance(message, str) else json_body.serialise(message).decode()
            objects.append({"role": "user", "content": text})
    return objects


def _set_role(message: JsonObject, role: str, index: int, changes: list[Change]) -> None:
    message["role"] = role
    changes.append(Change("roles", f"/messages/{index}/role", f"the role becomes {role}"))


class _PendingFunctionCalls:
    """Deprecated function calls that wait for their `function` message, which names them only by function.

    Ids are given by ordinal, so that the same history always gets the same ids.
    """

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[tuple[str, object]] = []

    def call(self, name: object) -> str:
        self._count += 1
        call_id = f"call_function_{self._count}"
        self._waiting.append((call_id, name))
        return call_id

    def answer(self, message: JsonObject) -> None:
        name = message.get("name")
        for position, (call_id, waiting) in enumerate(self._waiting):
            if name is None or name == waiting:
                message["tool_call_id"] = call_id
                del self._waiting[position]
                return


def _to_tool_call(message: JsonObject, pending: _PendingFunctionCalls) -> None:
    function = message.pop("function_call")
    call = {"id": pending.call(function.get("name")), "type": "function", "function": function}
    calls = message.get("tool_calls")
    message["tool_calls"] = [*calls, call] if isinstance(calls, list) else [call]
