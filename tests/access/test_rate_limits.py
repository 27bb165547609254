from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from hunyuan_fix.access.client_tokens import Quota
from hunyuan_fix.access.rate_limits import RateLimits, estimated_tokens
from hunyuan_fix.exchange import Response
from hunyuan_fix.stores import redis as redis_store
from hunyuan_fix.stores.guard import FIRST_PAUSE, LONGEST_PAUSE
from hunyuan_fix.stores.redis import redis_client
from tests.redis_server import RedisServer

BUDGET = 0.1


class Clock:
    """What the time is. `limits` and the module both look at `time.time`."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


def limited(requests: int = 0, tokens: int = 0, clock: Callable[[], float] = time.monotonic) -> RateLimits:
    return RateLimits(lambda _: Quota(requests, tokens), budget=BUDGET, clock=clock)


async def admitted(limits: RateLimits, client: str = "alice") -> dict[str, str]:
    answer = await limits.admit(client)
    assert isinstance(answer, dict), answer
    return answer


async def refused(limits: RateLimits, client: str = "alice") -> Response:
    answer = await limits.admit(client)
    assert isinstance(answer, Response), answer
    return answer


async def test_without_limits_nothing_is_counted_or_said():
    limits = limited()
    await limits.charge("alice", 10**9)
    assert await admitted(limits) == {}


async def test_requests_a_minute(clock: Clock):
    limits = limited(requests=3)
    told = [await admitted(limits) for _ in range(3)]
    assert [headers["x-ratelimit-remaining-requests"] for headers in told] == ["2", "1", "0"]
    assert {headers["x-ratelimit-limit-requests"] for headers in told} == {"3"}
    refusal = await refused(limits)
    assert refusal.status == 429
    error = json.loads(refusal.body)["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "3 requests a minute" in error["message"]
    assert refusal.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-should-retry" not in refusal.headers
    assert "x-ratelimit-limit-tokens" not in refusal.headers


async def test_clients_don_t_count_for_each_other(clock: Clock):
    limits = limited(requests=1, tokens=10)
    await admitted(limits)
    await limits.charge("alice", 10)
    await refused(limits)
    assert (await admitted(limits, "bob"))["x-ratelimit-remaining-tokens"] == "10"


async def test_a_refused_request_is_not_counted(clock: Clock):
    limits = limited(requests=1)
    await admitted(limits)
    for _ in range(20):
        await refused(limits)
    clock.now += 120
    await admitted(limits)


async def test_tokens_a_minute_are_charged_afterwards_even_past_the_limit(clock: Clock):
    limits = limited(tokens=1000)
    assert (await admitted(limits))["x-ratelimit-remaining-tokens"] == "1000"
    await limits.charge("alice", 400)
    told = await admitted(limits)
    assert (told["x-ratelimit-remaining-tokens"], told["x-ratelimit-reset-tokens"]) == ("600", "60s")
    clock.now += 48.5
    await limits.charge("alice", 5000)
    refusal = await refused(limits)
    assert "1000 tokens a minute" in json.loads(refusal.body)["error"]["message"]
    assert refusal.headers["x-ratelimit-remaining-tokens"] == "0"
    assert refusal.headers["x-ratelimit-reset-tokens"] == "12s"
    assert refusal.headers["retry-after"] == "13"
    assert b"Try again in 13 s." in refusal.body
    clock.now += 12
    assert (await admitted(limits))["x-ratelimit-remaining-tokens"] == "1000"


@pytest.mark.parametrize("nothing", [0, -5])
async def test_no_tokens_are_no_charge(clock: Clock, nothing: int):
    limits = limited(tokens=10)
    await limits.charge("alice", nothing)
    assert (await admitted(limits))["x-ratelimit-remaining-tokens"] == "10"


async def test_a_request_refused_for_its_tokens_takes_no_request(clock: Clock):
    limits = limited(requests=5, tokens=10)
    await limits.charge("alice", 10)
    refusal = await refused(limits)
    assert refusal.headers["x-ratelimit-remaining-requests"] == "5"
    assert refusal.headers["x-ratelimit-remaining-tokens"] == "0"


@settings(deadline=None)
@given(
    st.integers(1, 40),
    st.lists(st.floats(0, 40, allow_nan=False), max_size=60),
    st.floats(0, 60, allow_nan=False),
)
def test_who_comes_again_after_retry_after_is_let_in(limit: int, pauses: list[float], start: float):
    async def scenario(clock: Clock) -> None:
        limits = limited(requests=limit)
        for pause in pauses:
            clock.now += pause
            await limits.admit("alice")
        answer = await limits.admit("alice")
        while isinstance(answer, dict):
            answer = await limits.admit("alice")
        wait = int(answer.headers["retry-after"])
        assert 1 <= wait <= 62
        clock.now += wait
        assert isinstance(await limits.admit("alice"), dict)

    with pytest.MonkeyPatch.context() as monkeypatch:
        clock = Clock()
        clock.now += start
        monkeypatch.setattr(time, "time", clock)
        asyncio.run(scenario(clock))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.floats(0, 60, allow_nan=False), st.lists(st.floats(0, 5, allow_nan=False), max_size=150))
def test_no_minute_sees_more_than_twice_the_limit_and_a_burst_never_more_than_it(
    limit: int, start: float, pauses: list[float]
):
    times: list[float] = []

    async def scenario(clock: Clock) -> None:
        limits = limited(requests=limit)
        for pause in pauses:
            clock.now += pause
            if isinstance(await limits.admit("alice"), dict):
                times.append(clock.now)

    with pytest.MonkeyPatch.context() as monkeypatch:
        clock = Clock()
        clock.now += start
        monkeypatch.setattr(time, "time", clock)
        asyncio.run(scenario(clock))
    for at in times:
        assert sum(at <= other < at + 60 for other in times) <= 2 * limit
        assert sum(at <= other < at + 1 for other in times) <= limit + limit / 60 + 1


async def test_at_the_same_time_no_more_than_the_limit(clock: Clock):
    limits = limited(requests=10)
    answers = await asyncio.gather(*(limits.admit("alice") for _ in range(50)))
    assert sum(isinstance(answer, dict) for answer in answers) == 10


def test_an_estimate_where_no_usage_is_told():
    assert estimated_tokens(0, 0, streamed=False) == 0
    assert estimated_tokens(400, 40, streamed=False) == 110
    assert 0 < estimated_tokens(0, 20_000, streamed=True) < estimated_tokens(0, 20_000, streamed=False)


# With Redis


@asynccontextmanager
async def sharing(server: RedisServer, limits: RateLimits) -> AsyncIterator[RateLimits]:
    """`limits` over Redis, with a client of its own as each worker has."""
    redis = Redis.from_url(server.url)
    limits.share(redis)
    try:
        yield limits
    finally:
        await redis.aclose()


def patient(requests: int = 0, tokens: int = 0) -> RateLimits:
    """For tests in which Redis is well, however busy the machine is."""
    return RateLimits(lambda _: Quota(requests, tokens), budget=30)


async def test_two_workers_share_one_limit(redis_server: RedisServer):
    async with (
        sharing(redis_server, patient(requests=20, tokens=1000)) as one,
        sharing(redis_server, patient(requests=20, tokens=1000)) as other,
    ):
        answers = await asyncio.gather(*(worker.admit("alice") for worker in (one, other) for _ in range(30)))
        assert sum(isinstance(answer, dict) for answer in answers) == 20
        assert isinstance(await one.admit("bob"), dict)
        await one.charge("bob", 400)
        assert (await admitted(other, "bob"))["x-ratelimit-remaining-tokens"] == "600"
        await other.charge("bob", 700)
        refusal = await refused(one, "bob")
        assert 1 <= int(refusal.headers["retry-after"]) <= 61
        assert (one.bypasses, other.bypasses) == (0, 0)


async def test_limits_outlive_a_worker(redis_server: RedisServer):
    async with sharing(redis_server, patient(requests=1)) as worker:
        await admitted(worker)
    async with sharing(redis_server, patient(requests=1)) as successor:
        await refused(successor)


async def test_what_redis_keeps_goes_by_itself_and_names_no_token(redis_server: RedisServer):
    async with sharing(redis_server, patient(requests=5, tokens=5)) as limits:
        await admitted(limits)
        await limits.charge("alice", 1)
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        keys = await redis.keys()
        assert len(keys) == 2
        for key in keys:
            assert key.startswith("hunyuan-fix:")
            assert 0 < await redis.ttl(key) <= 120


class Manual:
    """A monotonic clock that stands until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def spared() -> Manual:
    return Manual()


