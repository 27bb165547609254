"""The limit over several workers, with a real redis-server."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from addon.admission import Account, Admission, NotAdmitted, Slot
from addon.admission.leases import Leases
from addon.stores.redis import redis_client
from tests.redis_server import RedisServer

FOREVER = float("inf")
LONG = 1000.0
ACCOUNT = "hunyuan:0123456789abcdef"


@pytest.fixture(params=[None, asyncio.eager_task_factory], ids=["lazy", "eager"], autouse=True)
async def task_factory(request: pytest.FixtureRequest) -> None:
    """mitmproxy runs with the eager task factory (mitmproxy.md section 0)."""
    asyncio.get_running_loop().set_task_factory(request.param)


@dataclass
class Worker:
    """One process's part, as far as Redis can tell."""

    admission: Admission
    leases: Leases

    async def admit(self, limit: int, *, within: float = FOREVER, account: str = ACCOUNT) -> Slot:
        return await self.admission.admit(Account(account, limit), until=time.monotonic() + within)

    def waiter(self, limit: int, account: str = ACCOUNT) -> asyncio.Task[Slot]:
        return asyncio.get_running_loop().create_task(self.admit(limit, account=account))


@pytest.fixture
async def new_worker(redis_server: RedisServer) -> AsyncIterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def worker(client: Redis | None = None, **arguments: Any) -> Worker:
        # Slow machines are no subject here, but where a test says so.
        leases = Leases(client or redis_client(redis_server.url), **{"budget": 5.0, "probe_every": 0.02, **arguments})
        admission = Admission()
        admission.configure(queue_max=100, queue_timeout=LONG, leases=leases)
        made.append(Worker(admission, leases))
        return made[-1]

    yield worker
    for one in made:
        await one.admission.aclose()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_server.url)
    yield client
    await client.aclose()


async def held(redis: Redis, account: str = ACCOUNT) -> int:
    return int(await redis.zcard(f"hunyuan-fix:slots:{account}"))


