"""The fair queue of one account: first come, first served.

A slot that comes back goes straight to the first waiter: it is never free for a moment in which a new call could take
it. Every change (a slot comes back, the limit is raised, a waiter leaves) calls `advance`, which lets in the waiters
for which there is room by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from .. import events
from ..exchange import Exchange
from .accounts import Account
from .leases import Lease, Leases
from .retry_after import RetryAfterEstimate


class Slot:
    """The right to have one call under way. `waited`: the seconds it took to get it, `since`: when that was."""

    __slots__ = ("_held", "_queue", "exchange", "since", "waited")

    def __init__(
        self, queue: Queue, held: tuple[Leases, Lease] | None, waited: float, since: float, exchange: Exchange | None
    ) -> None:
        self._queue: Queue | None = queue
        self._held = held
        self.waited = waited
        self.since = since
        self.exchange = exchange

    def release(self) -> None:
        """Give it back: the first waiter has it at once. Idempotent, never raises, needs no await."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.take_back(self, self._held)


@dataclass(frozen=True, slots=True)
class QueueState:
    """One account now: calls under way, their limit (0: any number), calls waiting."""

    account: str
    limit: int
    under_way: int
    waiting: int


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A call that has a slot or waits for one, for a person who looks."""

    account: str
    exchange: Exchange | None
    """Whose call it is; `None`: not known."""
    has_slot: bool
    seconds: float
    """Since it has its slot, or waits for one."""


@dataclass(slots=True, eq=False)
class _Waiter:
    answer: asyncio.Future[Slot | None]
    """`None`: it has waited long enough."""
    since: float
    exchange: Exchange | None


type _WaitingList = dict[_Waiter, None]
"""In order. A dict, so that a waiter leaves from the middle without a search."""


class Queue:
    """The calls of one account, under way and waiting.

    `forget` is called when there are none of either. `clock`: monotonic, in seconds. `leases`, if any, make the limit
    hold over several workers, in addition to this process's own count.
    """

    def __init__(
        self,
        account: Account,
        leases: Leases | None,
        *,
        forget: Callable[[Queue], None],
        clock: Callable[[], float],
    ) -> None:
        self.name = account.name
        self.limit = account.limit
        self.leases = leases
        self.retry_after = RetryAfterEstimate(clock)
        self._forget = forget
        self._clock = clock
        self._slots: dict[Slot, None] = {}
        """Those that are taken, in the order in which they were."""
        self._ahead: _WaitingList = {}
        self._new: _WaitingList = {}
        self._drawing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def state(self) -> QueueState:
        """The account now."""
        return QueueState(self.name, self.limit, self._under_way, self.waiting)

    def calls(self) -> list[QueuedCall]:
        """The account's calls now: those with a slot, then those that wait, each in their order."""
        now = self._clock()
        taken = [QueuedCall(self.name, slot.exchange, True, now - slot.since) for slot in self._slots]
        waiters = [*self._ahead, *self._new]
        return taken + [QueuedCall(self.name, waiter.exchange, False, now - waiter.since) for waiter in waiters]

    @property
    def _under_way(self) -> int:
        return len(self._slots)

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return len(self._ahead) + len(self._new)

    def is_full(self, most: int) -> bool:
        """Whether one more new call would have to wait behind `most` others.

        With leases, new calls for which this process has room only wait for Redis: they don't count. Nor do those that
        go ahead: they belong to requests that were let in already, and what was paid for these would be lost.
        """
        return self.limit > 0 and len(self._new) >= most + max(0, self.limit - self._under_way)

    def slot_now(self, exchange: Exchange | None) -> Slot | None:
        """A slot, if there is room, no call waits and no lease is needed: without a future, a timer or an await."""
        if not self._has_room or self._ahead or self._new or (self.leases is not None and self.limit):
            return None
        slot = Slot(self, None, 0.0, self._clock(), exchange)
        self._slots[slot] = None
        return slot

    async def slot(self, patience: float, *, ahead: bool, exchange: Exchange | None) -> Slot | None:
        """A slot, as soon as it is this call's turn; `None` after `patience` seconds. Cancelled, it leaves nothing."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop.create_future(), self._clock(), exchange)
        waiting_list = self._ahead if ahead else self._new
        waiting_list[waiter] = None
        self.advance()
        if exchange is not None and not waiter.answer.done():
            exchange.tell(events.QUEUED)
        timer = loop.call_later(max(patience, 0.0), self._give_up, waiter, waiting_list)
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            self._leave(waiter, waiting_list)
            raise
        finally:
            timer.cancel()

    def advance(self) -> None:
        """Let in the waiters for which there is room."""
        self._changed.set()
        if self.leases is None or not self.limit:
            while self._has_room and self._hand_over(None):
                pass
        elif self._lender() is not None and (self._drawing is None or self._drawing.done()):
            self._drawing = asyncio.create_task(self._draw())
            self._drawing.add_done_callback(lambda _: self._forget_if_idle())

    def take_back(self, slot: Slot, held: tuple[Leases, Lease] | None) -> None:
        """A slot comes back; `Slot.release` calls this, once."""
        del self._slots[slot]
        self.retry_after.call_ended()
        if held is not None:
            leases, lease = held
            leases.give_back(lease)
        if self._ahead or self._new:
            self.advance()
        self._forget_if_idle()

    @property
    def _has_room(self) -> bool:
        return not self.limit or self._under_way < self.limit

    def _hand_over(self, held: tuple[Leases, Lease] | None) -> bool:
        """Give a slot to the first waiter; `False`: there is none."""
        for waiting_list, waiter in self._in_order():
            del waiting_list[waiter]
            if waiter.answer.done():  # cancelled, but its own task has yet to run
                continue
            now = self._clock()
            slot = Slot(self, held, now - waiter.since, now, waiter.exchange)
            self._slots[slot] = None
            waiter.answer.set_result(slot)
            return True
        return False

    def _in_order(self) -> Iterator[tuple[_WaitingList, _Waiter]]:
        for waiting_list in (self._ahead, self._new):
            while waiting_list:
                yield waiting_list, next(iter(waiting_list))

    def _give_up(self, waiter: _Waiter, waiting_list: _WaitingList) -> None:
        """The waiter's time is over. Slot or none: one future, so that only one of the two can have happened."""
        waiting_list.pop(waiter, None)
        if not waiter.answer.done():
            waiter.answer.set_result(None)
        self._changed.set()
        self._forget_if_idle()

    def _leave(self, waiter: _Waiter, waiting_list: _WaitingList) -> None:
        """The waiter was cancelled; a slot that it was given in the same moment goes to the next one."""
        waiting_list.pop(waiter, None)
        answer = waiter.answer
        slot = answer.result() if answer.done() and not answer.cancelled() else None
        if slot is not None:
            slot.release()
        self._changed.set()
        self._forget_if_idle()

    def _forget_if_idle(self) -> None:
        drawing = self._drawing is not None and not self._drawing.done()
        if not self._under_way and not self.waiting and not drawing:
            self._forget(self)

    # Leases: one task per account draws them for all its waiters, so that a waiter that leaves never holds one.

    def _lender(self) -> Leases | None:
        """Where to draw a lease; `None` while no call waits or this process is full by its own count."""
        return self.leases if self.limit and self.waiting and self._has_room else None

    async def _draw(self) -> None:
        while (leases := self._lender()) is not None:
            lease = leases.new(self.name)
            if not (await self._granted(leases, lease) and self._has_room and self._hand_over((leases, lease))):
                leases.give_back(lease)

    async def _granted(self, leases: Leases, lease: Lease) -> bool:
        """Ask until the lease is granted; `False`: it isn't wanted any more."""
        while self._lender() is leases:
            self._changed.clear()
            pause = await leases.ask(lease, self.limit)
            if pause is None:
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()
        return False
