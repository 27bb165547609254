"""The gate that every call to an endpoint passes: its circuit breaker, then a slot of its account."""

from __future__ import annotations

import math

from ..admission import Account, Admission, NotAdmitted, Slot
from ..exchange import Response
from ..wire import proxy_errors
from .circuit_breaker import Breaker, Permit, Spared, Verdict, host

__all__ = ["Gate", "Passage", "TurnedAway", "Verdict"]


class TurnedAway(Exception):
    """No call now. `refusal`: what the client gets, with `Retry-After`.

    `spared`: seconds for which the breaker still spares the endpoint; `None`: the queue is too long.
    """

    def __init__(self, refusal: Response, spared: float | None = None) -> None:
        super().__init__()
        self.refusal = refusal
        self.spared = spared


class Passage:
    """A call under way: a slot taken and the breaker's permit."""

    def __init__(self, slot: Slot, permit: Permit) -> None:
        self._slot = slot
        self._permit = permit

    def tell(self, verdict: Verdict) -> None:
        """Tell the breaker as soon as it is known; the slot is kept. A stream that probes may go on for minutes."""
        self._permit.end(verdict)

    def leave(self, verdict: Verdict) -> None:
        """Give the slot back and tell the breaker, on every way out. The first verdict counts; raises nothing."""
        self._slot.release()
        self._permit.end(verdict)


class Gate:
    """Admission and breaker. Nobody waits in the queue of an endpoint that is spared."""

    def __init__(self, admission: Admission, breaker: Breaker) -> None:
        self._admission = admission
        self._breaker = breaker

    async def enter(self, upstream: str, account: Account, *, until: float, ahead: bool = False) -> Passage:
        """Leave for one call to the base URL `upstream`, once a slot of `account` is free. Raises `TurnedAway`.

        `until`: when, on the admission's clock, the wait ends; `ahead`: before those who came in the meantime. The
        permit is taken last and without a wait after it, so a caller who leaves the queue holds up no probe.
        """
        try:
            self._breaker.look(upstream)
            slot = await self._admission.admit(account, until=until, ahead=ahead)
            try:
                return Passage(slot, self._breaker.permit(upstream))
            except Spared:  # opened during the wait
                slot.release()
                raise
        except NotAdmitted as refused:
            raise TurnedAway(refused.refusal) from None
        except Spared as spared:
            raise TurnedAway(_spared(upstream, spared.seconds), spared.seconds) from None


def _spared(upstream: str, seconds: float) -> Response:
    seconds_left = math.ceil(seconds)
    return proxy_errors.UPSTREAM_DOWN(host=host(upstream), seconds=seconds_left, retry_after=seconds).response()
