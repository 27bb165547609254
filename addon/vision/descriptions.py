"""What is known of images already, in whatever store, and calls under way that are shared."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from .. import texts
from ..stores import Chain, Item, Memory


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


_PREFIX = "description:"
"""What the keys of findings start with in every store."""
_LISTED = 1000
"""Findings that a list for display shows of each store."""


class Descriptions:
    """Findings by key, in the stores of `chain`. Keys are digests: a store that is read by others shows no question."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def find(self, keys: Iterable[bytes]) -> dict[bytes, Finding]:
        """The findings that there are for `keys`. All are looked up together, so that a slow store delays but once."""
        wanted = list(dict.fromkeys(keys))
        found = {key: finding for key in wanted if (finding := self.at_hand(key))}
        below = [key for key in wanted if key not in found]
        items = await asyncio.gather(*(self._chain.get(_name(key)) for key in below))
        return found | {key: finding for key, item in zip(below, items, strict=True) if (finding := _read(item))}

    def at_hand(self, key: bytes) -> Finding | None:
        """The finding for `key` if this process's memory has it."""
        return _read(self._chain.at_hand(_name(key)))

    def put(self, key: bytes, finding: Finding, lasts: float | None = None) -> None:
        """Remember `finding` for `lasts` seconds; `None`: for good."""
        self._chain.put(_name(key), _written(finding), lasts)

    def listing(self) -> list[str]:
        """A line for each finding in memory, the latest used first: its key's beginning, and that of its text."""
        return _lines(self._chain.memory.held(_PREFIX, _LISTED), 60)

    async def listing_below(self) -> dict[str, list[str]]:
        """The same for each store below the memory, by its name. Without texts: this is for the log."""
        found = await self._chain.scan_below(_PREFIX, _LISTED)
        return {store: _lines(items, 0) for store, items in found.items()}

    def clear(self) -> int:
        """Forget everything, in all stores. Returns how many findings were in memory."""
        return self._chain.clear(_PREFIX)

    def resize(self, entries: int, size: int) -> None:
        """Change the bounds of the memory, keeping what fits, the most recently used first."""
        self._chain.memory.resize(entries, size)


def in_memory(entries: int, size: int, clock: Callable[[], float] = time.monotonic) -> Descriptions:
    """Descriptions that this process alone keeps, and not beyond its end."""
    return Descriptions(Chain(Memory(entries, size, clock)))


def _name(key: bytes) -> str:
    return _PREFIX + key.hex()


def _written(finding: Finding) -> bytes:
    fields = {"text": finding.text} if isinstance(finding, Description) else {"failure": finding.reason}
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _read(item: Item | None) -> Finding | None:
    """The finding in `item`; `None` if there is none that this version can use: others write into a store, too."""
    try:
        fields = json.loads(item.value) if item else None
    except (ValueError, RecursionError):
        return None
    match fields:
        case {"text": str(text)} if text:
            return Description(text)
        case {"failure": str(reason)} if reason in texts.load("en").image_reasons:
            return Failure(reason)
    return None


def _lines(items: Iterable[tuple[str, Item]], shown: int) -> list[str]:
    """A line each, with `shown` characters of the text."""
    return [f"{name.removeprefix(_PREFIX)[:12]}  {_summary(_read(item), shown)}" for name, item in items]


def _summary(finding: Finding | None, shown: int) -> str:
    match finding:
        case None:
            return "[unreadable]"
        case Failure(reason):
            return f"[{reason}]"
        case Description(text):
            return f"{len(text)} characters" + (f": {text[:shown]!r}" if shown else "")


class CallGone(Exception):
    """A shared call was cancelled from outside, as when the event loop ends."""


class SingleFlight[K: Hashable, T]:
    """Calls with one key at the same time are one call, whose task belongs to none of those who wait.

    One who stops waiting disturbs nobody; when the last one does, the call is cancelled at once. `CancelledError` of
    the shared task reaches no waiter: inside a mitmproxy hook it would hang the client
    (docs/facts/mitmproxy.md#hook-cancelled).
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
