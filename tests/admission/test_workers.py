"""Two real processes share a limit, and one of them dies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.redis_server import RedisServer

PROGRAM = Path(__file__).with_name("worker_process.py")
ROOT = Path(__file__).parents[2]
type Process = asyncio.subprocess.Process


@pytest.fixture
async def worker(redis_server: RedisServer) -> AsyncIterator[Callable[[], Awaitable[Process]]]:
    started: list[Process] = []

    async def start() -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(PROGRAM), redis_server.url, "2", "0.8"),
            env={"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def says(process: Process) -> str:
    assert process.stdout
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()


async def test_the_slots_of_a_killed_worker_come_back(worker: Callable[[], Awaitable[Process]]) -> None:
    victim = await worker()
    assert await says(victim) == "holds 2"
    heir = await worker()
    assert await says(heir) == "refused"  # for two leases' time: those of a living worker don't expire
    victim.kill()
    await victim.wait()
    assert await says(heir) == "holds 2"
