"""One store below the memory: bypassed when it fails, read within the budget, written in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ..texts.terminal import say
from .backlog import Backlog, Clear, Delete, Put, Write
from .guard import BUDGET, Bypassed, Kind, StoreGuard
from .store import Item, Store, StoreError

PATIENCE = 30.0
"""Seconds for operations that no request waits for: a list for display, clearing."""
CLOSING = 1.0
"""Seconds that a store may take to close."""
_PROBED = "probe"
"""A key that nothing has."""

logger = logging.getLogger("hunyuan_fix")


@dataclass(frozen=True, slots=True)
class LevelCounts:
    """Counts of one store, since it was opened."""

    name: str
    hits: int
    misses: int
    bypassed: int = 0
    """Operations that were not tried, because the store was failing."""
    failures: int = 0
    dropped: int = 0
    """Writes given up."""
    waiting: int = 0
    """Writes still to be made."""
    failing: bool = False
    why: str = ""
    """Why it is failing."""


class Level:
    """`store`, used so that no request fails or waits longer than `BUDGET` because of it.

    Writing returns at once; a task does it, in order. `clock`: monotonic, in seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self.name = store.name
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._guard = StoreGuard(store.name, clock)
        self._backlog = Backlog()
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._hits = self._misses = 0

    @property
    def failing(self) -> bool:
        """Whether the store is failing: it is bypassed for a while."""
        return self._guard.failing

    @property
    def writing(self) -> asyncio.Task[None] | None:
        """The task that makes the waiting writes; `None` if nothing waits, or the store is failing."""
        busy = self._writer is not None and not self._writer.done() and not self.failing
        return self._writer if busy else None

    async def get(self, key: str) -> Item | None:
        """The value of `key`, from the waiting writes or the store; `None` also if the store is bypassed."""
        waiting = self._backlog.concerning(key)
        if waiting is not None:
            item = self._unwritten(waiting)
        else:
            try:
                item = await self._ask("reading", partial(self._store.get, key), BUDGET)
            except Bypassed:
                return None
        if item is None:
            self._misses += 1
        else:
            self._hits += 1
        return item

    async def scan(self, prefix: str, limit: int) -> list[tuple[str, Item]]:
        """As `Store.scan`, without waiting writes; empty if the store is bypassed."""
        with suppress(Bypassed):
            return await self._ask("reading", partial(self._store.scan, prefix, limit), PATIENCE)
        return []

    async def probe(self) -> None:
        """Read once from a store that fails, if its pause is over: without a request nothing else would notice that it
        works again. A failed write waits, and is tried again by itself."""
        if self.failing and not self._guard.wait("reading"):
            with suppress(Bypassed):
                await self._ask("reading", partial(self._store.get, _PROBED), BUDGET)

    def put(self, key: str, value: bytes, lasts: float | None) -> None:
        """Write `value` soon, with the time that is left of `lasts` by then."""
        self._later(Put(key, value, None if lasts is None else self._clock() + lasts))

    def delete(self, key: str) -> None:
        """Forget `key` soon. `get` doesn't find it from now on."""
        self._later(Delete(key))

    def clear(self, prefix: str) -> None:
        """Forget all keys that start with `prefix` soon, for `get` at once. The log says how many there were."""
        self._later(Clear(prefix))

    async def flush(self, patience: float) -> None:
        """Make the waiting writes, also in a pause after a failure. Ends when the store fails or after `patience` s."""
        await self._stop_writer()  # it may be asleep for long
        with suppress(TimeoutError):
            async with asyncio.timeout(patience), self._writing:
                self._guard.end_wait("writing")
                await self._write_all()
        self._wake_writer()

    async def aclose(self) -> None:
        """Close the store. Writes that still wait are lost, counted and logged."""
        self._closed = True
        await self._stop_writer()
        if lost := self._backlog.abandon():
            logger.warning(
                "%s",
                say(
                    "Store {store}: {count} writes were still waiting at its end and are lost.",
                    store=self.name,
                    count=lost,
                ),
            )
        try:
            async with asyncio.timeout(CLOSING):
                await self._store.aclose()
        except Exception as error:
            why = str(error) if isinstance(error, StoreError) else type(error).__qualname__
            logger.warning("%s", say("Store {store} could not be closed in order: {why}", store=self.name, why=why))

    def counts(self) -> LevelCounts:
        """Since the start."""
        return LevelCounts(
            self.name,
            self._hits,
            self._misses,
            bypassed=self._guard.bypassed,
            failures=self._guard.failures,
            dropped=self._backlog.dropped,
            waiting=len(self._backlog),
            failing=self._guard.failing,
            why=self._guard.why,
        )

    def _unwritten(self, waiting: Write) -> Item | None:
        if not isinstance(waiting, Put):
            return None
        lasts = self._left(waiting)
        return Item(waiting.value, lasts) if lasts is None or lasts > 0 else None

    def _left(self, put: Put) -> float | None:
        return None if put.expires is None else put.expires - self._clock()

    async def _ask[T](self, kind: Kind, work: Callable[[], Awaitable[T]], budget: float) -> T:
        if self._closed:
            raise Bypassed
        return await self._guard.run(kind, work, budget)

    def _later(self, write: Write) -> None:
        if self._closed:
            return
        self._backlog.add(write)
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._backlog and (self._writer is None or self._writer.done()):
            self._writer = asyncio.create_task(self._write_behind(), name=f"hunyuan-fix writes to {self.name}")

    async def _stop_writer(self) -> None:
        """Cancel the writing task. The write that it was making waits again."""
        if self._writer is not None and not self._writer.done():
            self._writer.cancel()
            await asyncio.wait({self._writer})

    async def _write_behind(self) -> None:
        while self._backlog:
            if pause := self._guard.wait("writing"):
                await self._sleep(pause)
            async with self._writing:
                await self._write_all()

    async def _write_all(self) -> None:
        """Write until nothing waits or the store fails."""
        with suppress(Bypassed):
            while write := self._backlog.first():
                budget = PATIENCE if isinstance(write, Clear) else BUDGET
                await self._ask("writing", partial(self._write, write), budget)
                self._backlog.done(write)

    async def _write(self, write: Write) -> None:
        match write:
            case Put(key, value):
                lasts = self._left(write)
                if lasts is None or lasts > 0:
                    await self._store.put(key, value, lasts)
            case Delete(key):
                await self._store.delete(key)
            case Clear(prefix):
                count = await self._store.clear(prefix)
                logger.info("%s", say("Store {store}: {count} entries forgotten.", store=self.name, count=count))
