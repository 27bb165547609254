"""What was so in the last minutes, in bounded memory."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

_SLOTS = 30
"""Parts of a window: what is older leaves it by this share at a time."""


class Window:
    """Counts of the last `seconds`, by name. `clock`: monotonic, in seconds.

    Names are few: a profile's, an outcome's. Memory holds them `_SLOTS` times at most.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._width = seconds / _SLOTS
        self._clock = clock
        self._slots: deque[tuple[int, Counter[str]]] = deque(maxlen=_SLOTS)

    def add(self, name: str) -> None:
        """Count one of these now."""
        number = int(self._clock() / self._width)
        if not self._slots or self._slots[-1][0] != number:
            self._slots.append((number, Counter()))
        self._slots[-1][1][name] += 1

    def counts(self) -> Counter[str]:
        """How many of each there were."""
        oldest = int(self._clock() / self._width) - _SLOTS
        found: Counter[str] = Counter()
        for number, counts in self._slots:
            if number > oldest:
                found.update(counts)
        return found


class Growth:
    """How much a number that only grows has grown in the last `seconds`, as far as it was looked at."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        """When, and the number; the first is the last one from before."""

    def of(self, number: int) -> int:
        """The growth, `number` being what it is now. A smaller number than before begins anew."""
        now = self._clock()
        if self._seen and number < self._seen[-1][1]:
            self._seen.clear()
        if not self._seen:
            self._seen.append((now, number))
        if number > self._seen[-1][1]:
            self._seen.append((now, number))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._seconds:
            self._seen.popleft()
        return number - self._seen[0][1]


class Margin:
    """Whether a number is past a bound: from `enter` on, until it is below `leave`. Around one bound it would flap."""

    def __init__(self, enter: float, leave: float) -> None:
        self._enter, self._leave = enter, leave
        self.past = False

    def look(self, value: float) -> bool:
        """Whether it is past the bound, `value` being what it is now."""
        self.past = value >= (self._leave if self.past else self._enter)
        return self.past
