"""When a worker that has ended by itself is started again. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 0.5
LONGEST = 30.0
"""Seconds before a worker is started again: the first time, and at most."""
STEADY = 60.0
"""Seconds that a worker must have served for its end to count as the first one."""
HOPELESS = 8
"""Starts of one worker that have failed one after another, from which on it is given up if no other one serves."""


@dataclass(slots=True)
class Restarts:
    """The ends of one worker."""

    failures: int = 0
    """Ends one after another, each soon after its start."""

    def pause(self, served: float) -> float:
        """Seconds to wait before the next start, after one that has served clients for `served` seconds."""
        self.failures = 1 if served >= STEADY else self.failures + 1
        return min(LONGEST, FIRST * 2.0 ** min(self.failures - 1, 10))

    @property
    def is_hopeless(self) -> bool:
        """Whether it has failed so often that nothing but a change of its settings will help."""
        return self.failures >= HOPELESS
