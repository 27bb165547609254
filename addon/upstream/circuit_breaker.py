"""The circuit breaker: an endpoint that is down is spared, and clients are told so at once.

Our own, for want of one that fits: `purgatory` 3.0.1 lets every request through while it is half open, where one probe
is to find out, and its Redis extra pins a client older than the one used here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from ..config import values as read
from ..config.option import option

MOST_CIRCUITS = 1000
"""Upstreams that are remembered: a client can name ports and paths, and each that fails would be one more."""

PROBE_WAIT = 1.0
"""Seconds that a client is told to wait while a probe is under way."""

logger = logging.getLogger("hunyuan_fix")


@dataclass(frozen=True)
class BreakerSettings:
    """When an endpoint is spared, and for how many seconds. 0 failures: no circuit breaker."""

    breaker_failures: int = option(
        "5",
        'Failures in a row of the kind that says "down" after which an endpoint is spared; 0: never.',
        read.count(0),
    )
    breaker_seconds: float = option("30", "Seconds for which it is spared before one call probes it.", read.seconds)


class Verdict(Enum):
    """What a call says about its upstream."""

    UP = auto()
    """It answered, be it with an error of its own."""
    DOWN = auto()
    """DNS, TLS or the connection failed, no answer came in time, or a gateway answered in its place (502, 503, 504)."""
    UNKNOWN = auto()
    """Cancelled, or nothing to conclude."""


class Spared(Exception):
    """The upstream is not called now; perhaps in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


@dataclass(slots=True)
class BreakerCounts:
    """Since the breaker was made: circuits opened (after a failed probe too), circuits closed, calls refused."""

    opened: int = 0
    closed: int = 0
    refused: int = 0


@dataclass(slots=True, eq=False)
class _Circuit:
    """An upstream whose last call failed. `failures`: in a row; `opened`: when, on the clock, `None` while closed."""

    failures: int = 0
    opened: float | None = None
    probe: Permit | None = None


class Permit:
    """Leave to call an upstream once. `end` says what came of it, on every way out."""

    def __init__(self, breaker: Breaker, upstream: str, opened: float | None) -> None:
        self._breaker = breaker
        self.upstream = upstream
        self.opened = opened
        """When the circuit was opened that this permit probes; `None` for an ordinary call."""
        self._ended = False

    def end(self, verdict: Verdict) -> None:
        """Tell the breaker. The first word counts; raises nothing."""
        if not self._ended:
            self._ended = True
            self._breaker.hear(self, verdict)


class Breaker:
    """One circuit for each upstream, named by its base URL.

    After `failures` calls in a row that say `DOWN` it opens: for `seconds` nobody gets a permit. Then one call at a
    time probes: `UP` closes the circuit, `DOWN` opens it again, `UNKNOWN` leaves the probe to the next call. While it
    is open, calls from before say nothing any more. 0 failures: always closed. `clock` gives seconds that only grow.
    """

    def __init__(self, failures: int = 0, seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._seconds = seconds
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}
        self.counts = BreakerCounts()

    def configure(self, *, failures: int, seconds: float) -> None:
        """Use these bounds from now on, for circuits that are open too. With 0 failures all is forgotten."""
        self._failures, self._seconds = failures, seconds
        if not failures:
            self._circuits.clear()

    @property
    def bounds(self) -> tuple[int, float]:
        """Failures in a row that open a circuit, and seconds that it stays open."""
        return self._failures, self._seconds

    def look(self, upstream: str) -> None:
        """Raise `Spared` if no call to `upstream` would get a permit now. Takes none."""
        circuit = self._circuits.get(upstream)
        if circuit is None or circuit.opened is None:
            return
        left = circuit.opened + self._seconds - self._clock()
        if left > 0 or circuit.probe is not None:
            self.counts.refused += 1
            raise Spared(max(left, PROBE_WAIT))

    def permit(self, upstream: str) -> Permit:
        """Leave for one call to `upstream`. Raises `Spared`."""
        self.look(upstream)
        circuit = self._circuits.get(upstream)
        permit = Permit(self, upstream, circuit.opened if circuit else None)
        if circuit is not None and circuit.opened is not None:
            circuit.probe = permit
        return permit

    def open(self) -> list[str]:
        """The base URLs of the upstreams that are spared, those that are being probed too."""
        return [upstream for upstream, circuit in self._circuits.items() if circuit.opened is not None]

    def hear(self, permit: Permit, verdict: Verdict) -> None:
        """What came of the call with `permit`; `Permit.end` calls this once."""
        circuit = self._circuits.get(permit.upstream)
        if circuit is not None and circuit.opened is not None:
            if circuit.probe is permit:
                circuit.probe = None
                self._probed(permit.upstream, circuit, verdict)
        elif permit.opened is None:
            self._called(permit.upstream, circuit, verdict)

    def _called(self, upstream: str, circuit: _Circuit | None, verdict: Verdict) -> None:
        if verdict is Verdict.UP:
            self._circuits.pop(upstream, None)
        elif verdict is Verdict.DOWN and self._failures:
            circuit = circuit or self._new(upstream)
            circuit.failures += 1
            if circuit.failures >= self._failures:
                self._open(upstream, circuit)

    def _probed(self, upstream: str, circuit: _Circuit, verdict: Verdict) -> None:
        if verdict is Verdict.UP:
            del self._circuits[upstream]
            self.counts.closed += 1
            logger.info("circuit breaker: %s answers again", host(upstream))
        elif verdict is Verdict.DOWN:
            self._open(upstream, circuit)

    def _open(self, upstream: str, circuit: _Circuit) -> None:
        circuit.opened = self._clock()
        self.counts.opened += 1
        logger.warning("circuit breaker: %s is down and spared for %g s", host(upstream), self._seconds)

    def _new(self, upstream: str) -> _Circuit:
        if len(self._circuits) >= MOST_CIRCUITS:
            del self._circuits[next(iter(self._circuits))]
        circuit = self._circuits[upstream] = _Circuit()
        return circuit


def host(upstream: str) -> str:
    """The host of a base URL: what logs and clients are shown of it."""
    try:
        return urlsplit(upstream).hostname or "the endpoint"
    except ValueError:
        return "the endpoint"
