"""All accounts' queues."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..config.worker_place import WorkerPlace
from ..exchange import Exchange
from .accounts import Account
from .leases import Leases, LeasesState
from .queue import Queue, QueuedCall, QueueState, Slot
from .refusals import QueueFull, QueueTimeout


@dataclass(frozen=True, slots=True)
class State:
    """The accounts' queues now, the bounds, and counts since the start."""

    queues: tuple[QueueState, ...]
    """The accounts that have calls under way or waiting."""
    admitted: int
    refused_full: int
    refused_late: int
    waited: float
    """Seconds that those admitted have waited, all together."""
    queue_max: int
    """Calls of one account that may wait."""
    queue_timeout: float
    """Seconds that they may wait."""
    leases: LeasesState | None
    """`None`: the limits hold for this process alone."""


class Admission:
    """Lets calls in, as many at once as each account's limit allows. `clock`: monotonic, in seconds.

    An account is known only while calls of it are under way or waiting. `place`: of this process among workers, which
    without leases have a part of each limit, so that all together keep it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, place: WorkerPlace | None = None) -> None:
        self._clock = clock
        self._place = place
        self._queue_max = 0
        self._queue_timeout = 0.0
        self._leases: Leases | None = None
        self._queues: dict[str, Queue] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._admitted = self._refused_full = self._refused_late = 0
        self._waited = 0.0

    def configure(self, *, queue_max: int, queue_timeout: float, leases: Leases | None) -> None:
        """Take new options, also while calls wait. A call that waits already keeps the timeout it began with.

        `queue_timeout`: seconds. `leases`: the limits hold over all workers that share their Redis; None: for this
        process alone. Leases that are replaced are closed; pass the same ones again where their Redis is the same.
        """
        self._queue_max = queue_max
        self._queue_timeout = queue_timeout
        if leases is not self._leases:
            self._replace(leases)

    async def admit(
        self, account: Account, *, until: float, ahead: bool = False, exchange: Exchange | None = None
    ) -> Slot:
        """A slot for one call of `account`, which must be released on every way out of the call.

        Waits its turn, first come first served, until `until` (on `clock`) or for `hunyuan_queue_timeout`, whichever
        is shorter. `ahead`: before new calls, for calls whose request was let in before (finished cascades, further
        tries); the queue always has room for those. `account.limit` holds from now on for the whole account.
        `exchange`: whose call it is, for `calls`.

        Raises `QueueFull`, `QueueTimeout`. May be cancelled at any moment.
        """
        queue = self._queue(account)
        if not ahead and queue.is_full(self._queue_max):
            self._refused_full += 1
            raise QueueFull(queue.limit, queue.waiting, queue.retry_after.for_calls(queue.waiting + 1))
        slot = queue.slot_now(exchange)
        if slot is None:
            began = self._clock()
            slot = await queue.slot(min(self._queue_timeout, until - began), ahead=ahead, exchange=exchange)
            if slot is None:
                self._refused_late += 1
                waited = self._clock() - began
                raise QueueTimeout(queue.limit, waited, queue.retry_after.for_calls(queue.waiting + 1))
        self._admitted += 1
        self._waited += slot.waited
        return slot

    def state(self) -> State:
        """The queues and counts now."""
        return State(
            tuple(queue.state() for queue in self._queues.values()),
            self._admitted,
            self._refused_full,
            self._refused_late,
            self._waited,
            self._queue_max,
            self._queue_timeout,
            self._leases.state() if self._leases else None,
        )

    def calls(self) -> list[QueuedCall]:
        """The calls of all accounts that have a slot or wait for one now."""
        return [call for queue in self._queues.values() for call in queue.calls()]

    async def aclose(self) -> None:
        """Give all leases back, within a second. Slots can still be released, and waiters still get theirs."""
        self._replace(None)
        if self._closing:
            await asyncio.wait(set(self._closing))

    def _queue(self, account: Account) -> Queue:
        queue = self._queues.get(account.name)
        if queue is None:
            queue = Queue(account, self._leases, forget=self._forget, clock=self._clock)
            self._queues[account.name] = queue
        limit = self._place.part(account.limit) if self._place and not self._leases else account.limit
        if queue.limit != limit:
            queue.limit = limit
            queue.advance()
        return queue

    def _forget(self, queue: Queue) -> None:
        if self._queues.get(queue.name) is queue:
            del self._queues[queue.name]

    def _replace(self, leases: Leases | None) -> None:
        replaced, self._leases = self._leases, leases
        for queue in self._queues.values():
            queue.leases = leases
            queue.advance()
        if replaced is not None:
            closing = asyncio.get_running_loop().create_task(replaced.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
