"""What is known of images already: a bounded cache, and calls under way that are shared."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from cachetools import TLRUCache

FAILURE_LASTS = 3600.0
"""Seconds that a failure for good is remembered, so that later turns neither pay nor change (issue 2 section 5)."""


@dataclass(frozen=True, slots=True)
class Description:
    """What the vision model wrote about an image."""

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that has no description and won't get one. `reason` is a key of `Texts.image_reasons`."""

    reason: str


type Finding = Description | Failure
"""What came of an image for good. A failure that may pass is no finding and never gets here."""


@dataclass(frozen=True, slots=True)
class _Entry:
    finding: Finding
    expires: float


class Descriptions:
    """Findings by key, least recently used first out, bounded by `entries` and by `size` in bytes.

    `clock` gives seconds that only grow. Keys are digests: a cache that is dumped or swapped shows no question.
    """

    def __init__(self, entries: int, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries = entries
        self._cache = self._empty(size)

    def get(self, key: bytes) -> Finding | None:
        """The finding for `key`, which thereby becomes the most recently used."""
        entry = self._cache.get(key)
        return entry.finding if entry else None

    def put(self, key: bytes, finding: Finding, lasts: float = math.inf) -> None:
        """Remember `finding` for `lasts` seconds (a failure for `FAILURE_LASTS` at most)."""
        if isinstance(finding, Failure):
            lasts = min(lasts, FAILURE_LASTS)
        self._insert(key, _Entry(finding, self._clock() + lasts))

    def listing(self) -> list[str]:
        """A line for each finding that still holds: its key's beginning, and the beginning of its text."""
        self._cache.expire()
        return [f"{key.hex()[:12]}  {_summary(entry.finding)}" for key, entry in self._cache.items()]

    def clear(self) -> int:
        """Forget everything. Returns how many findings there were."""
        self._cache.expire()
        count = len(self._cache)
        self._cache.clear()
        return count

    def resize(self, entries: int, size: int) -> None:
        """Change the bounds, keeping what fits, the most recently used first."""
        if (entries, size) == (self._entries, self._cache.maxsize):
            return
        old, self._entries, self._cache = self._cache, entries, self._empty(size)
        old.expire()
        while old:
            self._insert(*old.popitem())

    def _insert(self, key: bytes, entry: _Entry) -> None:
        if _size(entry) > self._cache.maxsize:
            return
        self._cache[key] = entry
        while len(self._cache) > self._entries:
            self._cache.popitem()

    def _empty(self, size: int) -> TLRUCache[bytes, _Entry]:
        return TLRUCache(size, lambda _key, entry, _now: entry.expires, timer=self._clock, getsizeof=_size)


def _summary(finding: Finding) -> str:
    if isinstance(finding, Failure):
        return f"[{finding.reason}]"
    return f"{len(finding.text)} characters: {finding.text[:60]!r}"


def _size(entry: _Entry) -> int:
    """Bytes of an entry: its key, a SHA-256 digest, and its text."""
    finding = entry.finding
    text = finding.text if isinstance(finding, Description) else finding.reason
    return 32 + len(text.encode("utf-8", "surrogatepass"))


class CallGone(Exception):
    """A shared call was cancelled from outside, as when the event loop ends."""


class SingleFlight[K: Hashable, T]:
    """Calls with one key at the same time are one call, whose task belongs to none of those who wait.

    One who stops waiting disturbs nobody; when the last one does, the call is cancelled at once. `CancelledError` of
    the shared task reaches no waiter: inside a mitmproxy hook it would hang the client (mitmproxy.md section 0 row 3).
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[T]] = {}

    def flying(self, key: K) -> bool:
        """Whether a call with `key` is under way, so that `join` would share it."""
        return key in self._flights

    async def join(self, key: K, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the call with `key`: the one under way, else a new `call()`.

        Raises what the call raised, and `CallGone`.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(call()))
            flight.task.add_done_callback(_retrieve)
        flight.waiting += 1
        try:
            await asyncio.wait({flight.task})
        finally:
            flight.waiting -= 1
            if flight.task.done() or not flight.waiting:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]
        if flight.task.cancelled():
            raise CallGone
        return flight.task.result()


@dataclass(slots=True, eq=False)
class _Flight[T]:
    task: asyncio.Task[T]
    waiting: int = 0


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Take note of an exception that nobody is left to wait for, which asyncio would log otherwise."""
    if not task.cancelled():
        task.exception()
