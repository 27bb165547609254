from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from hunyuan_fix.workers import HEAVY, LIGHT, THREADS, Abandoned, Checkpoint, Workers


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    made = Workers()
    yield made
    made.close()


class Work:
    """Work that goes on from checkpoint to checkpoint until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.abandoned = False

    def __call__(self, checkpoint: Checkpoint) -> str:
        self.begun.set()
        try:
            while not self.let_go.wait(0.001):
                checkpoint()
        except Abandoned:
            self.abandoned = True
            raise
        finally:
            self.ended.set()
        return "done"


async def seen(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


@pytest.mark.parametrize(
    ("cost", "thread"), [(0, "MainThread"), (LIGHT - 1, "MainThread"), (LIGHT, "light"), (HEAVY, "heavy")]
)
async def test_cost_decides_where_work_runs(workers: Workers, cost: int, thread: str) -> None:
    assert thread in await workers.run(lambda _: threading.current_thread().name, cost)


@pytest.mark.parametrize("cost", [0, LIGHT, HEAVY])
async def test_what_work_raises_reaches_who_waits(workers: Workers, cost: int) -> None:
    with pytest.raises(ZeroDivisionError):
        await workers.run(lambda _: 1 // 0, cost)


async def test_costly_work_takes_no_thread_of_the_rest(workers: Workers) -> None:
    works = [Work() for _ in range(THREADS + 3)]
    waiting = [asyncio.ensure_future(workers.run(work, HEAVY)) for work in works]
    for work in works[:THREADS]:
        await seen(work.begun)
    assert await workers.run(lambda _: "served", LIGHT) == "served"
    assert not any(work.begun.is_set() for work in works[THREADS:])
    for work in works:
        work.let_go.set()
    assert await asyncio.gather(*waiting) == ["done"] * len(works)


async def test_work_that_nobody_waits_for_ends_at_its_checkpoint_or_never_begins(workers: Workers) -> None:
    works = [Work() for _ in range(THREADS + 1)]
    waiting = [asyncio.ensure_future(workers.run(work, HEAVY)) for work in works]
    for work in works[:THREADS]:
        await seen(work.begun)
    for task in waiting:
        task.cancel()
    for work in works[:THREADS]:
        await seen(work.ended)
        assert work.abandoned
    assert await workers.run(lambda _: "next", HEAVY) == "next"
    assert not works[-1].begun.is_set()


async def test_the_end_of_the_process_ends_all_work() -> None:
    workers = Workers()
    work = Work()
    task = asyncio.ensure_future(workers.run(work, HEAVY))
    await seen(work.begun)
    workers.close()
    with pytest.raises(Abandoned):
        await task
    with pytest.raises(RuntimeError):
        await workers.run(lambda _: None, LIGHT)
    assert await workers.run(lambda _: "small", 0) == "small"
