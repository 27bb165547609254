"""Workers that share a redis-server, within one process; and what Redis knows of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hunyuan_fix.admission import Account, Admission, Slot
from hunyuan_fix.admission.leases import Leases

FOREVER = float("inf")
LONG = 1000.0
ACCOUNT = "hunyuan:0123456789abcdef"
type NewWorker = Callable[..., Worker]


@dataclass
class Worker:
    """One process's part, as far as Redis can tell."""

    admission: Admission
    leases: Leases

    async def admit(self, limit: int, *, within: float = FOREVER, account: str = ACCOUNT) -> Slot:
        return await self.admission.admit(Account(account, limit), until=time.monotonic() + within)

    def waiter(self, limit: int, account: str = ACCOUNT) -> asyncio.Task[Slot]:
        return asyncio.get_running_loop().create_task(self.admit(limit, account=account))


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


async def until_in_line(redis: Redis, count: int) -> None:
    async def is_so() -> bool:
        return await in_line(redis) == count

    await until(is_so)


async def until_answering(worker: Worker, answers: bool = True) -> None:
    async def is_so() -> bool:
        return worker.leases.state().answers == answers

    await until(is_so)


class LatePipelines(Redis):
    """What it sends in pipelines goes out when the test says so."""

    def __init__(self, port: int) -> None:
        super().__init__(port=port, retry=Retry(NoBackoff(), 0))
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        pipe = super().pipeline(*args, **kwargs)
        pipe.execute = partial(self._late, pipe.execute)  # type: ignore[method-assign]
        return pipe

    async def _late(self, execute: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        self.reached.set()
        await self.go_on.wait()
        return await execute()
