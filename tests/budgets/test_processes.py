"""Several real processes share one budget, in a file and in Redis: to the token, and never past the limit."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from hunyuan_fix.budgets import spending as module
from hunyuan_fix.budgets.counters import Counters
from hunyuan_fix.budgets.lines import budgets
from hunyuan_fix.budgets.redis import RedisCounters
from hunyuan_fix.budgets.spending import Spending
from hunyuan_fix.budgets.sqlite import SqliteCounters
from hunyuan_fix.stores import redis as redis_store
from hunyuan_fix.stores.redis import redis_client
from tests.budgets.test_spending import paid, told
from tests.redis_server import RedisServer

PROCESSES = 3
MOST = 40
"""Tokens that a call is estimated at, at most; none uses more than its estimate."""


def opened(place: str) -> Counters:
    return RedisCounters(redis_client(place)) if place.startswith("redis") else SqliteCounters(Path(place))


async def _work(place: str, seed: int, calls: int, limit: int) -> tuple[int, int]:
    """Tokens that this process's calls have used, and how many were refused."""
    chance = random.Random(seed)
    redis_store.TIMEOUT = 60.0
    for name in ("BUDGET", "FILE_BUDGET"):
        setattr(module, name, 60.0)  # the machine may be busy
    spending = Spending()
    spending.use(budgets(f"all month {limit} tokens"), None)
    spending.share(opened(place))
    used, refused = 0, 0

    async def call(number: int) -> None:
        nonlocal used, refused
        exchange = f"{seed}/{number}"
        await asyncio.sleep(chance.random() / 10)
        estimate = chance.randint(1, MOST)
        verdict = await spending.reserve(exchange, "", "", estimate, None, patience=0.2)
        if verdict.spent is not None or verdict.held is not None:
            refused += 1
            spending.over(exchange, is_sent=False)
            return
        await asyncio.sleep(chance.random() / 50)
        if chance.random() < 0.1:  # it never left
            spending.over(exchange, is_sent=False)
            return
        tokens = chance.randint(1, estimate)
        used += tokens
        spending.over(exchange, is_sent=True)
        spending.hear(paid(exchange, tokens, client="", session=""))

    tasks = [asyncio.create_task(call(number)) for number in range(calls)]
    await asyncio.wait(tasks)
    assert all(task.exception() is None for task in tasks)
    await told(spending)
    assert not spending.is_failing
    await spending.aclose()
    return used, refused


def work(place: str, seed: int, calls: int, limit: int) -> tuple[int, int]:
    return asyncio.run(_work(place, seed, calls, limit))


@pytest.mark.process
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_processes_share_a_budget(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    place = str(tmp_path / "budgets.sqlite3")
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        place = server.url
    for calls in (40, 80):  # n, 2n: the limit grows with it
        limit = calls * PROCESSES * 5
        where = place if kind == "redis" else f"{place}-{calls}"
        seeds = [calls * 100 + number for number in range(PROCESSES)]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
            loop = asyncio.get_running_loop()
            parts = [loop.run_in_executor(pool, work, where, seed, calls, limit) for seed in seeds]
            found = await asyncio.gather(*parts)
        used, refused = sum(one for one, _ in found), sum(one for _, one in found)
        assert refused, "there was more to do than the budget lets"
        assert limit - MOST <= used < limit + MOST, "all of it, and no more than the last call's"
        counters = opened(where)
        key = f"all:month:{time.strftime('%Y-%m')}:tokens"
        (standing,) = await counters.look([key])
        assert (standing.spent, standing.held) == (used, 0)
        await counters.aclose()
        if kind == "redis":
            server.stop()
            server.start()  # empty
