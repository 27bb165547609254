"""A circuit for each upstream: calls to an endpoint that is down are refused at once, and clients are told why."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import urlsplit

from ..admission import CallRefused
from ..circuit import Circuit, CircuitPolicy, Permit, Transition
from ..config import values as read
from ..config.option import option
from ..exchange import Response
from ..profiles import Profile
from ..texts.terminal import say
from ..wire import proxy_errors, vendor_errors

MOST_CIRCUITS = 1000
"""Upstreams that are remembered: a client can name ports and paths, and each that fails would be one more."""

logger = logging.getLogger("hunyuan_fix")


@dataclass(frozen=True)
class BreakerSettings:
    """When an endpoint is spared, and for how many seconds. 0 failures: no circuit breaker."""

    breaker_failures: int = option(
        "5",
        "Failures in a row (no connection, timeout, 502, 503, 504) after which an endpoint is not called for a "
        "while; 0: never.",
        read.count(0),
    )
    breaker_seconds: float = option(
        "30", "Seconds for which such an endpoint is not called; then one call probes it.", read.seconds
    )


class CircuitOpen(CallRefused):
    """The endpoint is down and isn't called; perhaps again in `seconds`."""

    def __init__(self, upstream: str, seconds: float) -> None:
        error = proxy_errors.UPSTREAM_DOWN(host=host(upstream), seconds=math.ceil(seconds), retry_after=seconds)
        super().__init__(error.response())
        self.seconds = seconds


def refusal(refused: CallRefused, profile: Profile, upstream: str) -> Response:
    """The answer to a call that was `refused`. For a platform that was shut down a pause would be no explanation."""
    gone = vendor_errors.shut_down(profile, host(upstream)) if isinstance(refused, CircuitOpen) else None
    return gone or refused.response


@dataclass(slots=True)
class BreakerCounts:
    """Since the start: circuits opened (after a failed probe too), circuits closed, calls refused."""

    opened: int = 0
    closed: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The policy now, and the base URLs of the upstreams that are left alone or being probed."""

    failures: int
    seconds: float
    open: tuple[str, ...]


class Breaker:
    """One circuit per upstream, named by its base URL; kept while calls are under way or its last call failed.

    `failures` calls in a row that say `DOWN` open it for `seconds`; 0 failures: it never opens. `clock`: monotonic.
    """

    def __init__(self, failures: int = 0, seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = CircuitPolicy(failures, seconds)
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}
        self.counts = BreakerCounts()

    def configure(self, *, failures: int, seconds: float) -> None:
        """Use these bounds from now on, for circuits that are open too. 0 failures closes all."""
        self._policy = CircuitPolicy(failures, seconds)
        for circuit in self._circuits.values():
            circuit.policy = self._policy
        if not failures:
            self._circuits.clear()

    def look(self, upstream: str) -> None:
        """Raise `CircuitOpen` if no call to `upstream` would get a permit now. Takes none."""
        circuit = self._circuits.get(upstream)
        if circuit is not None and circuit.is_open and (seconds := circuit.blocked_for()):
            self.counts.refused += 1
            raise CircuitOpen(upstream, seconds)

    def permit(self, upstream: str) -> Permit:
        """The permit for one call to `upstream`. Raises `CircuitOpen`."""
        circuit = self._circuits.get(upstream) or self._new(upstream)
        permit = circuit.permit()
        if permit is None:
            self.counts.refused += 1
            raise CircuitOpen(upstream, circuit.blocked_for())
        return permit

    def open(self) -> list[str]:
        """The base URLs of the upstreams that are left alone, those that are being probed too."""
        return [upstream for upstream, circuit in self._circuits.items() if circuit.is_open]

    def state(self) -> BreakerState:
        """The policy and the open circuits now."""
        return BreakerState(self._policy.failures, self._policy.pause, tuple(self.open()))

    def _new(self, upstream: str) -> Circuit:
        if len(self._circuits) >= MOST_CIRCUITS:
            del self._circuits[next(iter(self._circuits))]
        circuit = self._circuits[upstream] = Circuit(self._policy, self._clock, partial(self._ended, upstream))
        return circuit

    def _ended(self, upstream: str, circuit: Circuit, transition: Transition | None) -> None:
        if self._circuits.get(upstream) is not circuit:
            return  # forgotten meanwhile
        if transition is Transition.CLOSED:
            self.counts.closed += 1
            logger.info("%s", say("circuit breaker: {host} answers again", host=host(upstream)))
        elif transition is not None:
            self.counts.opened += 1
            logger.warning(
                "%s",
                say(
                    "circuit breaker: {host} is down and not called for {seconds:g} s",
                    host=host(upstream),
                    seconds=self._policy.pause,
                ),
            )
        if circuit.is_idle:
            del self._circuits[upstream]


@lru_cache(256)
def host(upstream: str) -> str:
    """The host of a base URL: all that logs and clients see of it."""
    try:
        return urlsplit(upstream).hostname or "the endpoint"
    except ValueError:
        return "the endpoint"
