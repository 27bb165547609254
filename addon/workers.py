"""Threads for work that would keep other clients waiting: few of them, and the costly work in a lane of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

LIGHT = 512 * 1024
"""From this cost on work leaves the event loop: some milliseconds, 20 at most. Costs are in bytes of JSON, or
what is like them."""
HEAVY = 4 * 2**20
"""From this cost on work runs in the lane of the costly, behind others of its kind."""
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
        """What `work` returns or raises. It is given a `Checkpoint`.

        Cancelled, work that hasn't begun never does, and work under way ends at its next checkpoint. Raises
        `RuntimeError` for costly work after `close`.
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
        """Take no more work; what waits never begins, what is under way ends at its next checkpoint."""
        self._closed.set()
        for lane in (self._light, self._heavy):
            lane.shutdown(wait=False, cancel_futures=True)


def _go_on() -> None:
    """The checkpoint of work on the event loop, which can't be abandoned."""
