"""Threads for work that would keep other clients waiting: two lanes, so that costly work doesn't delay the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

LIGHT = 512 * 1024
"""The cost from which on work leaves the event loop; less takes some milliseconds, 20 at most. A cost is a number of
bytes of JSON, or for other work the number that would take as long."""
HEAVY = 4 * 2**20
"""The cost from which on work runs in the lane for costly work."""
THREADS = 2
"""Threads of each lane. They share the GIL, so more would finish nothing earlier."""

type Checkpoint = Callable[[], None]
"""To be called between two bounded pieces of work; raises `Abandoned` when the result isn't needed any more."""


class Abandoned(Exception):
    """The result of this work isn't needed any more."""


class Workers:
    """Runs work on the event loop or in one of two lanes of threads, by what it costs."""

    def __init__(self) -> None:
        self._light = ThreadPoolExecutor(THREADS, thread_name_prefix="hunyuan-fix-light")
        self._heavy = ThreadPoolExecutor(THREADS, thread_name_prefix="hunyuan-fix-heavy")
        self._closed = Event()

    async def run[T](self, work: Callable[[Checkpoint], T], cost: int) -> T:
        """Run `work`, which is given a `Checkpoint`; returns or raises what it does.

        If this is cancelled, work that hasn't begun never begins, and work under way ends at its next checkpoint.
        Raises `RuntimeError` for work of `LIGHT` cost or more after `close`.
        """
        if cost < LIGHT:
            return work(_go_on)
        gone = Event()

        def checkpoint() -> None:
            if gone.is_set() or self._closed.is_set():
                raise Abandoned

        lane = self._light if cost < HEAVY else self._heavy
        try:
            return await asyncio.get_running_loop().run_in_executor(lane, work, checkpoint)
        finally:
            gone.set()

    def close(self) -> None:
        """Take no more work. Waiting work never begins; work under way ends at its next checkpoint."""
        self._closed.set()
        for lane in (self._light, self._heavy):
            lane.shutdown(wait=False, cancel_futures=True)


def _go_on() -> None:
    """The checkpoint of work on the event loop, which can't be abandoned."""
