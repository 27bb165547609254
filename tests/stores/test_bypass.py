from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from hunyuan_fix.stores import StoreError
from hunyuan_fix.stores.bypass import Bypass, Bypassed
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
def bypass(time: Time) -> Bypass:
    return Bypass("there", time)


@pytest.fixture
def work() -> Work:
    return Work()


async def fails(bypass: Bypass, work: Callable[[], Awaitable[str]]) -> None:
    with pytest.raises(Bypassed):
        await bypass.run("reading", work)


async def test_what_works_is_passed_on(bypass: Bypass, work: Work) -> None:
    assert await bypass.run("reading", work) == "done"
    assert (bypass.failing, bypass.failures, bypass.bypassed, bypass.wait("reading")) == (False, 0, 0, 0.0)


async def test_pauses_double_up_to_a_minute(bypass: Bypass, work: Work, time: Time) -> None:
    work.error = StoreError("it is gone")
    for pause in (5, 10, 20, 40, 60, 60):
        await fails(bypass, work)
        tried = work.begun
        assert bypass.wait("reading") == pause
        time.passes(pause - 0.5)
        await fails(bypass, work)
        assert work.begun == tried
        time.passes(0.5)
    assert (bypass.failures, bypass.bypassed) == (6, 6)
    work.error = None
    assert await bypass.run("reading", work) == "done"
    work.error = StoreError("again")
    await fails(bypass, work)
    assert bypass.wait("reading") == 5


async def test_one_line_when_it_begins_and_one_when_it_is_over(
    bypass: Bypass, work: Work, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    work.error = StoreError("it is gone")
    for _ in range(3):
        await fails(bypass, work)
        with pytest.raises(Bypassed):
            await bypass.run("writing", work)
        time.passes(60)
    assert lines(caplog) == ["Store there: reading fails (it is gone). It is by-passed, and tried again in 5 s."]
    work.error = None
    await bypass.run("reading", work)
    assert bypass.failing
    assert lines(caplog, logging.INFO) == []
    await bypass.run("writing", work)
    assert not bypass.failing
    assert lines(caplog, logging.INFO) == ["Store there works again, after 180 s."]


async def test_reading_goes_on_while_writing_fails(bypass: Bypass, work: Work) -> None:
    work.error = StoreError("full")
    with pytest.raises(Bypassed):
        await bypass.run("writing", work)
    work.error = None
    assert await bypass.run("reading", work) == "done"
    assert (bypass.wait("reading"), bypass.wait("writing")) == (0, 5)


async def test_nobody_waits_longer_than_the_budget(
    bypass: Bypass, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.hangs = asyncio.Event()
    with pytest.raises(Bypassed):
        await bypass.run("reading", work, budget=0.02)
    assert lines(caplog) == [
        "Store there: reading fails (no answer within 20 ms). It is by-passed, and tried again in 5 s."
    ]


async def test_only_one_finds_out_if_it_works_again(bypass: Bypass, work: Work, time: Time) -> None:
    work.error = StoreError("gone")
    await fails(bypass, work)
    time.passes(5)
    work.error, work.hangs, work.begun = None, asyncio.Event(), 0
    probe = asyncio.create_task(bypass.run("reading", work))
    await until(lambda: work.begun == 1)
    await fails(bypass, work)
    assert work.begun == 1
    work.hangs.set()
    assert await probe == "done"
    assert await bypass.run("reading", work) == "done"


async def test_a_probe_that_is_cancelled_leaves_it_to_the_next(bypass: Bypass, work: Work, time: Time) -> None:
    work.error = StoreError("gone")
    await fails(bypass, work)
    time.passes(5)
    work.hangs = asyncio.Event()
    probe = asyncio.create_task(bypass.run("reading", work))
    await until(lambda: work.begun == 2)
    probe.cancel()
    await asyncio.wait({probe})
    assert probe.cancelled()
    work.error = work.hangs = None
    assert await bypass.run("reading", work) == "done"


async def test_failing_together_counts_as_one_pause(bypass: Bypass, work: Work, time: Time) -> None:
    work.hangs, work.error = asyncio.Event(), StoreError("gone")
    together = [asyncio.create_task(bypass.run("reading", work, budget=10)) for _ in range(5)]
    await until(lambda: work.begun == 5)
    at_once = Work()
    at_once.error = work.error
    await fails(bypass, at_once)
    time.passes(3)
    work.hangs.set()
    results = await asyncio.gather(*together, return_exceptions=True)
    assert all(isinstance(result, Bypassed) for result in results)
    assert (bypass.failures, bypass.wait("reading")) == (6, 2)


async def test_a_fault_of_ours_fails_nobody_and_its_text_is_not_said(
    bypass: Bypass, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.error = ValueError("TELLTALE")
    await fails(bypass, work)
    assert lines(caplog) == ["Store there: reading fails (ValueError). It is by-passed, and tried again in 5 s."]
