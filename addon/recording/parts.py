"""A request in parts: what a conversation repeats from turn to turn, and what stands beside it. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

from ..exchange import JsonObject
from ..wire import json_body
from . import alike
from .masked import Masked

_MESSAGES: Final = ("messages", "input")
_SYSTEM: Final = ("system", "instructions")
_TOOLS: Final = "tools"
_NAME: Final = 10
"""Bytes of a digest that make a name."""
_PART: Final = 500
"""Bytes that a part takes beside what it says."""


class Part(NamedTuple):
    """A message, a system prompt or a list of tools, as it is recorded."""

    kind: str
    """`message`, `system`, `tools`."""
    value: Any
    exact: bytes
    """A digest of it."""
    alike: bytes
    """A digest of what it says whatever the day (`alike`)."""

    @property
    def name(self) -> str:
        """What it is called in a recording, for as long as it says the same."""
        return self.alike[:_NAME].hex()


class Parts(NamedTuple):
    """A request: its parts, and the fields beside them."""

    form: str
    fields: JsonObject
    system: Part | None
    tools: Part | None
    messages: tuple[Part, ...]

    def exact(self) -> bytes:
        """What is asked, to the letter."""
        listed = b"".join(part.exact if part else b"-" for part in (self.system, self.tools, *self.messages))
        return _digest([self.form, self.fields, hashlib.sha256(listed).hexdigest()])

    def alike(self) -> bytes:
        """What is asked, whatever the day."""
        listed = b"".join(part.alike if part else b"-" for part in (self.system, self.tools, *self.messages))
        return _digest([self.form, alike.value(self.fields), hashlib.sha256(listed).hexdigest()])

    @property
    def name(self) -> str:
        """What the request is called in a recording."""
        return self.alike()[:_NAME].hex()


class Divider:
    """Divides requests into parts. What it has seen it knows again: a turn repeats all that was said before.

    `most`: bytes of parts that it knows; then it begins anew.
    """

    def __init__(self, masked: Masked, most: int) -> None:
        self._masked = masked
        self._most = most
        self._known: dict[tuple[str, bytes], Part] = {}
        self._size = 0

    def parts(self, form: str, body: JsonObject) -> Parts:
        """The parts of a request in `form`, as they are recorded."""
        system = next((self._part("system", body[name]) for name in _SYSTEM if body.get(name)), None)
        tools = self._part("tools", body[_TOOLS]) if body.get(_TOOLS) else None
        messages: list[Part] = []
        for name in _MESSAGES:
            given = body.get(name)
            messages += [
                self._part("message", item) for item in (given if isinstance(given, list) else [given]) if item
            ]
        beside = {name: value for name, value in body.items() if name not in (*_MESSAGES, *_SYSTEM, _TOOLS)}
        return Parts(form, self._masked.value(beside), system, tools, tuple(messages))

    def _part(self, kind: str, value: Any) -> Part:
        written = json_body.serialise(value, sort_keys=True)
        came = kind, hashlib.sha256(written).digest()
        part = self._known.get(came)
        if part is None:
            self._size += len(written) + _PART
            if self._size > self._most:
                self._known, self._size = {}, len(written) + _PART
            part = self._known[came] = part_of(kind, self._masked.value(value))
        return part


def part_of(kind: str, value: Any) -> Part:
    """The part whose value, as it is recorded, is `value`."""
    return Part(kind, value, _digest(value), _digest(alike.value(value)))


def _digest(value: Any) -> bytes:
    return hashlib.sha256(json_body.serialise(value, sort_keys=True)).digest()