@pytest.mark.parametrize("fault", ["stop", "pause"])
async def test_a_redis_that_fails_is_by_passed_and_taken_back(
    redis_server: RedisServer, spared: Manual, fault: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "hunyuan_fix")
    async with sharing(redis_server, limited(requests=3, clock=spared)) as limits:
        getattr(redis_server, fault)()
        answers = [await limits.admit("alice") for _ in range(5)]
        assert [isinstance(answer, dict) for answer in answers] == [True, True, True, False, False]
        assert limits.bypasses == 5
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        spared.now += FIRST_PAUSE  # it is still away
        await refused(limits)
        assert len(caplog.records) == 1

        redis_server.start() if fault == "stop" else redis_server.resume()
        await refused(limits)  # not asked yet
        assert limits.bypasses == 7
        limits.budget = 30.0
        spared.now += LONGEST_PAUSE
        assert isinstance(await limits.admit("alice"), dict)  # nothing was counted there, or one that came too late
        assert limits.bypasses == 7
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_while_one_request_tries_a_redis_that_hangs_the_others_don_t(redis_server: RedisServer, spared: Manual):
    async with sharing(redis_server, limited(requests=100, clock=spared)) as limits:
        redis_server.pause()
        await limits.admit("alice")
        spared.now += FIRST_PAUSE
        limits.budget = 30.0
        trying = asyncio.create_task(limits.admit("alice"))
        await asyncio.sleep(0)
        for _ in range(10):
            await admitted(limits)
        assert not trying.done()
        assert limits.bypasses == 11
        redis_server.resume()
        assert isinstance(await trying, dict)
        assert limits.bypasses == 11


async def test_a_request_that_is_cancelled_leaves_no_harm(redis_server: RedisServer):
    async with sharing(redis_server, patient(requests=5)) as limits:
        redis_server.pause()
        asking = asyncio.create_task(limits.admit("alice"))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        redis_server.resume()
        for _ in range(3):
            await admitted(limits)
        assert limits.bypasses == 0


async def test_with_the_client_that_everything_here_uses(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(redis_store, "TIMEOUT", 30.0)  # however busy the machine is
    workers = [patient(requests=20, tokens=100) for _ in range(2)]
    clients = [redis_client(redis_server.url) for _ in workers]
    for worker, client in zip(workers, clients, strict=True):
        worker.share(client)
    answers = await asyncio.gather(*(worker.admit("alice") for worker in workers for _ in range(30)))
    assert sum(isinstance(answer, dict) for answer in answers) == 20
    assert [worker.bypasses for worker in workers] == [0, 0]
    for client in clients:
        await client.aclose()


async def test_no_longer_shared(redis_server: RedisServer):
    async with sharing(redis_server, patient(requests=1)) as limits:
        await admitted(limits)
        limits.share(None)
        await admitted(limits)
        await refused(limits)
        assert limits.bypasses == 0
