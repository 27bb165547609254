"""The arguments of a tool call as text, and whether the text so far is one whole JSON object."""

from __future__ import annotations

import hashlib
import re

from ..wire import json_body

NONE = "{}"
"""The arguments of a call that needs none."""

_IN_STRING = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\]]')

_KEPT = 4096
"""Characters that are kept before they are hashed: most arguments are shorter, and hashing each piece takes longer."""


def text_of(value: object) -> str:
    """The `arguments` field of a frame as text: a string unchanged, an object as JSON, `""` for null.

    `""` for an empty object too: some providers send `{}` first and the real arguments afterwards.
    """
    if isinstance(value, str):
        return value
    if value is None or value == {}:
        return ""
    return json_body.serialise(value).decode()


class ArgumentsText:
    """Follows the arguments of one call piece by piece, in time linear to their length and constant memory.

    It looks at brackets and strings only. Arguments that are whole but invalid JSON inside pass as whole: they are the
    model's mistake, and the client's error tells the model.
    """

    __slots__ = ("_broken", "_depth", "_escaped", "_hash", "_kept", "_quoted", "begun", "complete")

    def __init__(self) -> None:
        self.begun = False
        """Whether the text has anything but white space."""
        self.complete = False
        """Whether the text is one JSON object, with nothing but white space around it."""
        self._broken = False
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self._kept = ""
        self._hash: hashlib.blake2b | None = None
        """The hash of all pieces before those that are kept, if there are any."""

    def feed(self, text: str) -> None:
        """Add the next piece of the arguments."""
        self._kept += text
        if len(self._kept) > _KEPT:
            self._hash = self._hash or hashlib.blake2b(digest_size=16)
            self._hash.update(_bytes(self._kept))
            self._kept = ""
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
        elif self._escaped and text:
            self._escaped, place = False, 1
        while found := (_IN_STRING if self._quoted else _OUTSIDE).search(text, place):
            place, mark = found.end(), found[0]
            if mark == '"':
                self._quoted = not self._quoted
            elif mark == "\\":
                # The next character is escaped; it may begin the next piece.
                self._escaped = place == len(text)
                place += 1
            elif mark in "{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    self._broken = bool(text[place:].strip())
                    self.complete = not self._broken
                    return

    def equals(self, text: str) -> bool:
        """Whether `text` equals all pieces so far together."""
        if self._hash is None:
            return text == self._kept
        hashed = self._hash.copy()
        hashed.update(_bytes(self._kept))
        return hashlib.blake2b(_bytes(text), digest_size=16).digest() == hashed.digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
