"""Redis flushed, gone, hanging, refusing: no call fails, and the limit holds again afterwards."""

from __future__ import annotations

import asyncio
import logging

import pytest
from redis.asyncio import Redis

from hunyuan_fix.admission import CallRefused
from tests.admission.workers import (
    ACCOUNT,
    LONG,
    LatePipelines,
    NewWorker,
    held,
    until_answering,
    until_held,
)
from tests.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("task_factory")


async def test_a_flushed_redis_hears_of_running_calls_again(new_worker: NewWorker, redis: Redis) -> None:
    one, other = new_worker(lasts=0.6), new_worker()
    slots = [await one.admit(2), await one.admit(2)]
    await redis.flushall()
    await redis.script_flush()
    await until_held(redis, 2)
    waiter = other.waiter(2)
    with pytest.raises(CallRefused):
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
        with pytest.raises(CallRefused):
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
    with pytest.raises(CallRefused):
        await one.admit(2, within=0.2)
    assert sum("answers again" in record.getMessage() for record in caplog.records) == 2


async def test_leases_granted_while_a_probe_is_on_its_way(
    new_worker: NewWorker, redis_server: RedisServer, redis: Redis
) -> None:
    client = LatePipelines(redis_server.port)
    worker = new_worker(client, lasts=LONG)
    redis_server.stop()
    await worker.admit(2)
    redis_server.start()
    await client.reached.wait()
    await worker.admit(2)
    client.go_on.set()
    await until_held(redis, 2)


async def test_a_probe_does_not_wait_for_the_next_renewal(new_worker: NewWorker, redis_server: RedisServer) -> None:
    worker = new_worker(lasts=LONG)
    await worker.admit(3)
    await asyncio.sleep(0.01)  # the keeper is waiting for the renewal by now
    redis_server.stop()
    await worker.admit(3)
    assert not worker.leases.state().answers
    redis_server.start()
    await until_answering(worker)


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
    with pytest.raises(CallRefused):
        await other.admit(1, within=0.2)
    slot.release()
    await other.admit(1)


async def test_a_redis_that_refuses_is_no_answer(new_worker: NewWorker, redis: Redis) -> None:
    await redis.set(f"hunyuan-fix:slots:{ACCOUNT}", "no sorted set")
    worker = new_worker(probe_every=LONG)
    await worker.admit(1)
    assert not worker.leases.state().answers


@pytest.mark.parametrize("trouble", ["pause", "stop"])
async def test_closing_does_not_wait_for_redis(new_worker: NewWorker, redis_server: RedisServer, trouble: str) -> None:
    worker = new_worker(budget=0.05)
    await worker.admit(2)
    getattr(redis_server, trouble)()
    async with asyncio.timeout(5):
        await worker.admission.aclose()
        await worker.leases.aclose()
    redis_server.resume()


async def test_closing_gives_back_even_in_a_pause(
    new_worker: NewWorker, redis_server: RedisServer, redis: Redis
) -> None:
    worker = new_worker(lasts=LONG, probe_every=LONG, budget=0.2)
    await worker.admit(3)
    redis_server.pause()
    await worker.admit(3)
    assert not worker.leases.state().answers
    redis_server.resume()
    await until_held(redis, 2)  # the question that was given up arrives late
    await worker.leases.aclose()
    assert await held(redis) == 0
