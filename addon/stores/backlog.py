"""Writes that a store has yet to make: in order, bounded; a later write to a key replaces an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

WRITES_MAX = 1000
BYTES_MAX = 8 << 20
"""Beyond either bound the oldest write is dropped: a store that fails must not fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Put:
    """A value to be kept; `expires` on the caller's clock, `None`: for good."""

    key: str
    value: bytes
    expires: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Delete:
    """A key to be forgotten."""

    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Clear:
    """All keys that start with `prefix` are to be forgotten."""

    prefix: str


type Write = Put | Delete | Clear


class Backlog:
    """Writes that wait. A `Clear` goes first, and replaces earlier writes to the keys that it forgets."""

    def __init__(self) -> None:
        self._clears: dict[str, Clear] = {}
        self._keyed: dict[str, Put | Delete] = {}
        self._bytes = 0
        self.dropped = 0
        """Writes that were given up, because too many waited or the store was closed."""

    def __len__(self) -> int:
        """Writes that wait."""
        return len(self._clears) + len(self._keyed)

    def add(self, write: Write) -> None:
        """Add `write` as the newest."""
        if isinstance(write, Clear):
            for key in [key for key in self._keyed if key.startswith(write.prefix)]:
                self._take(key)
            self._clears[write.prefix] = write
            return
        if write.key in self._keyed:
            self._take(write.key)
        self._keyed[write.key] = write
        self._bytes += _size(write)
        while len(self._keyed) > WRITES_MAX or self._bytes > BYTES_MAX:
            self._take(next(iter(self._keyed)))
            self.dropped += 1

    def first(self) -> Write | None:
        """The next write. It stays here until `done`, so that a write that failed is not lost."""
        return next(iter(self._clears.values()), None) or next(iter(self._keyed.values()), None)

    def done(self, write: Write) -> None:
        """Forget `write`, unless another has taken its place meanwhile."""
        if isinstance(write, Clear):
            if self._clears.get(write.prefix) is write:
                del self._clears[write.prefix]
        elif self._keyed.get(write.key) is write:
            self._take(write.key)

    def concerning(self, key: str) -> Write | None:
        """The waiting write that decides the value of `key`; `None` if the store's value counts."""
        return self._keyed.get(key) or next((it for it in self._clears.values() if key.startswith(it.prefix)), None)

    def abandon(self) -> int:
        """Drop all waiting writes. Returns their number."""
        count = len(self)
        self._clears.clear()
        self._keyed.clear()
        self._bytes = 0
        self.dropped += count
        return count

    def _take(self, key: str) -> None:
        self._bytes -= _size(self._keyed.pop(key))


def _size(write: Put | Delete) -> int:
    return len(write.key) + (len(write.value) if isinstance(write, Put) else 0)
