"""The store in this process's memory: bounded in entries and bytes, the least recently used goes first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cachetools import Cache, TLRUCache

from .store import Item


@dataclass(slots=True)
class _Entry:
    key: str
    value: bytes
    expires: float
    used: int
    """The number of the last use; every use of any entry has the next number."""


class Memory:
    """At most `entries` values of `size` bytes in all, keys included. A larger value is not kept.

    `clock`: monotonic, in seconds. Nothing here waits, so each method of `Store` is there without `async` too: `find`,
    `keep`, `drop`, `held`, `forget`.
    """

    name = "memory"

    def __init__(self, entries: int, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries = entries
        self._used = 0
        self._cache = self._empty(size)

    def __len__(self) -> int:
        """The number of values that haven't expired."""
        self._cache.expire()
        return len(self._cache)

    def find(self, key: str) -> Item | None:
        """As `get`."""
        try:
            entry = self._cache[key]
        except KeyError:
            return None
        self._used += 1
        entry.used = self._used
        return self._item(entry)

    def keep(self, key: str, value: bytes, lasts: float | None = None) -> None:
        """As `put`."""
        self.drop(key)
        self._used += 1
        self._insert(_Entry(key, value, math.inf if lasts is None else self._clock() + lasts, self._used))

    def drop(self, key: str) -> None:
        """As `delete`."""
        with suppress(KeyError):
            del self._cache[key]

    def held(self, prefix: str, limit: int) -> list[tuple[str, Item]]:
        """As `scan`."""
        found = [self._cache.peek(key) for key in self._cache if key.startswith(prefix)]
        found.sort(key=lambda entry: entry.used, reverse=True)
        return [(entry.key, self._item(entry)) for entry in found[:limit]]

    def forget(self, prefix: str) -> int:
        """As `clear`."""
        keys = [key for key in self._cache if key.startswith(prefix)]
        for key in keys:
            self.drop(key)
        return len(keys)

    def resize(self, entries: int, size: int) -> None:
        """Change the bounds, keeping what fits, the most recently used first."""
        if (entries, size) == (self._entries, self._cache.maxsize):
            return
        old, self._entries, self._cache = self._cache, entries, self._empty(size)
        old.expire()
        while old:
            self._insert(old.popitem()[1])

    async def get(self, key: str) -> Item | None:
        """See `Store`."""
        return self.find(key)

    async def put(self, key: str, value: bytes, lasts: float | None = None) -> None:
        """See `Store`."""
        self.keep(key, value, lasts)

    async def delete(self, key: str) -> None:
        """See `Store`."""
        self.drop(key)

    async def scan(self, prefix: str, limit: int) -> list[tuple[str, Item]]:
        """See `Store`."""
        return self.held(prefix, limit)

    async def clear(self, prefix: str) -> int:
        """See `Store`."""
        return self.forget(prefix)

    async def aclose(self) -> None:
        """See `Store`."""
        self._cache.clear()

    def _item(self, entry: _Entry) -> Item:
        return Item(entry.value, None if entry.expires == math.inf else entry.expires - self._clock())

    def _insert(self, entry: _Entry) -> None:
        if _size(entry) > self._cache.maxsize:
            return
        self._cache[entry.key] = entry
        while len(self._cache) > self._entries:
            self._cache.popitem()

    def _empty(self, size: int) -> _Cache:
        return _Cache(size, lambda _key, entry, _now: entry.expires, timer=self._clock, getsizeof=_size)


class _Cache(TLRUCache[str, _Entry]):
    def peek(self, key: str) -> _Entry:
        """The entry of `key`, without that counting as use."""
        return Cache.__getitem__(self, key)


def _size(entry: _Entry) -> int:
    return len(entry.key) + len(entry.value)
