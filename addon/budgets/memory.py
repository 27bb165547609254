"""Counters of budgets in this process's memory: where no store can be had, or none answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from .counters import MOST, Answer, Claim, Settlement, Standing, fits

MOST_COUNTERS: Final = 100_000
"""Of more the one that was used longest ago goes first: a client may name any number of sessions."""


@dataclass(slots=True)
class _Counter:
    spent: int = 0
    ends: float = 0.0
    held: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Reservation -> its amount, and until when it lasts."""


class MemoryCounters:
    """As `Counters`; lost with the process. `clock`: Unix time."""

    name = "memory"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counters: dict[str, _Counter] = {}

    def learn(self, key: str, spent: int, ends: float) -> None:
        """What is spent of the counter `key`, as a store says that may not answer the next time."""
        counter = self._counter(key, ends)
        counter.spent = max(counter.spent, spent)

    async def reserve(self, id: str, claims: Sequence[Claim], lasts: float) -> Answer:
        """See `Counters`."""
        now = self._clock()
        counters = [self._counter(claim.key, claim.ends) for claim in claims]
        standings = [_standing(counter, now, id) for counter in counters]
        if not all(map(fits, claims, standings)):
            return Answer(standings, is_taken=False)
        for claim, counter in zip(claims, counters, strict=True):
            counter.held[id] = (claim.amount, now + lasts)
        return Answer(standings, is_taken=True)

    async def renew(self, held: Mapping[str, Sequence[str]], lasts: float) -> None:
        """See `Counters`."""
        until = self._clock() + lasts
        for id, keys in held.items():
            for key in keys:
                held_of = self._counters[key].held if key in self._counters else {}
                if id in held_of:
                    held_of[id] = (held_of[id][0], until)

    async def settle(self, settlement: Settlement) -> None:
        """See `Counters`. It is never told twice of the same: nothing here fails half done."""
        for key, (amount, ends) in settlement.spent.items():
            self.spend(key, amount, ends)
        for id, keys in settlement.released.items():
            self.release(id, keys)

    def spend(self, key: str, amount: int, ends: float) -> None:
        """Add to a counter."""
        counter = self._counter(key, ends)
        counter.spent = min(counter.spent + amount, MOST)

    def release(self, id: str, keys: Sequence[str]) -> None:
        """End a reservation."""
        for key in keys:
            if key in self._counters:
                self._counters[key].held.pop(id, None)

    async def look(self, keys: Sequence[str]) -> Sequence[Standing]:
        """See `Counters`."""
        now = self._clock()
        return [_standing(self._counters.get(key) or _Counter(), now) for key in keys]

    async def aclose(self) -> None:
        """See `Counters`."""

    def _counter(self, key: str, ends: float) -> _Counter:
        counter = self._counters.pop(key, None) or _Counter()
        counter.ends = ends
        self._counters[key] = counter  # the last one now
        if len(self._counters) > MOST_COUNTERS:
            self._forget()
        return counter

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, counter in self._counters.items() if counter.ends <= now]:
            del self._counters[key]
        while len(self._counters) > MOST_COUNTERS:
            del self._counters[next(iter(self._counters))]


def _standing(counter: _Counter, now: float, but: str = "") -> Standing:
    gone = [id for id, (_, until) in counter.held.items() if until <= now]
    for id in gone:
        del counter.held[id]
    return Standing(counter.spent, sum(amount for id, (amount, _) in counter.held.items() if id != but))
