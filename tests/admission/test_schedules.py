"""Random schedules: whatever arrives, ends, is cancelled or times out in whatever moment, no slot is lost or made up.

The event loop's time stands still but for the schedule's own steps, so that every run is exact and can be repeated.
"""

from __future__ import annotations

import asyncio
from bisect import bisect
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.admission import Account, Admission, CallRefused, QueueState, Slot
from hunyuan_fix.admission.leases import Lease, Leases, LeasesState

PATIENCE = 100.0
FOREVER = float("inf")
TICK = 2.0**-20  # of the clock, for every step: what happened before what can be told from the times
FOREIGN = 2  # leases that another worker may hold
SHARED = 3  # leases that all workers together may hold

# Steps: what happens, and to which (a call by its number, a limit, ...).
STEP = st.one_of(
    st.tuples(st.just("arrive"), st.booleans().map(int)),
    st.tuples(st.sampled_from(["end", "cancel"]), st.integers(0, 6)),
    st.tuples(st.just("limit"), st.integers(0, 4)),
    st.tuples(st.just("pass"), st.integers(1, 40)),
    st.tuples(st.just("answer"), st.just(0)),
    st.tuples(st.just("foreign"), st.integers(0, FOREIGN)),
    st.tuples(st.just("share"), st.booleans().map(int)),
)
# Moments: what happens without the loop running in between, and how often the loop turns afterwards.
SCHEDULE = st.lists(st.tuples(st.lists(STEP, min_size=1, max_size=5), st.integers(0, 4)), max_size=25)


class StillLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is set by the test."""

    now = 0.0

    def time(self) -> float:
        return self.now


class SharedLimit(Leases):
    """Leases whose every answer comes when the schedule says so: between question and answer anything can happen."""

    def __init__(self) -> None:
        self.foreign = 0
        self.granted: set[Lease] = set()
        self.questions: list[tuple[asyncio.Future[float | None], Lease]] = []
        self._count = 0

    def new(self, account: str) -> Lease:
        self._count += 1
        return Lease(account, str(self._count))

    async def ask(self, lease: Lease, limit: int) -> float | None:
        answer: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        self.questions.append((answer, lease))
        return await answer

    def answer(self) -> None:
        answer, lease = self.questions.pop(0)
        if len(self.granted) + self.foreign < SHARED:
            self.granted.add(lease)
            answer.set_result(None)
        else:
            answer.set_result(0.1)

    def give_back(self, lease: Lease) -> None:
        self.granted.discard(lease)

    def state(self) -> LeasesState:
        return LeasesState(True, len(self.granted), 0)

    async def aclose(self) -> None:
        self.granted.clear()


@dataclass(eq=False)
class Call:
    ahead: bool
    arrived: float = FOREVER
    task: asyncio.Task[None] | None = None
    slot: Slot | None = None
    handed: float = FOREVER
    cancelled: float = FOREVER
    released: float = FOREVER


@dataclass
class Run:
    """One schedule against one account."""

    loop: StillLoop
    shared: SharedLimit | None
    limit: int = 2
    calls: list[Call] = field(default_factory=list)
    turned: list[float] = field(default_factory=list)
    """When the loop turned."""

    def __post_init__(self) -> None:
        self.admission = Admission(clock=self.loop.time)
        self.share(self.shared)

    def share(self, leases: Leases | None) -> None:
        self.admission.configure(queue_max=1000, queue_timeout=PATIENCE, leases=leases)

    @property
    def queue(self) -> QueueState:
        return next(iter(self.admission.state().queues), QueueState("a", self.limit, 0, 0))

    @property
    def held(self) -> list[Call]:
        return [call for call in self.calls if call.slot and call.released == FOREVER]

    async def moment(self, steps: list[tuple[str, int]], turns: int) -> None:
        for name, argument in steps:
            with self.within_the_limit():
                getattr(self, f"step_{name}")(argument)
        await self.turn(turns)

    async def turn(self, times: int = 12) -> None:
        """Let the loop turn: `times` are by default enough for nothing more to happen by itself."""
        for _ in range(times):
            with self.within_the_limit():
                await asyncio.sleep(0)
            self.turned.append(self.loop.now)

    @contextmanager
    def within_the_limit(self) -> Iterator[None]:
        self.loop.now += TICK
        before = self.queue
        yield
        now = self.queue
        # In one turn of the loop a call may be let in first, and the limit lowered then.
        most = max(before.limit, now.limit, before.under_way)
        assert not (before.limit and now.limit) or now.under_way <= most, "a slot past the limit"

    def step_arrive(self, ahead: int) -> None:
        call = Call(bool(ahead))
        self.calls.append(call)
        call.task = self.loop.create_task(self._call(call))

    def step_end(self, number: int) -> None:
        if self.held:
            self._release(self.held[number % len(self.held)])

    def step_cancel(self, number: int) -> None:
        running = [call for call in self.calls if call.task and not call.task.done()]
        if running:
            call = running[number % len(running)]
            assert call.task
            call.cancelled = min(call.cancelled, self.loop.now)
            call.task.cancel()

    def step_limit(self, limit: int) -> None:
        self.limit = limit

    def step_pass(self, seconds: int) -> None:
        self.loop.now += seconds

    def step_answer(self, _: int) -> None:
        if self.shared and self.shared.questions:
            self.shared.answer()

    def step_foreign(self, held: int) -> None:
        if self.shared and len(self.shared.granted) + held <= SHARED:
            self.shared.foreign = held

    def step_share(self, share: int) -> None:
        if self.shared:
            self.share(self.shared if share else None)

    async def _call(self, call: Call) -> None:
        call.arrived = self.loop.now
        try:
            slot = await self.admission.admit(Account("a", self.limit), until=FOREVER, ahead=call.ahead)
        except CallRefused:
            return
        call.slot, call.handed = slot, call.arrived + slot.waited

    def _release(self, call: Call) -> None:
        assert call.slot
        call.slot.release()
        call.released = self.loop.now

    @property
    def is_busy(self) -> bool:
        asked = bool(self.shared and self.shared.questions)
        return asked or bool(self.held) or not all(call.task and call.task.done() for call in self.calls)

    async def end(self) -> None:
        """Everything comes to its end; what is left over then has leaked."""
        await self.turn()  # who was refused a lease begins to wait now
        if self.shared:
            self.shared.foreign = 0
        while self.is_busy:
            self.loop.now += 0.2  # who asks for a lease again does so now
            await self.turn()
            while self.shared and self.shared.questions:
                self.shared.answer()
                await self.turn()
            self.assert_nobody_waits_in_vain()
            for call in self.held:
                self._release(call)
        await self.turn()
        assert self.admission.state().queues == ()
        assert self.shared is None or not self.shared.granted

    def assert_nobody_waits_in_vain(self) -> None:
        queue = self.queue
        if queue.waiting:
            shared_full = self.shared is not None and len(self.shared.granted) >= SHARED
            assert shared_full or 0 < queue.limit <= queue.under_way, "a free slot and somebody who waits for it"

    def assert_in_turn(self) -> None:
        """Nobody got a slot while somebody with a better right to it stood in the line."""
        for call in self.calls:
            if call.handed == FOREVER:
                continue
            for other in self.calls:
                if self._waited_at(other, call.handed):
                    assert (other.ahead, -other.arrived) <= (call.ahead, -call.arrived), f"{call} before {other}"

    def _waited_at(self, call: Call, moment: float) -> bool:
        # One that was cancelled may have been handed a slot in the turns before, which nobody saw.
        seen = bisect(self.turned, call.cancelled) - bisect(self.turned, moment) > 2
        until = min(call.handed, call.cancelled if seen or call.cancelled == FOREVER else -1.0, call.arrived + PATIENCE)
        return call.arrived < moment < until


def play(schedule: list[tuple[list[tuple[str, int]], int]], eager: bool, *, shared: bool) -> None:
    async def whole() -> None:
        run = Run(loop, SharedLimit() if shared else None)
        for steps, turns in schedule:
            await run.moment(steps, turns)
        await run.end()
        run.assert_in_turn()

    loop = StillLoop()
    with closing(loop):
        if eager:
            loop.set_task_factory(asyncio.eager_task_factory)
        loop.run_until_complete(whole())


@settings(max_examples=300, deadline=None)
@given(SCHEDULE, st.booleans())
def test_one_process(schedule: list[tuple[list[tuple[str, int]], int]], eager: bool) -> None:
    play(schedule, eager, shared=False)


@settings(max_examples=300, deadline=None)
@given(SCHEDULE, st.booleans())
def test_over_leases(schedule: list[tuple[list[tuple[str, int]], int]], eager: bool) -> None:
    play(schedule, eager, shared=True)
