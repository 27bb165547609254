from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from hunyuan_fix.admission import Admission
from hunyuan_fix.admission.leases import Leases
from hunyuan_fix.stores.redis import redis_client
from tests.admission.workers import LONG, Worker
from tests.redis_server import RedisServer

__all__ = ["new_worker", "redis", "task_factory"]


@pytest.fixture(params=[None, asyncio.eager_task_factory], ids=["lazy", "eager"])
async def task_factory(request: pytest.FixtureRequest) -> None:
    """mitmproxy runs with the eager task factory (docs/facts/mitmproxy.md#eager-tasks)."""
    asyncio.get_running_loop().set_task_factory(request.param)


@pytest.fixture
async def new_worker(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Worker]]:
    made: list[Worker] = []
    monkeypatch.setattr("hunyuan_fix.stores.redis.TIMEOUT", 30.0)  # the client's own; budgets are what is tested

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
