"""Survey: what a body's messages look like as a whole, so that a rule knows without a walk that it isn't needed.

A history of any length has few shapes of messages, and its order is one short text:

    [system, user, assistant + tool_calls, tool, user]   order "SUATU"   "TU" is in it: a bridge is needed

Both are made when they are first asked for. A survey holds until a rule changes the body.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from ..exchange import JsonObject

_PROPER_CALL = frozenset([(3, "function", str, 2, str, True, str)])
"""Its number of fields, its type, its id's; its function's number of fields, its name's type, whether that is any text,
its arguments' type."""
_WITHOUT_PARTS = (str, type(None))
_LETTERS = {"system": "S", "user": "U", "assistant": "A", "tool": "T"}


class Shape(NamedTuple):
    """What messages have in common: the role, the type of the content (`NoneType`: none), the names of the fields."""

    role: str
    content: type
    fields: frozenset[str]


class Survey:
    """The messages of `body`, at the moment."""

    def __init__(self, body: JsonObject) -> None:
        self.body = body

    @cached_property
    def shapes(self) -> list[Shape] | None:
        """The shapes that occur; `None` where a message is no object or a role is no text."""
        messages: list[Any] = self.body["messages"]
        try:
            kinds = {(message["role"], type(message.get("content")), *message) for message in messages}
        except (TypeError, KeyError, AttributeError):
            return None
        if not all(isinstance(role, str) for role, *_ in kinds):
            return None
        return [Shape(role, content, frozenset(fields)) for role, content, *fields in kinds]

    @cached_property
    def calls(self) -> list[JsonObject] | None:
        """All tool calls, in order; `None` where any isn't `{id, type: function, function: {name, arguments}}`, each of
        these a text, or where a list of calls is empty or no list."""
        messages: list[Any] = self.body["messages"]
        try:
            lists = [message["tool_calls"] for message in messages if "tool_calls" in message]
            calls = [call for of_message in lists for call in of_message]
            kinds = {
                (
                    len(call),
                    call["type"],
                    type(call["id"]),
                    len(function := call["function"]),
                    type(name := function["name"]),
                    name != "",
                    type(function["arguments"]),
                )
                for call in calls
            }
        except (TypeError, KeyError):
            return None
        return calls if all(lists) and kinds <= _PROPER_CALL else None

    @cached_property
    def order(self) -> str:
        """A letter for each message: S, U, A, T by its role. Only after the rule `roles`."""
        return "".join([_LETTERS[message["role"]] for message in self.body["messages"]])

    @cached_property
    def fields(self) -> dict[str, frozenset[str]]:
        """Role -> the fields that messages of it have. Only after the rule `roles`."""
        fields: dict[str, frozenset[str]] = {}
        for shape in self.shapes or ():
            fields[shape.role] = fields.get(shape.role, frozenset()) | shape.fields
        return fields

    @cached_property
    def with_parts(self) -> frozenset[str]:
        """The roles whose messages have a content that is neither text nor absent. Only after the rule `roles`."""
        return frozenset(shape.role for shape in self.shapes or () if shape.content not in _WITHOUT_PARTS)

    def has_field(self, names: frozenset[str]) -> bool:
        """Whether any message has one of the fields `names`. Only after the rule `roles`."""
        return not all(map(names.isdisjoint, self.fields.values()))
