"""The arguments of a tool call: always text, and whether that text is one whole JSON object yet."""

from __future__ import annotations

import hashlib
import re

from ..wire import json_body

NONE = "{}"
"""The arguments of a call that has none."""

_IN_STRING = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\]]')


def text_of(value: object) -> str:
    """What a frame says under `arguments`, as text: an object's own JSON, `""` for nothing said.

    An empty object says nothing either: some providers send it first and the real arguments afterwards.
    """
    if isinstance(value, str):
        return value
    if value is None or value == {}:
        return ""
    return json_body.serialise(value).decode()


class ArgumentsText:
    """Reads the arguments of one call piece by piece, in time linear to their length, and keeps none of them.

    Only brackets and strings are looked at: arguments that are whole but no JSON inside are the model's mistake, which
    its client can tell it.
    """

    __slots__ = ("_broken", "_depth", "_digest", "_escaped", "_quoted", "begun", "complete")

    def __init__(self) -> None:
        self.begun = False
        """Something other than white space came."""
        self.complete = False
        """All that came is one JSON object, with white space around it at most."""
        self._broken = False
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self._digest = hashlib.blake2b(digest_size=16)

    def feed(self, text: str) -> None:
        """Take in the next piece."""
        self._digest.update(_bytes(text))
        if self._broken:
            return
        place = 0
        if self._depth == 0:
            place = len(text) - len(text.lstrip())
            if place == len(text):
                return
            if self.begun or text[place] != "{":
                self.begun, self.complete, self._broken = True, False, True
                return
            self.begun = True
        self._read(text, place)

    def _read(self, text: str, place: int) -> None:
        while place < len(text):
            if self._escaped:
                self._escaped = False
                place += 1
                continue
            found = (_IN_STRING if self._quoted else _OUTSIDE).search(text, place)
            if found is None:
                return
            place, mark = found.end(), found[0]
            if mark == "\\":
                self._escaped = True
            elif mark == '"':
                self._quoted = not self._quoted
            elif mark in "{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    self._broken = bool(text[place:].strip())
                    self.complete = not self._broken
                    return

    def says(self, text: str) -> bool:
        """Whether `text` is exactly what came so far."""
        return hashlib.blake2b(_bytes(text), digest_size=16).digest() == self._digest.digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
