"""All checks together: when they are looked at, what is told of them, and that a bad one costs nothing else."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.observe.health import Check, CheckReport, Finding, Health, State, degraded, health, healthy, unhealthy
from hunyuan_fix.observe.health.in_thread import in_thread
from hunyuan_fix.observe.metrics import Metrics
from hunyuan_fix.observe.statistics import HEALTH
from hunyuan_fix.texts import terminal
from hunyuan_fix.texts.sentence import Sentence
from tests.observe.health.clocks import Clock
from tests.waiting import until

WELL, BAD, WORST = healthy(Sentence("Redis answers.")), degraded(Sentence("bad")), unhealthy(Sentence("worst"))


class Looked:
    """A check whose findings a test sets, and which counts its looks."""

    def __init__(self, name: str = "thing", found: Finding = WELL) -> None:
        self.found = found
        self.looks = 0
        self.check = Check(name, self.look)

    async def look(self) -> Finding:
        self.looks += 1
        return self.found


class One:
    """A `Health` of one check, on a clock of its own."""

    def __init__(self, found: Finding = WELL) -> None:
        self.clock = Clock()
        self.looked = Looked(found=found)
        self.health = Health([self.looked.check], self.clock, self.clock)

    async def after(self, seconds: float, found: Finding) -> CheckReport:
        """The report when `found` is what a look finds, `seconds` later."""
        self.clock.now += seconds
        self.looked.found = found
        await self.health.look()
        (report,) = self.health.report()
        return report


def state(report: CheckReport) -> tuple[str, float | None]:
    return report["state"], report["since"]


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    yield
    terminal.use("en")


# What is told


async def test_a_report_is_plain_data() -> None:
    one = One()
    assert one.health.report() == [
        {"name": "thing", "state": "healthy", "since": None, "looked": None, "message": "Not looked at yet."}
    ]
    await one.health.look()
    assert one.health.report() == [
        {"name": "thing", "state": "healthy", "since": 1000.0, "looked": 1000.0, "message": "Redis answers."}
    ]


async def test_messages_are_in_the_language_that_is_asked_for_else_in_the_logs() -> None:
    one = One()
    await one.health.look()
    said = [one.health.report(language)[0]["message"] for language in ("", "en", "zh")]
    terminal.use("zh")
    said.append(one.health.report()[0]["message"])
    assert said == ["Redis answers.", "Redis answers.", "Redis 有响应。", "Redis 有响应。"]


async def test_the_metric_is_the_state_and_there_is_none_before_the_first_look() -> None:
    one, metrics = One(WORST), Metrics()
    metrics.read_from(one.health.readings)
    assert metrics.collect()[HEALTH] == {}
    values = []
    for seconds, found in ((0, WORST), (100, BAD), (100, BAD), (100, WELL), (100, WELL)):
        await one.after(seconds, found)
        values.append(metrics.value(HEALTH, "thing"))
    assert values == [0, 0, 1, 1, 2]


# States


async def test_worse_holds_at_once_and_better_when_it_was_steady() -> None:
    one = One()
    assert state(await one.after(0, WELL)) == ("healthy", 1000)
    assert state(await one.after(10, BAD)) == ("degraded", 1010)
    assert state(await one.after(10, WORST)) == ("unhealthy", 1020)
    assert state(await one.after(10, WELL)) == ("unhealthy", 1020)
    assert state(await one.after(health.STEADY - 1, WELL)) == ("unhealthy", 1020)
    assert state(await one.after(1, WELL)) == ("healthy", 1030), "since the first of the looks that found so"


async def test_what_comes_and_goes_is_one_trouble(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    one = One()
    for _ in range(20):
        assert state(await one.after(5, BAD)) == ("degraded", 1005)
        assert state(await one.after(5, WELL)) == ("degraded", 1005)
    assert state(await one.after(health.STEADY, WELL)) == ("healthy", 1200)
    assert caplog.messages == ["Check thing is degraded: bad", "Check thing is healthy again, after 195 s."]


async def test_the_log_is_in_its_language(caplog: pytest.LogCaptureFixture) -> None:
    terminal.use("zh")
    await One().after(5, BAD)
    assert caplog.messages == ["检查项 thing 状态为 degraded：bad"]


async def test_the_way_up_ends_at_the_worst_that_was_found_meanwhile() -> None:
    one = One(WORST)
    await one.after(0, WORST)
    await one.after(5, WELL)
    await one.after(5, BAD)
    assert state(await one.after(10, WELL)) == ("degraded", 1005)
    assert one.health.report()[0]["message"] == "bad"
    await one.after(5, WELL)
    assert state(await one.after(15, WELL)) == ("healthy", 1025)


async def test_the_message_is_that_of_the_last_look_of_that_state() -> None:
    one = One()
    messages = [
        (await one.after(2, found))["message"] for found in (BAD, degraded(Sentence("bad in another way")), WELL, WELL)
    ]
    assert messages == ["bad", "bad in another way", "bad in another way", "bad in another way"]


@given(st.lists(st.tuples(st.floats(1, 30), st.sampled_from([WELL, BAD, WORST])), min_size=1, max_size=40))
def test_no_sequence_flaps(looks: list[tuple[float, Finding]]) -> None:
    """A state is never better than any look of the last seconds, and `since` never falls nor lies in the future."""

    async def run() -> None:
        one, found_at, last = One(), [], 0.0
        for seconds, found in looks:
            report = await one.after(seconds, found)
            found_at.append((one.clock.now, found.state))
            recent = [state for at, state in found_at if at > one.clock.now - health.STEADY]
            told = State[report["state"].upper()]
            assert told <= min(recent)
            assert report["looked"] == one.clock.now
            since = cast(float, report["since"])
            assert last <= since <= one.clock.now
            last = since

    asyncio.run(run())


# Looks


async def test_a_fresh_look_is_used_again() -> None:
    one = One()
    for _ in range(5):
        await one.after(0.1, WELL)
    assert one.looked.looks == 1
    await one.after(health.FRESH, WELL)
    assert one.looked.looks == 2


async def test_two_that_ask_at_once_share_a_look() -> None:
    one = One()
    await asyncio.gather(*(one.health.look() for _ in range(10)))
    assert one.looked.looks == 1


async def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "INTERVAL", 0.001)
    looked = Looked()
    clock = Clock()
    made = Health([looked.check], clock, clock)
    before = asyncio.all_tasks()
    made.start()
    made.start()
    assert len(asyncio.all_tasks() - before) == 1
    await until(lambda: looked.looks == 1)
    clock.now += 10
    await until(lambda: looked.looks == 2)
    made.stop()
    await until(lambda: asyncio.all_tasks() == before)


async def test_a_report_begins_looks_and_waits_for_none() -> None:
    looked = Looked(found=BAD)
    made = Health([looked.check])
    assert made.report()[0]["since"] is None
    await until(lambda: made.report()[0]["state"] == "degraded")


# Bad checks


def raising(error: BaseException) -> Callable[[], Awaitable[Finding]]:
    async def look() -> Finding:
        raise error

    return look


@pytest.mark.parametrize(
    "look",
    [
        raising(ValueError("sk-secret")),
        raising(RecursionError()),
        raising(asyncio.CancelledError()),
        raising(GeneratorExit()),
        cast(Any, lambda: None),
        cast(Any, lambda: asyncio.sleep(0)),
    ],
    ids=["error", "recursion", "cancelled", "exit", "nothing to wait for", "no finding"],
)
async def test_one_that_raises_is_degraded_itself(
    look: Callable[[], Awaitable[Finding]], caplog: pytest.LogCaptureFixture
) -> None:
    clock, well = Clock(), Looked("well")
    made = Health([Check("bad", look), well.check], clock, clock)
    for _ in range(3):
        await made.look()
        clock.now += 2
    reports = made.report()
    assert [report["state"] for report in reports] == ["degraded", "healthy"]
    assert "failed itself" in reports[0]["message"]
    assert "sk-secret" not in caplog.text + reports[0]["message"]
    assert sum("The check bad failed itself:" in message for message in caplog.messages) == 1, "said once"


async def test_one_that_hangs_keeps_nothing_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.02)
    monkeypatch.setattr(health, "FRESH", 0.0)
    monkeypatch.setattr(health, "STEADY", 0.0)
    go, begun = threading.Event(), []

    def hang() -> Finding:
        begun.append(threading.current_thread())
        go.wait(30)
        return WELL

    well = Looked("well")
    made = Health([Check("stuck", lambda: in_thread(hang)), well.check])
    for looks in range(1, 6):
        await made.look()
        stuck, other = made.report()
        assert (stuck["state"], stuck["looked"], other["state"]) == ("degraded", None, "healthy")
        assert "longer than" in stuck["message"]
        assert well.looks >= looks
    (thread,) = begun
    assert thread.daemon, "the process may end meanwhile"
    go.set()
    await until(lambda: made.report()[0]["state"] == "healthy", made.report)
    made.stop()


async def test_a_look_under_way_ends_with_the_process() -> None:
    ended = asyncio.Event()

    async def forever() -> Finding:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return WELL

    made = Health([Check("stuck", forever)])
    made.start()
    await until(lambda: made._checks["stuck"].looking is not None)
    await asyncio.sleep(0)
    made.stop()
    await asyncio.wait_for(ended.wait(), 20)


# In a thread


async def test_a_thread_gives_what_it_returns_or_raises() -> None:
    assert await in_thread(lambda: threading.current_thread() is threading.main_thread()) is False
    for error in (OSError("x"), StopIteration()):

        def fail(error: Exception = error) -> None:
            raise error

        with pytest.raises((OSError, RuntimeError)):
            await in_thread(fail)


async def test_a_thread_that_nobody_waits_for_any_more_harms_nothing() -> None:
    go, ended = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(30)
        ended.set()

    waiting = asyncio.ensure_future(in_thread(work))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    go.set()
    await until(ended.is_set)
    await asyncio.sleep(0)
    assert not failures


def test_a_thread_that_outlives_the_loop_harms_nothing() -> None:
    go, threads = threading.Event(), []

    def work() -> None:
        threads.append(threading.current_thread())
        go.wait(30)

    async def run() -> None:
        waiting = asyncio.ensure_future(in_thread(work))
        await until(lambda: threads)
        waiting.cancel()

    failed: list[object] = []
    before, threading.excepthook = threading.excepthook, failed.append
    try:
        asyncio.run(run())
        go.set()
        threads[0].join(20)
    finally:
        threading.excepthook = before
    assert not failed
