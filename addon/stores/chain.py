"""Memory, and the stores below it. A value that is found in a lower store is copied into those above it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from .guard import BUDGET
from .level import Level, LevelCounts
from .memory import Memory
from .store import Item, Store

PATIENCE = 5.0
"""Seconds that `flush` may take."""


class Chain:
    """`memory`, then `levels`, the nearest first. No failure of a store raises anything here.

    A request waits at most `guard.BUDGET` seconds per level, and not for one that is failing. `clock` (monotonic, in
    seconds) and `sleep` time the next try of a store that failed.
    """

    def __init__(
        self,
        memory: Memory,
        levels: Iterable[Store] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.memory = memory
        self._clock = clock
        self._sleep = sleep
        self._levels = self._opened(levels)
        self._retiring: set[asyncio.Task[None]] = set()
        self._forgotten = 0
        """The number of deletions. A value that was being read from below during one must not be put back above."""
        self._hits = self._misses = 0

    def at_hand(self, key: str) -> Item | None:
        """The value of `key` if the memory has it. Counts hits only: after a miss, `get` follows and counts that."""
        item = self.memory.find(key)
        if item is not None:
            self._hits += 1
        return item

    async def get(self, key: str) -> Item | None:
        """The value of `key` from the first level that has one; those above it get it, with the time that is left."""
        if item := self.at_hand(key):
            return item
        self._misses += 1
        forgotten = self._forgotten
        above: list[Level] = []
        for level in self._levels:
            if item := await level.get(key):
                if forgotten == self._forgotten:
                    self._lift(key, item, above)
                return item
            above.append(level)
        return None

    async def fresh(self, key: str) -> Item | None:
        """As `get`, of a value that other processes change or delete: the lowest level decides that doesn't fail.

        The memory is asked where there is no such level.
        """
        for level in reversed(self._levels):
            item = await level.get(key)
            if item is None and level.failing:
                continue
            if item is None:
                self.memory.drop(key)
            else:
                self.memory.keep(key, item.value, item.lasts)
            return item
        return self.at_hand(key)

    def put(self, key: str, value: bytes, lasts: float | None = None) -> None:
        """Keep `value` for `lasts` seconds: in memory at once, in the levels below soon."""
        self.memory.keep(key, value, lasts)
        for level in self._levels:
            level.put(key, value, lasts)

    def delete(self, key: str) -> None:
        """Forget `key`. No `get` finds it from now on; the levels below delete it soon."""
        self._forgotten += 1
        self.memory.drop(key)
        for level in self._levels:
            level.delete(key)

    def drop(self, key: str) -> None:
        """Forget `key` in memory alone: another process may have put a newer value into the levels below."""
        self._forgotten += 1
        self.memory.drop(key)

    def clear(self, prefix: str) -> int:
        """Forget all keys that start with `prefix`, as `delete` does. Returns how many were in memory."""
        self._forgotten += 1
        for level in self._levels:
            level.clear(prefix)
        return self.memory.forget(prefix)

    async def scan_below(self, prefix: str, limit: int) -> dict[str, list[tuple[str, Item]]]:
        """For display: the entries of each level below the memory, by its name. See `Store.scan`."""
        return {level.name: await level.scan(prefix, limit) for level in self._levels}

    async def probe(self, name: str) -> None:
        """Let the levels `name` that fail find out whether they work again (`Level.probe`)."""
        for level in self._levels:
            if level.name == name:
                await level.probe()

    def replace(self, levels: Iterable[Store]) -> None:
        """Use other stores below the memory from now on. Tasks flush and close the old ones."""
        old, self._levels = self._levels, self._opened(levels)
        for level in old:
            task = asyncio.create_task(_retire(level), name=f"hunyuan-fix closes {level.name}")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def written(self) -> None:
        """Wait until the stores have what waits, so that other processes find it: at most `guard.BUDGET` seconds."""
        writing = [task for level in self._levels if (task := level.writing) is not None]
        if writing:
            await asyncio.wait(writing, timeout=BUDGET)

    async def flush(self) -> None:
        """Make the waiting writes of all levels, within `PATIENCE` seconds. A level that fails stops there."""
        await asyncio.gather(*(level.flush(PATIENCE) for level in self._levels))

    async def aclose(self) -> None:
        """Flush and close all levels, also those that `replace` is still closing."""
        self.replace(())
        if self._retiring:
            await asyncio.wait(self._retiring)

    def counts(self) -> list[LevelCounts]:
        """The counts of each level: of the memory since the start, of those below since they were opened."""
        return [LevelCounts("memory", self._hits, self._misses), *(level.counts() for level in self._levels)]

    def _opened(self, stores: Iterable[Store]) -> list[Level]:
        return [Level(store, self._clock, self._sleep) for store in stores]

    def _lift(self, key: str, item: Item, above: Iterable[Level]) -> None:
        if self.memory.find(key) is None:  # else a newer value was put there meanwhile
            self.memory.keep(key, item.value, item.lasts)
            for level in above:
                level.put(key, item.value, item.lasts)


async def _retire(level: Level) -> None:
    await level.flush(PATIENCE)
    await level.aclose()
