"""Survey: what a body's messages look like as a whole, so that a rule knows without a walk that it isn't needed.

A history of any length has few shapes of messages, and its order is one short text:

    [system, user, assistant + tool_calls, tool, user]   order "SUATU"   "TU" is in it: a bridge is needed

Both are made when they are first asked for. A survey holds until a rule changes the body.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from ..exchange import JsonObject

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
    def order(self) -> str:
        """A letter for each message: S, U, A, T by its role. Only after the rule `roles`."""
        return "".join([_LETTERS[message["role"]] for message in self.body["messages"]])

    def known(self) -> Iterator[Shape]:
        """The shapes that occur. Only after the rule `roles`."""
        return iter(self.shapes or ())

    def has_field(self, *names: str) -> bool:
        """Whether any message has one of the fields `names`. Only after the rule `roles`."""
        return any(not shape.fields.isdisjoint(names) for shape in self.known())
