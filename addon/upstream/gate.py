"""The gate that every call to an endpoint passes: its circuit breaker, then a slot of its account."""

from __future__ import annotations

from ..admission import Account, Admission, CallRefused, Slot
from ..circuit import Permit, Verdict
from ..exchange import Exchange
from .circuit_breaker import Breaker, CircuitOpen

__all__ = ["CallPermit", "CallRefused", "CircuitOpen", "Gate", "Verdict"]


class CallPermit:
    """A call under way: its slot and the breaker's permit."""

    __slots__ = ("_permit", "_slot")

    def __init__(self, slot: Slot, permit: Permit) -> None:
        self._slot = slot
        self._permit = permit

    def tell(self, verdict: Verdict) -> None:
        """Tell the breaker as soon as the verdict is known; the slot is kept. A stream may go on for minutes."""
        self._permit.end(verdict)

    def leave(self, verdict: Verdict) -> None:
        """Give the slot back and tell the breaker, on every way out. The first verdict counts; raises nothing."""
        self._slot.release()
        self._permit.end(verdict)


class Gate:
    """Admission and breaker. No call waits in the queue of an endpoint that is down."""

    def __init__(self, admission: Admission, breaker: Breaker) -> None:
        self._admission = admission
        self._breaker = breaker

    async def enter(
        self, upstream: str, account: Account, *, until: float, ahead: bool = False, exchange: Exchange | None = None
    ) -> CallPermit:
        """The permit for one call to the base URL `upstream`, once a slot of `account` is free. Raises `CallRefused`.

        `until`: when, on the admission's clock, the wait ends; `ahead`: before calls that came in the meantime;
        `exchange`: whose call it is. The
        permit is taken last and without a wait after it, so a call that leaves the queue holds up no probe.
        """
        self._breaker.look(upstream)
        slot = await self._admission.admit(account, until=until, ahead=ahead, exchange=exchange)
        try:
            return CallPermit(slot, self._breaker.permit(upstream))
        except CircuitOpen:  # opened during the wait
            slot.release()
            raise
