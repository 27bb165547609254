"""The limit over several workers, with a real redis-server."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from hunyuan_fix.admission import CallRefused
from hunyuan_fix.admission.leases import Leases
from hunyuan_fix.stores.redis import redis_client
from tests.admission.workers import (
    ACCOUNT,
    LONG,
    LatePipelines,
    NewWorker,
    Worker,
    held,
    in_line,
    until_held,
    until_in_line,
)
from tests.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("task_factory")


async def test_the_limit_holds_over_two_workers(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(), new_worker()
    slots = [await one.admit(3), await one.admit(3), await other.admit(3)]
    assert await held(redis) == 3
    for worker in (one, other):
        with pytest.raises(CallRefused):
            await worker.admit(3, within=0.3)
    waiter = other.waiter(3)
    slots[0].release()
    await waiter
    assert await held(redis) == 3
    assert one.leases.state().held + other.leases.state().held == 3


async def test_many_calls_of_two_workers(new_worker: NewWorker, redis: Redis) -> None:
    limit, under_way, most = 4, 0, 0
    chance = random.Random(7)

    async def call(worker: Worker) -> None:
        nonlocal under_way, most
        slot = await worker.admit(limit)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(chance.random() / 200)
        under_way -= 1
        slot.release()

    workers = [new_worker(jitter=lambda: 0.0), new_worker(jitter=lambda: 0.0)]
    await asyncio.gather(*(call(workers[number % 2]) for number in range(60)))
    assert most == limit
    await until_held(redis, 0)
    assert [worker.admission.state().admitted for worker in workers] == [30, 30]
    assert all(worker.admission.state().queues == () for worker in workers)


async def test_random_cancels_leave_nothing_behind(new_worker: NewWorker, redis: Redis) -> None:
    chance = random.Random(11)
    workers = [new_worker(), new_worker()]

    async def call(worker: Worker) -> None:
        slot = await worker.admit(3)
        try:
            await asyncio.sleep(chance.random() / 500)
        finally:
            slot.release()

    for _ in range(20):
        calls = [asyncio.create_task(call(chance.choice(workers))) for _ in range(6)]
        await asyncio.sleep(chance.random() / 500)
        for task in chance.sample(calls, 4):
            task.cancel()
        await asyncio.wait(calls)
    await until_held(redis, 0)

    await until_in_line(redis, 0)
    assert all(worker.admission.state().queues == () for worker in workers)


async def test_workers_take_turns(new_worker: NewWorker, redis: Redis) -> None:
    """A worker with ten in its queue doesn't keep another's only one waiting."""
    busy, other = new_worker(), new_worker()
    slot = await busy.admit(1)
    order: list[str] = []

    async def call(worker: Worker, name: str) -> None:
        slot = await worker.admit(1)
        order.append(name)
        slot.release()

    calls = [asyncio.create_task(call(busy, "busy")) for _ in range(10)]
    calls.append(asyncio.create_task(call(other, "other")))

    await until_in_line(redis, 1)  # the busy one is full by its own count
    slot.release()
    await asyncio.gather(*calls)
    assert order[0] == "other"


async def test_a_worker_that_no_longer_asks_holds_nobody_up(new_worker: NewWorker, redis: Redis) -> None:
    await redis.zadd(f"hunyuan-fix:line:{ACCOUNT}", {"dead": 1})
    await redis.zadd(f"hunyuan-fix:seen:{ACCOUNT}", {"dead": 1})
    await new_worker().admit(1)


async def test_no_limit_asks_nobody(new_worker: NewWorker, redis: Redis) -> None:
    worker = new_worker()
    for _ in range(20):
        await worker.admit(0)
    assert await held(redis) == 0


async def test_accounts_are_apart(new_worker: NewWorker, redis: Redis) -> None:
    worker = new_worker()
    await worker.admit(1, account="a")
    await worker.admit(1, account="b")
    assert (await held(redis, "a"), await held(redis, "b")) == (1, 1)


async def test_a_lease_is_renewed_while_the_call_runs(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(lasts=0.8), new_worker(lasts=0.8)
    await one.admit(1)
    with pytest.raises(CallRefused):
        await other.admit(1, within=2)
    assert await held(redis) == 1


async def test_nothing_in_redis_outlasts_the_workers(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(), new_worker()
    slot = await one.admit(1)
    waiter = other.waiter(1)

    await until_in_line(redis, 1)
    keys = await redis.keys("*")
    assert len(keys) == 3
    assert all([await redis.pttl(key) != -1 for key in keys])
    slot.release()
    await waiter


async def test_what_was_given_back_during_its_renewal_stays_so(
    new_worker: NewWorker, redis_server: RedisServer, redis: Redis
) -> None:
    """The renewal may be carried out last, on another connection."""
    now = 0.0
    client = LatePipelines(redis_server.port)
    worker = new_worker(client, lasts=LONG, clock=lambda: now)
    slot, other = await worker.admit(2), await worker.admit(2)
    now = LONG / 2
    other.release()  # the keeper wakes: a renewal is due as well
    await client.reached.wait()
    slot.release()
    successor = await worker.admit(2)  # this question takes what was given back along
    assert await held(redis) == 1
    client.go_on.set()
    successor.release()
    await until_held(redis, 0)


async def test_a_question_sent_twice_is_granted_once(new_worker: NewWorker, redis: Redis) -> None:
    leases = new_worker().leases
    lease = leases.new(ACCOUNT)
    assert await leases.ask(lease, 1) is None
    assert await leases.ask(lease, 1) is None
    assert await held(redis) == 1


async def test_closing_gives_back_what_is_held(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(), new_worker()
    slot = await one.admit(1)
    waiter, local = other.waiter(1), one.waiter(1)
    await one.admission.aclose()
    await waiter
    slot.release()
    await local  # nobody is left behind: from now on this process's own count holds
    assert await held(redis) == 1


async def test_closing_waits_for_questions_on_their_way(
    new_worker: NewWorker, redis_server: RedisServer, redis: Redis
) -> None:
    asking, go_on = asyncio.Event(), asyncio.Event()

    class Late(Redis):
        async def execute_command(self, *args: Any, **options: Any) -> Any:
            asking.set()
            await go_on.wait()
            return await super().execute_command(*args, **options)

    leases = new_worker(Late.from_url(redis_server.url)).leases
    question = asyncio.create_task(leases.ask(leases.new(ACCOUNT), 1))
    await asking.wait()
    closing = asyncio.create_task(leases.aclose())
    await asyncio.sleep(0.05)  # as far as it gets
    go_on.set()
    await asyncio.wait({question, closing})
    assert await held(redis) == 0


async def test_closing_leaves_the_line(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(), new_worker()
    await one.admit(1)
    waiter = other.waiter(1)

    await until_in_line(redis, 1)
    await other.admission.aclose()
    assert await in_line(redis) == 0
    await waiter


async def test_other_leases_while_calls_wait(new_worker: NewWorker, redis_server: RedisServer) -> None:
    worker, other = new_worker(), new_worker()
    slot = await other.admit(1)
    waiter = worker.waiter(1)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.shield(waiter)
    successors = Leases(redis_client(redis_server.url), budget=5.0)
    worker.admission.configure(queue_max=100, queue_timeout=LONG, leases=successors)
    slot.release()
    (await waiter).release()
    assert worker.admission.state().leases == successors.state()

    slot = await other.admit(1)
    waiter = worker.waiter(1)
    worker.admission.configure(queue_max=100, queue_timeout=LONG, leases=None)
    await waiter
