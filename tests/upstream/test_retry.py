from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.admission import QueueTimeout
from hunyuan_fix.circuit import Verdict
from hunyuan_fix.upstream import retry
from hunyuan_fix.upstream.circuit_breaker import CircuitOpen
from hunyuan_fix.upstream.client import CallFailed, CallTimedOut
from hunyuan_fix.upstream.retry import BACKOFF_MOST, Retryable, persist
from hunyuan_fix.upstream.timing import Timing


@dataclass
class Trial:
    """`persist` over results that are given beforehand, on a clock of its own; its waits are noted."""

    results: list[Retryable[str] | str]
    jitter: Callable[[], float] = lambda: 1.0
    takes: float = 0.0
    """Seconds that one try takes."""
    time: float = 0.0
    waits: list[float] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    noted: list[tuple[str, int]] = field(default_factory=list)

    async def run(self, tries: int = 10, until: float = math.inf) -> str:
        async def attempt(_number: int) -> str | Retryable[str]:
            self.began.append(self.time)
            self.time += self.takes
            return self.results[min(len(self.began), len(self.results)) - 1]

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)
            self.time += seconds

        return await persist(
            attempt,
            tries=tries,
            until=until,
            on_retryable=lambda setback, number: self.noted.append((setback.what, number)),
            timing=Timing(sleep=sleep, jitter=self.jitter, clock=lambda: self.time),
        )


async def test_the_first_success_is_the_result() -> None:
    trial = Trial([Retryable("a", "no"), Retryable("b", "no"), "yes", "never"])
    assert await trial.run() == "yes"
    assert len(trial.began) == 3
    assert trial.noted == [("a", 1), ("b", 2)]


async def test_the_last_outcome_counts_when_no_try_is_left() -> None:
    trial = Trial([Retryable("a", "first"), Retryable("b", "second"), "too late"])
    assert await trial.run(tries=2) == "second"
    assert len(trial.waits) == 1


@pytest.mark.parametrize("tries", [1, 0])
async def test_one_try_is_made_always(tries: int) -> None:
    trial = Trial([Retryable("a", "no"), "yes"])
    assert await trial.run(tries=tries) == "no"
    assert (len(trial.began), trial.waits) == (1, [])


async def test_backoff_doubles_up_to_its_most() -> None:
    trial = Trial([Retryable("a", "no")])
    await trial.run(tries=7)
    assert trial.waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


async def test_jitter_is_full() -> None:
    jitter = iter([0.0, 0.25, 0.5, 1.0])
    trial = Trial([Retryable("a", "no")], jitter=lambda: next(jitter))
    await trial.run(tries=4)
    assert trial.waits == [0.0, 0.5, 2.0]


async def test_what_the_endpoint_asks_for_is_waited() -> None:
    trial = Trial([Retryable("a", "no", 20.0), Retryable("b", "no", 0.0), Retryable("c", "no"), "yes"])
    assert await trial.run() == "yes"
    assert trial.waits == [20.0, 0.0, 4.0]


async def test_a_wait_that_would_outlast_the_deadline_is_not_begun() -> None:
    trial = Trial([Retryable("a", "no", 30.0)], takes=5.0)
    assert await trial.run(until=70.0) == "no"
    assert trial.began == [0.0, 35.0]
    assert trial.waits == [30.0]


async def test_what_a_try_raises_is_raised() -> None:
    async def broken(_: int) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await persist(broken, tries=3, until=math.inf, timing=Timing())


async def test_cancelling_ends_a_try() -> None:
    begun = 0

    async def endless(_: int) -> str:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()
        raise AssertionError

    persisting = asyncio.create_task(persist(endless, tries=3, until=math.inf, timing=Timing()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    persisting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await persisting
    assert begun == 1


async def test_cancelling_ends_a_wait() -> None:
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async def failing(_: int) -> str | Retryable[str]:
        return Retryable("a", "no")

    persisting = asyncio.create_task(persist(failing, tries=3, until=math.inf, timing=Timing(sleep=sleep)))
    await waiting.wait()
    persisting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await persisting


@given(
    setbacks=st.lists(st.one_of(st.none(), st.floats(0, 50)), max_size=12),
    jitter=st.lists(st.floats(0, 1), min_size=12, max_size=12),
    tries=st.integers(1, 8),
    until=st.floats(0, 100),
    takes=st.floats(0, 10),
)
def test_bounds_hold(setbacks: list[float | None], jitter: list[float], tries: int, until: float, takes: float) -> None:
    """Whatever comes back: so many tries at most, none begun too late, no wait shorter than was asked for."""
    drawn = iter(jitter)
    trial = Trial([*(Retryable("a", "no", wait) for wait in setbacks), "yes"], jitter=lambda: next(drawn), takes=takes)
    result = asyncio.run(trial.run(tries, until))
    assert 1 <= len(trial.began) <= tries
    assert all(time < until for time in trial.began[1:])
    assert len(trial.waits) == len(trial.began) - 1
    for number, (waited, asked) in enumerate(zip(trial.waits, setbacks, strict=False)):
        assert waited == asked if asked is not None else 0 <= waited <= min(BACKOFF_MOST, 2.0**number)
    assert (result == "yes") == (len(trial.began) == len(setbacks) + 1)


def error(code: str, message: str = "x") -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "type": "runtime_error"}}).encode()


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", error("9999")])
def test_which_statuses_may_pass(profile: str, body: bytes) -> None:
    passing = [s for s in range(300, 600) if retry.may_pass(s, body, profiles.load(profile), "m")]
    assert passing == [408, 409, 425, 429, 500, 502, 503, 504, 529]


@pytest.mark.parametrize(
    ("profile", "status", "body", "passes"),
    [
        ("hunyuan", 400, error("2003", "请求限频，请稍后重试"), True),
        ("hunyuan", 400, error("rate_limit_exceeded"), True),
        ("hunyuan", 400, error("1001"), False),
        ("hunyuan", 400, error("3008", "资源包余量已用尽"), False),
        ("hunyuan", 429, error("3008", "资源包余量已用尽"), False),
        ("hunyuan", 500, error("1006", "模型不存在"), False),
        ("tokenhub", 402, error("401007", "FREE_QUOTA_EXHAUSTED"), False),
        ("tokenhub", 429, error("429001", "rate limit exceeded on dimension: rpm"), True),
    ],
)
def test_errors_are_read_as_the_endpoint_means_them(profile: str, status: int, body: bytes, passes: bool) -> None:
    assert retry.may_pass(status, body, profiles.load(profile), "m") is passes


def test_what_an_answer_says_about_its_upstream() -> None:
    down = [status for status in range(100, 600) if retry.verdict(status) is Verdict.DOWN]
    assert down == [502, 503, 504]
    assert retry.verdict(500) is Verdict.UP


@pytest.mark.parametrize("kind", [CallFailed, CallTimedOut])
def test_what_a_failure_says_about_its_upstream(kind: type[CallFailed]) -> None:
    assert retry.failure_verdict(kind("x")) is Verdict.DOWN
    assert retry.failure_verdict(kind("x", begun=True)) is Verdict.UNKNOWN


def test_which_refusals_are_waited_for() -> None:
    is_open = CircuitOpen("https://a.example/v1", 12.0)
    assert retry.refused(is_open, again=False) is is_open.response
    assert retry.refused(is_open, again=True) == Retryable("circuit open", is_open.response, 12.0)
    late = QueueTimeout(1, 60.0, 5.0)
    assert retry.refused(late, again=True) is late.response
