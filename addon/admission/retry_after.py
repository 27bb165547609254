"""An estimate for `Retry-After` where a call finds no slot, from how fast calls have ended lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

SHORTEST, LONGEST = 1.0, 60.0
"""Bounds of an estimate, in seconds. OpenAI's SDKs obey up to 60 and use a short backoff of their own beyond."""

UNKNOWN = 5.0
"""The estimate while too few calls have ended."""

_REMEMBERED = 20


class RetryAfterEstimate:
    """When calls of one account ended lately. `clock`: monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: deque[float] = deque(maxlen=_REMEMBERED)

    def call_ended(self) -> None:
        """A call has ended now."""
        self._ends.append(self._clock())

    def for_calls(self, calls: int) -> float:
        """About how many seconds it takes until `calls` more have ended, within the bounds.

        The time since the last end counts too: a queue that has come to a standstill must not look fast.
        """
        further = len(self._ends) - 1
        if further < 1:
            return UNKNOWN
        apart = (self._clock() - self._ends[0]) / further
        return min(max(calls * apart, SHORTEST), LONGEST)
