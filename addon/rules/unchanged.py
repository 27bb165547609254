"""Values that a rule has looked through and left as they are: the same value needn't be looked through again.

An agent sends its tools, tens of kilobytes, with every request. Written as JSON and digested a value costs a fifth of a
walk. What a rule does with a value depends on the value alone, so nobody can see what was sent before.
"""

from __future__ import annotations

import hashlib

import orjson


class Unchanged:
    """What one function left as it was: 32 bytes of each of its latest values, between 1000 and 2000 of them."""

    MOST = 1000

    def __init__(self) -> None:
        self._latest: set[bytes] = set()
        self._older: set[bytes] = set()

    @staticmethod
    def key(value: object) -> bytes | None:
        """The digest of a JSON value, the order of its keys included; `None` for one that orjson can't write."""
        try:
            return hashlib.sha256(orjson.dumps(value)).digest()
        except TypeError:  # integers of more than 64 bits, halves of surrogate pairs, deep nesting
            return None

    def __contains__(self, key: bytes | None) -> bool:
        """Whether the value with this key was left as it was."""
        return key in self._latest or key in self._older

    def add(self, key: bytes | None) -> None:
        """Remember that the value with this key was left as it was."""
        if key is None:
            return
        if len(self._latest) >= self.MOST:
            self._latest, self._older = set(), self._latest
        self._latest.add(key)
