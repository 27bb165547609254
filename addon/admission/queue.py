"""The fair queue of one account: who is let in, and who is next.

A slot that comes back goes straight to the first waiter: it is never free for a moment in which a newcomer could
take it. Every change (a slot comes back, the limit is raised, a waiter leaves) calls `advance`, which lets in whoever
may come in by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from .accounts import Account
from .leases import Lease, Leases
from .pace import Pace


class Slot:
    """The right to have one call under way. `waited`: the seconds it took to get it."""

    __slots__ = ("_give_back", "waited")

    def __init__(self, give_back: Callable[[], None], waited: float) -> None:
        self._give_back: Callable[[], None] | None = give_back
        self.waited = waited

    def release(self) -> None:
        """Give it back: the first waiter has it at once. Idempotent, never raises, needs no await."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


@dataclass(frozen=True, slots=True)
class QueueState:
    """How one account stands: calls under way, their limit (0: any number), calls waiting."""

    account: str
    limit: int
    under_way: int
    waiting: int


@dataclass(slots=True, eq=False)
class _Waiter:
    answer: asyncio.Future[Slot | None]
    """None: it has waited long enough."""
    since: float


class Queue:
    """The calls of one account, under way and waiting.

    `forget` is called when there are none of either. `clock` gives seconds that only grow. `leases`, if any, make the
    limit hold over several workers, in addition to this process's own count.
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
        self.pace = Pace(clock)
        self._forget = forget
        self._clock = clock
        self._under_way = 0
        # Dicts for their order: who leaves from the middle costs no search.
        self._ahead: dict[_Waiter, None] = {}
        self._arrivals: dict[_Waiter, None] = {}
        self._drawing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def state(self) -> QueueState:
        """How it stands now."""
        return QueueState(self.name, self.limit, self._under_way, self.waiting)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._ahead) + len(self._arrivals)

    def is_full(self, most: int) -> bool:
        """Whether one more arrival would have to wait behind `most` others.

        With leases, arrivals for which this process has room only wait for Redis: they don't count. Nor do those that
        go ahead: they belong to requests that were let in already, and what was paid for these would be lost.
        """
        return self.limit > 0 and len(self._arrivals) >= most + max(0, self.limit - self._under_way)

    async def slot(self, patience: float, *, ahead: bool) -> Slot | None:
        """A slot, as soon as it is this call's turn; None after `patience` seconds. Cancelled, it leaves nothing."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop.create_future(), self._clock())
        line = self._ahead if ahead else self._arrivals
        line[waiter] = None
        self.advance()
        alarm = loop.call_later(max(patience, 0.0), self._give_up, waiter, line)
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            self._leave(waiter, line)
            raise
        finally:
            alarm.cancel()

    def advance(self) -> None:
        """Let in whoever may come in."""
        self._changed.set()
        if self.leases is None or not self.limit:
            while self._has_room and self._hand_over(None, None):
                pass
        elif self._lender() is not None and (self._drawing is None or self._drawing.done()):
            self._drawing = asyncio.create_task(self._draw())
            self._drawing.add_done_callback(lambda _: self._rest())

    @property
    def _has_room(self) -> bool:
        return not self.limit or self._under_way < self.limit

    def _hand_over(self, leases: Leases | None, lease: Lease | None) -> bool:
        """Give a slot to the first waiter; False: there is none."""
        for line, waiter in self._in_order():
            del line[waiter]
            if waiter.answer.done():  # cancelled in this very moment: its own task has yet to hear of it
                continue
            self._under_way += 1
            slot = Slot(lambda: self._take_back(leases, lease), self._clock() - waiter.since)
            waiter.answer.set_result(slot)
            return True
        return False

    def _in_order(self) -> Iterator[tuple[dict[_Waiter, None], _Waiter]]:
        for line in (self._ahead, self._arrivals):
            while line:
                yield line, next(iter(line))

    def _take_back(self, leases: Leases | None, lease: Lease | None) -> None:
        self._under_way -= 1
        self.pace.ended()
        if leases is not None and lease is not None:
            leases.give_back(lease)
        self.advance()
        self._rest()

    def _give_up(self, waiter: _Waiter, line: dict[_Waiter, None]) -> None:
        """The waiter's time is over. Slot or none: one future, so that only one of the two can have happened."""
        line.pop(waiter, None)
        if not waiter.answer.done():
            waiter.answer.set_result(None)
        self._changed.set()
        self._rest()

    def _leave(self, waiter: _Waiter, line: dict[_Waiter, None]) -> None:
        """The waiter was cancelled; a slot handed to it in the same moment goes on to the next one."""
        line.pop(waiter, None)
        answer = waiter.answer
        slot = answer.result() if answer.done() and not answer.cancelled() else None
        if slot is not None:
            slot.release()
        self._changed.set()
        self._rest()

    def _rest(self) -> None:
        drawing = self._drawing is not None and not self._drawing.done()
        if not self._under_way and not self.waiting and not drawing:
            self._forget(self)

    # Leases: one task an account draws them for the whole line, so that a waiter that leaves never holds one.

    def _lender(self) -> Leases | None:
        """Where to draw a lease; None while nobody waits or this process is full by its own count."""
        return self.leases if self.limit and self.waiting and self._has_room else None

    async def _draw(self) -> None:
        while (leases := self._lender()) is not None:
            lease = leases.new(self.name)
            if not (await self._won(leases, lease) and self._has_room and self._hand_over(leases, lease)):
                leases.give_back(lease)

    async def _won(self, leases: Leases, lease: Lease) -> bool:
        """Ask until the lease is granted; False: it isn't wanted any more."""
        while self._lender() is leases:
            self._changed.clear()
            pause = await leases.ask(lease, self.limit)
            if pause is None:
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()
        return False
