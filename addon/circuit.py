"""A circuit breaker: calls to what keeps failing pause for a while, then one call probes whether it works again.

- Closed: every call gets a permit. `failures` failures in a row open the circuit.
- Open: no call gets one for `pause` seconds.
- Probing: after the pause one call at a time gets one. `UP` closes the circuit; `DOWN` opens it again, for twice as
  long each time where there is a `longest_pause`; `UNKNOWN` leaves the probe to the next call.

A call from before the circuit opened says nothing about it any more: its end is ignored while the circuit is open.

Not a package: `purgatory` 3.0.1 lets every call through while it probes, and its Redis extra pins a client older than
the one used here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

PROBE_WAIT = 1.0
"""Estimated seconds until a probe under way ends."""

_MOST_DOUBLINGS = 16


class Verdict(Enum):
    """What the end of a call says about what was called."""

    UP = auto()
    """It answered, even if with an error of its own."""
    DOWN = auto()
    """It can't be reached, or doesn't answer."""
    UNKNOWN = auto()
    """Cancelled, or nothing to conclude."""


class Transition(Enum):
    """What the end of a call did to a circuit."""

    OPENED = auto()
    REOPENED = auto()
    """A probe failed."""
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """When a circuit opens, and for how long."""

    failures: int
    """In a row. 0: it never opens."""
    pause: float
    """Seconds."""
    longest_pause: float = 0.0
    """Seconds up to which the pause doubles with each probe that fails; 0: it stays the same."""


class Permit:
    """Permission for one call. `end` must be called on every way out of the call."""

    __slots__ = ("_circuit",)

    def __init__(self, circuit: Circuit) -> None:
        self._circuit: Circuit | None = circuit

    def end(self, verdict: Verdict) -> None:
        """Tell the circuit how the call ended. Only the first verdict counts. Raises nothing."""
        circuit, self._circuit = self._circuit, None
        if circuit is not None:
            circuit.hear(self, verdict)


class Circuit:
    """One circuit. `on_end` is called at each call's end with what that changed. `clock`: monotonic, in seconds."""

    def __init__(
        self,
        policy: CircuitPolicy,
        clock: Callable[[], float] = time.monotonic,
        on_end: Callable[[Circuit, Transition | None], None] = lambda _circuit, _transition: None,
    ) -> None:
        self.policy = policy
        """May be replaced at any time, and holds for the pause under way too."""
        self._clock = clock
        self._on_end = on_end
        self._failures = 0
        self._opened: float | None = None
        self._doublings = 0
        self._probe: Permit | None = None
        self._under_way = 0

    @property
    def is_open(self) -> bool:
        """Open or probing."""
        return self._opened is not None

    @property
    def is_idle(self) -> bool:
        """No call is under way and the last one didn't fail: a new circuit would be the same."""
        return not (self._under_way or self._failures or self.is_open)

    def pause_left(self) -> float:
        """Seconds until a call may probe; 0: now, or the circuit is closed."""
        if self._opened is None:
            return 0.0
        longest = max(self.policy.pause, self.policy.longest_pause)
        pause = min(self.policy.pause * 2.0**self._doublings, longest)
        return max(0.0, self._opened + pause - self._clock())

    def blocked_for(self) -> float:
        """About how many seconds no call gets a permit; 0: the next one does."""
        left = self.pause_left()
        return max(left, PROBE_WAIT) if left or self._probe is not None else 0.0

    def permit(self) -> Permit | None:
        """A permit for one call, which must be ended; `None` while the circuit is open or a probe is under way."""
        if self.blocked_for():
            return None
        permit = Permit(self)
        if self.is_open:
            self._probe = permit
        self._under_way += 1
        return permit

    def end_pause(self) -> None:
        """Let the next call probe now, whatever is left of the pause."""
        if self._opened is not None:
            self._opened = float("-inf")

    def hear(self, permit: Permit, verdict: Verdict) -> None:
        """The end of the call with `permit`; `Permit.end` calls this, once."""
        self._under_way -= 1
        transition: Transition | None = None
        if permit is self._probe:
            self._probe = None
            if verdict is Verdict.UP:
                self._failures, self._opened, self._doublings = 0, None, 0
                transition = Transition.CLOSED
            elif verdict is Verdict.DOWN:
                self._opened = self._clock()
                self._doublings = min(self._doublings + 1, _MOST_DOUBLINGS)
                transition = Transition.REOPENED
        elif not self.is_open:
            if verdict is Verdict.UP:
                self._failures = 0
            elif verdict is Verdict.DOWN and self.policy.failures:
                self._failures += 1
                if self._failures >= self.policy.failures:
                    self._opened = self._clock()
                    transition = Transition.OPENED
        self._on_end(self, transition)