async def in_line(redis: Redis) -> int:
    return int(await redis.zcard(f"hunyuan-fix:line:{ACCOUNT}"))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """What Redis knows can only be looked for."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.005)


async def until_held(redis: Redis, count: int) -> None:
    async def is_so() -> bool:
        return await held(redis) == count

    await until(is_so)


async def until_answering(worker: Worker, answers: bool = True) -> None:
    async def is_so() -> bool:
        return worker.leases.state().answers == answers

    await until(is_so)


class LatePipelines(Redis):
    """What it sends in pipelines goes out when the test says so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        pipe = super().pipeline(*args, **kwargs)
        pipe.execute = partial(self._late, pipe.execute)  # type: ignore[method-assign]
        return pipe

    async def _late(self, execute: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        self.reached.set()
        await self.go_on.wait()
        return await execute()


NewWorker = Callable[..., Worker]


async def test_the_limit_holds_over_two_workers(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(), new_worker()
    slots = [await one.admit(3), await one.admit(3), await other.admit(3)]
    assert await held(redis) == 3
    for worker in (one, other):
        with pytest.raises(NotAdmitted):
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

    async def is_empty() -> bool:
        return await in_line(redis) == 0

    await until(is_empty)
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

    async def is_in_line() -> bool:
        return await in_line(redis) == 1  # the busy one is full by its own count

    await until(is_in_line)
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
    one, other = new_worker(lasts=0.4), new_worker(lasts=0.4)
    await one.admit(1)
    with pytest.raises(NotAdmitted):
        await other.admit(1, within=1.5)
    assert await held(redis) == 1


async def test_nothing_in_redis_outlasts_the_workers(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(), new_worker()
    slot = await one.admit(1)
    waiter = other.waiter(1)

    async def is_in_line() -> bool:
        return await in_line(redis) == 1

    await until(is_in_line)
    keys = await redis.keys("*")
    assert len(keys) == 3
    assert all([await redis.pttl(key) != -1 for key in keys])
    slot.release()
    await waiter


async def test_a_flushed_redis_hears_of_running_calls_again(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(lasts=0.6), new_worker()
    slots = [await one.admit(2), await one.admit(2)]
    await redis.flushall()
    await redis.script_flush()
    await until_held(redis, 2)
    waiter = other.waiter(2)
    with pytest.raises(NotAdmitted):
        await other.admit(2, within=0.2)
    slots[0].release()
    await waiter


async def test_without_redis_each_worker_s_own_count_holds(
    new_worker: NewWorker, redis_server: RedisServer, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, other = new_worker(), new_worker()
    before = await one.admit(2)
    redis_server.stop()
    during = [await one.admit(2), await other.admit(2), await other.admit(2)]
    for worker in (one, other):
        with pytest.raises(NotAdmitted):
            await worker.admit(2, within=0.05)
        assert not worker.leases.state().answers
        assert worker.leases.state().failures
    during[0].release()
    during[0] = await one.admit(2)
    lost = [record.getMessage() for record in caplog.records if "doesn't answer" in record.getMessage()]
    assert len(lost) == 2  # once a worker, however often it was asked
    assert not any(redis_server.url in record.getMessage() for record in caplog.records)

    redis_server.start()
    await until_answering(one)
    await until_answering(other)
    await until_held(redis, 4)  # the calls under way, as they are
    for slot in [before, *during[:2]]:
        slot.release()
    await until_held(redis, 1)
    await one.admit(2)
    with pytest.raises(NotAdmitted):
        await one.admit(2, within=0.2)
    assert sum("answers again" in record.getMessage() for record in caplog.records) == 2


async def test_leases_granted_while_a_probe_is_on_its_way(
    new_worker: NewWorker, redis_server: RedisServer, redis: Redis
) -> None:
    client = LatePipelines.from_url(redis_server.url)
    worker = new_worker(client, lasts=LONG)
    redis_server.stop()
    await worker.admit(2)
    redis_server.start()
    await client.reached.wait()
    await worker.admit(2)
    client.go_on.set()
    await until_held(redis, 2)


async def test_a_redis_that_was_never_there(new_worker: NewWorker, redis_server: RedisServer) -> None:
    redis_server.stop()
    worker = new_worker()
    slot = await worker.admit(1)
    waiter = worker.waiter(1)
    slot.release()
    await waiter


async def test_a_redis_that_hangs_costs_one_budget(new_worker: NewWorker, redis_server: RedisServer) -> None:
    worker = new_worker(budget=0.2, probe_every=LONG)
    redis_server.pause()
    slots = [await worker.admit(30) for _ in range(30)]
    assert worker.leases.state().failures == 1
    for slot in slots:
        slot.release()
    redis_server.resume()


async def test_calls_outlive_a_hanging_redis(new_worker: NewWorker, redis_server: RedisServer, redis: Redis) -> None:
    one, other = new_worker(lasts=0.6, budget=0.2), new_worker(lasts=0.6)
    slot = await one.admit(1)
    redis_server.pause()
    await until_answering(one, False)
    redis_server.resume()
    await until_answering(one)
    await until_held(redis, 1)
    with pytest.raises(NotAdmitted):
        await other.admit(1, within=0.2)
    slot.release()
    await other.admit(1)


async def test_a_redis_that_refuses_is_no_answer(new_worker: NewWorker, redis: Redis) -> None:
    await redis.set(f"hunyuan-fix:slots:{ACCOUNT}", "no sorted set")
    worker = new_worker(probe_every=LONG)
    await worker.admit(1)
    assert not worker.leases.state().answers


async def test_what_was_given_back_during_its_renewal_stays_so(
    new_worker: NewWorker, redis_server: RedisServer, redis: Redis
) -> None:
    """The renewal may be carried out last, on another connection."""
    now = 0.0
    client = LatePipelines.from_url(redis_server.url)
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

    worker = new_worker(Late.from_url(redis_server.url))
    waiter = worker.waiter(1)
    await asking.wait()
    closing = asyncio.create_task(worker.admission.aclose())
    await asyncio.sleep(0.05)
    go_on.set()
    await closing
    await waiter
    assert await held(redis) == 0


async def test_closing_leaves_the_line(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(), new_worker()
    await one.admit(1)
    waiter = other.waiter(1)

    async def is_in_line() -> bool:
        return await in_line(redis) == 1

    await until(is_in_line)
    await other.admission.aclose()
    assert await in_line(redis) == 0
    await waiter


@pytest.mark.parametrize("trouble", ["pause", "stop"])
async def test_closing_does_not_wait_for_redis(new_worker: NewWorker, redis_server: RedisServer, trouble: str) -> None:
    worker = new_worker(budget=0.05)
    await worker.admit(2)
    getattr(redis_server, trouble)()
    async with asyncio.timeout(5):
        await worker.admission.aclose()
        await worker.leases.aclose()
    redis_server.resume()


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
