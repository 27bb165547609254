"""How fast a queue moves: what `Retry-After` is estimated from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

SHORTEST, LONGEST = 1.0, 60.0
"""Bounds of an estimate, in seconds. OpenAI's SDKs obey up to 60 and use a short backoff of their own beyond."""

UNKNOWN = 5.0
"""The estimate while too few calls have ended to tell."""

_REMEMBERED = 20


class Pace:
    """When calls of one account ended lately. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: deque[float] = deque(maxlen=_REMEMBERED)

    def ended(self) -> None:
        """A call has ended just now."""
        self._ends.append(self._clock())

    def seconds(self, calls: int) -> float:
        """About how long it takes until `calls` more have ended, within bounds.

        The time since the last end counts too: a queue that has come to a standstill must not look fast.
        """
        further = len(self._ends) - 1
        if further < 1:
            return UNKNOWN
        apart = (self._clock() - self._ends[0]) / further
        return min(max(calls * apart, SHORTEST), LONGEST)
