from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine

import pytest

from hunyuan_fix.admission import Account, Admission, CallRefused, Slot
from hunyuan_fix.config.worker_place import WorkerPlace

FOREVER = float("inf")
LONG = 1000.0


pytestmark = pytest.mark.usefixtures("task_factory")


@pytest.fixture
def admission() -> Admission:
    made = Admission()
    made.configure(queue_max=100, queue_timeout=LONG, leases=None)
    return made


def waiting(admission: Admission) -> int:
    return sum(queue.waiting for queue in admission.state().queues)


async def turns() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def start(call: Coroutine[None, None, Slot]) -> asyncio.Task[Slot]:
    return asyncio.get_running_loop().create_task(call)


async def test_as_many_as_the_limit_and_then_in_order(admission: Admission) -> None:
    account = Account("a", 2)
    calls = [start(admission.admit(account, until=FOREVER)) for _ in range(5)]
    for let_in in (2, 3, 4, 5):
        await turns()
        assert [call.done() for call in calls] == [True] * let_in + [False] * (5 - let_in)
        calls[let_in - 2].result().release()


async def test_accounts_do_not_wait_for_each_other(admission: Admission) -> None:
    await admission.admit(Account("a", 1), until=FOREVER)
    await admission.admit(Account("b", 1), until=FOREVER)
    assert {queue.account for queue in admission.state().queues} == {"a", "b"}


async def test_finished_cascades_go_before_new_arrivals(admission: Admission) -> None:
    account = Account("a", 1)
    first = await admission.admit(account, until=FOREVER)
    order: list[str] = []

    async def call(name: str, ahead: bool) -> None:
        slot = await admission.admit(account, until=FOREVER, ahead=ahead)
        order.append(name)
        slot.release()

    calls = [
        asyncio.create_task(call(name, ahead))
        for name, ahead in [("new 1", False), ("ahead 1", True), ("new 2", False), ("ahead 2", True)]
    ]
    await turns()
    first.release()
    await asyncio.gather(*calls)
    assert order == ["ahead 1", "ahead 2", "new 1", "new 2"]


async def test_a_newcomer_does_not_overtake_in_the_moment_of_a_release(admission: Admission) -> None:
    account = Account("a", 1)
    first = await admission.admit(account, until=FOREVER)
    waiter = start(admission.admit(account, until=FOREVER))
    await turns()
    first.release()
    newcomer = start(admission.admit(account, until=FOREVER, ahead=True))
    await turns()
    assert waiter.done()
    assert not newcomer.done()
    waiter.result().release()
    await newcomer


async def test_five_parents_that_wait_for_vision_slots_do_not_deadlock(admission: Admission) -> None:
    account = Account("a", 5)

    async def exchange() -> None:
        for _ in range(3):
            slot = await admission.admit(account, until=FOREVER)
            await asyncio.sleep(0)
            slot.release()
        slot = await admission.admit(account, until=FOREVER, ahead=True)
        await asyncio.sleep(0)
        slot.release()

    await asyncio.gather(*(exchange() for _ in range(50)))
    assert admission.state().queues == ()
    assert admission.state().admitted == 200


async def test_no_limit(admission: Admission) -> None:
    slots = [await admission.admit(Account("a", 0), until=0.0) for _ in range(50)]
    assert admission.state().queues[0].under_way == 50
    for slot in slots:
        slot.release()
    assert admission.state().queues == ()


async def test_a_raised_limit_lets_waiters_in_at_once(admission: Admission) -> None:
    await admission.admit(Account("a", 1), until=FOREVER)
    waiters = [start(admission.admit(Account("a", 1), until=FOREVER)) for _ in range(4)]
    await turns()
    newest = start(admission.admit(Account("a", 3), until=FOREVER))
    await turns()
    assert [waiter.done() for waiter in [*waiters, newest]] == [True, True, False, False, False]
    await admission.admit(Account("a", 0), until=FOREVER)
    assert all([await waiter for waiter in waiters])
    await newest


async def test_a_lowered_limit_holds_from_now_on(admission: Admission) -> None:
    slots = [await admission.admit(Account("a", 3), until=FOREVER) for _ in range(3)]
    waiter = start(admission.admit(Account("a", 1), until=FOREVER))
    for slot in slots[:2]:
        await turns()
        slot.release()
    await turns()
    assert not waiter.done()
    slots[2].release()
    await waiter


async def test_release_counts_once(admission: Admission) -> None:
    account = Account("a", 1)
    first = await admission.admit(account, until=FOREVER)
    waiters = [start(admission.admit(account, until=FOREVER)) for _ in range(2)]
    await turns()
    for _ in range(3):
        first.release()
    await turns()
    assert [waiter.done() for waiter in waiters] == [True, False]
    waiters[0].result().release()
    (await waiters[1]).release()
    assert admission.state().queues == ()


