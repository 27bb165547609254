from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from hunyuan_fix.stores import StoreError
from hunyuan_fix.stores.guard import Bypassed, StoreGuard
from tests.stores.standing import Time, lines
from tests.waiting import until


class Work:
    """An operation that goes well, or raises `error`, or hangs."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.hangs: asyncio.Event | None = None
        self.begun = 0

    async def __call__(self) -> str:
        self.begun += 1
        if self.hangs:
            await self.hangs.wait()
        if self.error:
            raise self.error
        return "done"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def guard(time: Time) -> StoreGuard:
    return StoreGuard("there", time)


@pytest.fixture
def work() -> Work:
    return Work()


async def fails(guard: StoreGuard, work: Callable[[], Awaitable[str]]) -> None:
    with pytest.raises(Bypassed):
        await guard.run("reading", work)


async def test_what_works_is_passed_on(guard: StoreGuard, work: Work) -> None:
    assert await guard.run("reading", work) == "done"
    assert (guard.failing, guard.failures, guard.bypassed, guard.wait("reading")) == (False, 0, 0, 0.0)


async def test_pauses_double_up_to_a_minute(guard: StoreGuard, work: Work, time: Time) -> None:
    work.error = StoreError("it is gone")
    for pause in (5, 10, 20, 40, 60, 60):
        await fails(guard, work)
        tried = work.begun
        assert guard.wait("reading") == pause
        time.passes(pause - 0.5)
        await fails(guard, work)
        assert work.begun == tried
        time.passes(0.5)
    assert (guard.failures, guard.bypassed) == (6, 6)
    work.error = None
    assert await guard.run("reading", work) == "done"
    work.error = StoreError("again")
    await fails(guard, work)
    assert guard.wait("reading") == 5


async def test_one_line_when_it_begins_and_one_when_it_is_over(
    guard: StoreGuard, work: Work, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    work.error = StoreError("it is gone")
    for _ in range(3):
        await fails(guard, work)
        with pytest.raises(Bypassed):
            await guard.run("writing", work)
        time.passes(60)
    assert lines(caplog) == ["Store there: reading fails (it is gone). It is by-passed, and tried again in 5 s."]
    work.error = None
    await guard.run("reading", work)
    assert guard.failing
    assert lines(caplog, logging.INFO) == []
    await guard.run("writing", work)
    assert not guard.failing
    assert lines(caplog, logging.INFO) == ["Store there works again, after 180 s."]


async def test_reading_goes_on_while_writing_fails(guard: StoreGuard, work: Work) -> None:
    work.error = StoreError("full")
    with pytest.raises(Bypassed):
        await guard.run("writing", work)
    work.error = None
    assert await guard.run("reading", work) == "done"
    assert (guard.wait("reading"), guard.wait("writing")) == (0, 5)


async def test_nobody_waits_longer_than_the_budget(
    guard: StoreGuard, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.hangs = asyncio.Event()
    with pytest.raises(Bypassed):
        await guard.run("reading", work, budget=0.02)
    assert lines(caplog) == [
        "Store there: reading fails (no answer within 20 ms). It is by-passed, and tried again in 5 s."
    ]


async def test_only_one_finds_out_if_it_works_again(guard: StoreGuard, work: Work, time: Time) -> None:
    work.error = StoreError("gone")
    await fails(guard, work)
    time.passes(5)
    work.error, work.hangs, work.begun = None, asyncio.Event(), 0
    probe = asyncio.create_task(guard.run("reading", work))
    await until(lambda: work.begun == 1)
    await fails(guard, work)
    assert work.begun == 1
    work.hangs.set()
    assert await probe == "done"
    assert await guard.run("reading", work) == "done"


async def test_a_probe_that_is_cancelled_leaves_it_to_the_next(guard: StoreGuard, work: Work, time: Time) -> None:
    work.error = StoreError("gone")
    await fails(guard, work)
    time.passes(5)
    work.hangs = asyncio.Event()
    probe = asyncio.create_task(guard.run("reading", work))
    await until(lambda: work.begun == 2)
    probe.cancel()
    await asyncio.wait({probe})
    assert probe.cancelled()
    work.error = work.hangs = None
    assert await guard.run("reading", work) == "done"


async def test_failing_together_counts_as_one_pause(guard: StoreGuard, work: Work, time: Time) -> None:
    work.hangs, work.error = asyncio.Event(), StoreError("gone")
    together = [asyncio.create_task(guard.run("reading", work, budget=10)) for _ in range(5)]
    await until(lambda: work.begun == 5)
    at_once = Work()
    at_once.error = work.error
    await fails(guard, at_once)
    time.passes(3)
    work.hangs.set()
    results = await asyncio.gather(*together, return_exceptions=True)
    assert all(isinstance(result, Bypassed) for result in results)
    assert (guard.failures, guard.wait("reading")) == (6, 2)


async def test_a_fault_of_ours_fails_nobody_and_its_text_is_not_said(
    guard: StoreGuard, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.error = ValueError("TELLTALE")
    await fails(guard, work)
    assert lines(caplog) == ["Store there: reading fails (ValueError). It is by-passed, and tried again in 5 s."]
