"""How late the event loop is: what blocks it keeps every client waiting.

A timer asks to be called every `EVERY` seconds; the lag is how much later it is. A callback that blocks for three
seconds makes a lag of about three seconds, seen once it is over.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

EVERY = 0.25
REMEMBERED = 60.0
"""Seconds for which `largest` remembers."""


class LoopLag:
    """Measures the lag of the running event loop. `on_lag` gets each measured one, in seconds."""

    def __init__(
        self, on_lag: Callable[[float], None] = lambda _: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._on_lag = on_lag
        self._clock = clock
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._largest: deque[tuple[float, float]] = deque()
        """When, and how much: each smaller than the one before it, so that the first is the largest."""

    def start(self) -> None:
        """Measure from now on. Needs a running event loop. Idempotent."""
        if self._timer is None:
            self._again(asyncio.get_running_loop())

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def largest(self) -> float:
        """The largest lag of the last minute, in seconds; 0 before the first."""
        self._forget()
        return self._largest[0][1] if self._largest else 0.0

    def note(self, lag: float) -> None:
        """Take in a measured lag."""
        self._on_lag(lag)
        while self._largest and self._largest[-1][1] <= lag:
            self._largest.pop()
        self._largest.append((self._clock(), lag))
        self._forget()

    def _forget(self) -> None:
        oldest = self._clock() - REMEMBERED
        while self._largest and self._largest[0][0] < oldest:
            self._largest.popleft()

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = self._clock() + EVERY
        self._timer = loop.call_later(EVERY, self._rang, loop)

    def _rang(self, loop: asyncio.AbstractEventLoop) -> None:
        lag = self._clock() - self._due
        self._again(loop)
        self.note(max(0.0, lag))