async def test_a_full_queue_refuses(admission: Admission) -> None:
    account = Account("a", 1)
    admission.configure(queue_max=2, queue_timeout=LONG, leases=None)
    first = await admission.admit(account, until=FOREVER)
    waiters = [start(admission.admit(account, until=FOREVER)) for _ in range(2)]
    await turns()
    with pytest.raises(CallRefused) as refused:
        await admission.admit(account, until=FOREVER)
    refusal = refused.value.response
    error = json.loads(refusal.body)["error"]
    assert (refusal.status, refusal.headers["retry-after"]) == (429, "5")
    assert (error["type"], error["code"]) == ("rate_limit_error", "proxy_queue_full")
    assert "hunyuan_concurrency" in error["message"]
    assert "hunyuan_queue_max" in error["message"]
    assert admission.state().refused_full == 1

    # What was paid for already isn't refused for want of room.
    paid = start(admission.admit(account, until=FOREVER, ahead=True))
    await turns()
    first.release()
    (await paid).release()
    for waiter in waiters:
        (await waiter).release()


async def test_a_queue_of_none_still_lets_in_where_there_is_room(admission: Admission) -> None:
    admission.configure(queue_max=0, queue_timeout=LONG, leases=None)
    slot = await admission.admit(Account("a", 1), until=FOREVER)
    with pytest.raises(CallRefused):
        await admission.admit(Account("a", 1), until=FOREVER)
    slot.release()
    await admission.admit(Account("a", 1), until=FOREVER)


@pytest.mark.parametrize(("queue_timeout", "until"), [(0.01, FOREVER), (LONG, 0.01), (LONG, -5.0)])
async def test_a_wait_that_is_too_long_is_refused(admission: Admission, queue_timeout: float, until: float) -> None:
    account = Account("a", 1)
    admission.configure(queue_max=2, queue_timeout=queue_timeout, leases=None)
    slot = await admission.admit(account, until=FOREVER)
    with pytest.raises(CallRefused) as refused:
        await admission.admit(account, until=time.monotonic() + until)
    refusal = refused.value.response
    error = json.loads(refusal.body)["error"]
    assert (refusal.status, error["type"], error["code"]) == (429, "rate_limit_error", "proxy_queue_timeout")
    assert int(refusal.headers["retry-after"]) >= 1
    assert "hunyuan_queue_timeout" in error["message"]
    assert (admission.state().refused_late, waiting(admission)) == (1, 0)
    slot.release()
    assert admission.state().queues == ()


async def test_retry_after_is_estimated_from_what_has_ended(admission: Admission) -> None:
    now = 0.0
    admission = Admission(clock=lambda: now)
    admission.configure(queue_max=3, queue_timeout=LONG, leases=None)
    account = Account("a", 1)
    slot = await admission.admit(account, until=FOREVER)
    for _ in range(4):
        successor = start(admission.admit(account, until=FOREVER))
        await turns()
        now += 4.0
        slot.release()
        slot = await successor
    others = [start(admission.admit(account, until=FOREVER)) for _ in range(3)]
    await turns()
    with pytest.raises(CallRefused) as refused:
        await admission.admit(account, until=FOREVER)
    assert refused.value.response.headers["retry-after"] == "16"
    for waiter in others:
        waiter.cancel()


async def test_a_cancelled_waiter_leaves_at_once(admission: Admission) -> None:
    account = Account("a", 1)
    admission.configure(queue_max=1, queue_timeout=LONG, leases=None)
    first = await admission.admit(account, until=FOREVER)
    gone = start(admission.admit(account, until=FOREVER))
    await turns()
    gone.cancel()
    await asyncio.wait({gone})
    assert gone.cancelled()
    assert waiting(admission) == 0
    follower = start(admission.admit(account, until=FOREVER))
    await turns()
    first.release()
    (await follower).release()
    assert admission.state().queues == ()


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_slot_handed_over_in_the_moment_of_the_cancel_goes_on(admission: Admission, cancel_first: bool) -> None:
    account = Account("a", 1)
    first = await admission.admit(account, until=FOREVER)
    gone, follower = (start(admission.admit(account, until=FOREVER)) for _ in range(2))
    await turns()
    if cancel_first:
        gone.cancel()
        first.release()
    else:
        first.release()
        gone.cancel()
    (await follower).release()
    assert gone.cancelled()
    assert admission.state().queues == ()


async def test_the_state_counts(admission: Admission) -> None:
    account = Account("a", 2)
    slots = [await admission.admit(account, until=FOREVER) for _ in range(2)]
    waiter = start(admission.admit(account, until=FOREVER))
    await turns()
    (queue,) = admission.state().queues
    assert (queue.account, queue.limit, queue.under_way, queue.waiting) == ("a", 2, 2, 1)
    slots[0].release()
    assert (await waiter).waited > 0
    assert admission.state().admitted == 3
    assert admission.state().waited > 0
    assert admission.state().leases is None


async def test_closing_without_leases(admission: Admission) -> None:
    slot = await admission.admit(Account("a", 1), until=FOREVER)
    await admission.aclose()
    slot.release()
    assert admission.state().queues == ()


async def test_each_of_several_workers_has_its_part_of_a_limit() -> None:
    second = Admission(place=WorkerPlace(2, 2))
    second.configure(queue_max=1, queue_timeout=60, leases=None)
    account = Account("a", 5)
    slots = [await second.admit(account, until=FOREVER) for _ in range(2)]
    waiter = start(second.admit(account, until=FOREVER))
    await turns()
    (queue,) = second.state().queues
    assert (queue.limit, queue.under_way, queue.waiting) == (2, 2, 1)
    slots[0].release()
    (await waiter).release()
    slots[1].release()
    unbounded = await second.admit(Account("b", 0), until=FOREVER)
    assert second.state().queues[0].limit == 0
    unbounded.release()
