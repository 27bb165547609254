"""What is known by traffic: real calls through a real proxy, to an endpoint that fails and heals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, cast

import pytest

from hunyuan_fix import events
from hunyuan_fix.access.keys import KeySettings, LentKey
from hunyuan_fix.events import Done, Event
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.health import Check, CheckReport, Health, State, health, traffic
from hunyuan_fix.observe.health.traffic import FAILED, GOOD, LIMITED, Traffic
from tests.observe.health.clocks import Clock
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy, stream_answer
from tests.vision_server import image_part, png

GOOD_ANSWER = chat_answer("hello")
CHAT = {"model": "hy3", "messages": [{"role": "user", "content": "hi"}]}


def error(status: int, code: str = "", message: str = "no") -> Answer:
    return json_answer({"error": {"message": message, "type": "server_error", "code": code}}, status)


class Heard:
    """The checks by traffic of a running proxy, on a clock that a test sets."""

    def __init__(self, proxy: Proxy, endpoint: Endpoint) -> None:
        self.proxy, self.endpoint = proxy, endpoint
        self.clock = Clock()
        (self.traffic,) = [sink for sink in proxy.addon.runtime.sinks._sinks[events.DONE] if isinstance(sink, Traffic)]
        self.traffic._calls._clock = self.traffic._vision._clock = self.clock
        looks = (self.traffic.endpoint, self.traffic.key, self.traffic.vision, self.traffic.clock)
        names = ("endpoint", "key", "vision", "clock")
        self.health = Health(
            [Check(name, look) for name, look in zip(names, looks, strict=True)], self.clock, self.clock
        )

    async def call(self, answer: Answer, times: int = 1, body: dict[str, Any] = CHAT, **headers: str) -> list[int]:
        """The statuses of calls that the endpoint answers so."""
        self.endpoint.answer = answer
        async with self.proxy.client() as client:
            calls = [client.post("/chat/completions", json=body, headers=headers) for _ in range(times)]
            return [answered.status_code for answered in await asyncio.gather(*calls)]

    async def report(self, name: str, later: float = 2) -> CheckReport:
        self.clock.now += later
        await self.health.look()
        return next(report for report in self.health.report() if report["name"] == name)

    async def state(self, later: float = 2, name: str = "endpoint") -> tuple[str, float]:
        report = await self.report(name, later)
        return report["state"], cast(float, report["since"]) - 1000


@pytest.fixture
async def heard(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Heard]:
    async with run_proxy(
        trust,
        f"https://{LOCAL}:{endpoint.port}",
        hunyuan_breaker_failures="0",
        hunyuan_cascade="always",
        hunyuan_vision_model="hunyuan-vision",
        hunyuan_vision_tries="1",
    ) as proxy:
        yield Heard(proxy, endpoint)


# The endpoint


async def test_an_endpoint_that_fails_and_heals(heard: Heard) -> None:
    assert await heard.state() == ("healthy", 2)
    assert (await heard.report("endpoint"))["message"] == "No traffic yet."
    await heard.call(GOOD_ANSWER, 10)
    assert await heard.state() == ("healthy", 2)
    await heard.call(error(500), 2)
    assert await heard.state() == ("healthy", 2), "two may happen to anybody"
    await heard.call(error(500))
    assert await heard.state() == ("degraded", 10)
    assert (await heard.report("endpoint"))[
        "message"
    ] == "hunyuan: 3 of the last 13 calls failed. The log has a line for each."

    # Around the bound nothing flaps: it stays until less than a tenth fails.
    await heard.call(GOOD_ANSWER, 8)
    assert await heard.state() == ("degraded", 10)
    assert await heard.state(health.STEADY) == ("degraded", 10)
    await heard.call(GOOD_ANSWER, 12)
    assert await heard.state() == ("degraded", 10)
    assert await heard.state(health.STEADY) == ("healthy", 31)

    # What is old doesn't count, nor is silence a trouble.
    await heard.call(error(502), 20)
    assert await heard.state() == ("degraded", 48)
    assert await heard.state(traffic.WINDOW + 10) == ("degraded", 48)
    assert await heard.state(health.STEADY) == ("healthy", 238)
    assert (await heard.report("endpoint"))["message"] == "No call in the last minutes."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (GOOD_ANSWER, "healthy"),
        (error(400), "healthy"),
        (error(404, "model_not_found"), "healthy"),
        (error(401), "healthy"),
        (error(500), "degraded"),
        (error(503), "degraded"),
        (error(529), "degraded"),
        (error(429), "degraded"),
        (json_answer({"error": {"message": "额度已用尽", "code": "insufficient_quota", "type": "x"}}, 429), "degraded"),
        (Answer(502, {"content-type": "text/html"}, [b"<html>"]), "degraded"),
    ],
    ids=["good", "400", "404", "401", "500", "503", "529", "429", "quota", "page"],
)
async def test_what_counts_as_failed(heard: Heard, answer: Answer, expected: str) -> None:
    await heard.call(answer, 4)
    assert (await heard.state())[0] == expected
    assert sum(heard.traffic._calls.counts().values()) == 4


async def test_limits_are_called_so(heard: Heard) -> None:
    await heard.call(error(429), 4)
    assert "4 of the last 4 calls met a rate limit" in (await heard.report("endpoint"))["message"]


async def test_a_stream_that_breaks_off_has_failed(heard: Heard) -> None:
    cut = stream_answer(b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n')
    await heard.call(cut, 3, {**CHAT, "stream": True})
    assert (await heard.state())[0] == "degraded"


async def test_an_endpoint_that_is_not_there(trust: Trust, endpoint: Endpoint) -> None:
    async with run_proxy(trust, f"https://{LOCAL}:1", hunyuan_breaker_failures="3") as proxy:
        heard = Heard(proxy, endpoint)
        for _ in range(4):
            assert (await heard.call(GOOD_ANSWER))[0] in (502, 503)
        report = await heard.report("endpoint")
        assert report["state"] == "degraded"
        assert report["message"].startswith(f"Not called for a while, since it failed again and again: {LOCAL}.")
        assert heard.traffic._calls.counts() == {f"hunyuan {FAILED}": 3}, "what the breaker refuses is no call"


async def test_a_client_that_leaves_says_nothing_of_the_endpoint(heard: Heard) -> None:
    begun = asyncio.Event()

    async def slow(_: object) -> Answer:
        begun.set()
        await asyncio.sleep(30)
        return GOOD_ANSWER

    heard.endpoint.answer = slow
    async with heard.proxy.client() as client:
        calling = asyncio.ensure_future(client.post("/chat/completions", json=CHAT))
        await begun.wait()
        calling.cancel()
        await asyncio.wait({calling})
    while heard.proxy.addon.process.finisher.under_way:
        await asyncio.sleep(0.01)
    assert not heard.traffic._calls.counts()


async def test_of_two_profiles_the_quiet_one_is_seen() -> None:
    clock = Clock()
    heard = Traffic(open_circuits=list, lent_key=LentKey, clock=clock)
    for number in range(100):
        heard.hear(ended(profile="tokenhub"))
        if number < 3:
            heard.hear(ended(status=500))
    found = await heard.endpoint()
    assert (found.state, found.message.partition(":")[0]) == (State.DEGRADED, "hunyuan")


def ended(**fields: Any) -> Event:
    exchange = Exchange(profile=fields.pop("profile", "hunyuan"), dialect="chat")
    how, status = fields.pop("how", "answered"), fields.pop("status", 200)
    return Event(events.DONE, "1", 0.0, {**done(exchange, "", how, status), **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, GOOD),
        ({"status": 429}, LIMITED),
        ({"status": 403, "error": "insufficient_quota"}, LIMITED),
        ({"status": 500}, FAILED),
        ({"status": 502, "how": "failed", "error": "upstream_unreachable"}, FAILED),
        ({"status": 200, "error": "stream_broken"}, FAILED),
        ({"status": None, "how": "failed"}, ""),
        ({"status": 503, "error": "upstream_down"}, ""),
        ({"status": 429, "error": "proxy_queue_full"}, ""),
        ({"status": 429, "how": "refused", "error": "rate_limit_exceeded"}, ""),
        ({"status": 401, "how": "refused", "error": "invalid_api_key"}, ""),
        ({"status": 200, "profile": ""}, ""),
    ],
)
def test_what_an_end_says(fields: dict[str, Any], expected: str) -> None:
    assert traffic.of_endpoint(cast(Done, ended(**fields).data)) == expected


# The key


async def test_a_lent_key_that_is_refused_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-one\n")
    file.chmod(0o600)
    key = LentKey({}).configured(KeySettings(file))
    heard = Traffic(open_circuits=list, lent_key=lambda: key)

    async def look() -> tuple[str, bool]:
        found = await heard.key()
        assert "sk-" not in found.message
        return found.state.word, "refused by: hunyuan" in found.message

    assert await look() == ("healthy", False)
    heard.hear(ended(status=401))
    assert await look() == ("healthy", False), "the client's own key"
    heard.hear(ended(status=401, lent=True, how="refused"))
    assert await look() == ("healthy", False), "the proxy's own refusal"
    heard.hear(ended(status=401, lent=True))
    assert await look() == ("degraded", True)
    heard.hear(ended(profile="tokenhub", lent=True))
    heard.hear(ended(status=500, lent=True))
    assert await look() == ("degraded", True), "neither another endpoint nor a fault says that it is good"
    heard.hear(ended(lent=True))
    assert await look() == ("healthy", False)

    heard.hear(ended(status=403, error="invalid_api_key", lent=True))
    assert await look() == ("degraded", True)
    file.write_text("sk-another\n")
    while key.value != "sk-another":
        await key.refresh()
    assert await look() == ("healthy", False), "of the new one nothing is known"

    file.chmod(0o644)
    for _ in range(3):
        await key.refresh()
    assert (await heard.key()).message.startswith(f"{file} is missing or can't be used")
    file.unlink()
    for _ in range(3):
        await key.refresh()
    assert await look() == ("degraded", False)
    file.write_text("sk-another\n")
    file.chmod(0o600)
    for _ in range(3):
        await key.refresh()
    assert await look() == ("healthy", False)


async def test_no_key_is_lent() -> None:
    heard = Traffic(open_circuits=list, lent_key=lambda: LentKey({}))
    assert (await heard.key()).message == "No key is lent: clients send their own."


async def test_a_key_that_is_lent_to_real_calls(
    trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-of-the-proxy")
    upstream = f"https://{LOCAL}:{endpoint.port}/v1"
    async with run_proxy(trust, "https://tokenhub.tencentmaas.com", hunyuan_upstream=upstream) as proxy:
        heard = Heard(proxy, endpoint)
        await heard.call(error(401), 1, authorization="Bearer sk-own")
        assert (await heard.state(name="key"))[0] == "healthy"
        assert await heard.call(error(401), 1) == [401]
        assert endpoint.arrived[-1].headers["authorization"] == "Bearer sk-of-the-proxy"
        assert await heard.state(name="key") == ("degraded", 4)
        await heard.call(GOOD_ANSWER, 1)
        await heard.state(name="key")
        assert await heard.state(health.STEADY, name="key") == ("healthy", 6)


# The vision model


async def test_a_vision_model_that_fails_and_heals(heard: Heard) -> None:
    def seen(name: str) -> dict[str, Any]:
        return {"model": "hunyuan-lite", "messages": [{"role": "user", "content": [image_part(png(name))]}]}

    assert (await heard.report("vision"))["message"] == "No vision call yet."
    for number in range(3):
        assert (await heard.call(error(503), 1, seen(f"bad {number}")))[0] >= 500
    report = await heard.report("vision")
    assert (report["state"], report["since"]) == ("degraded", 1004)
    assert "3 of the last 3 vision calls failed" in report["message"]
    for number in range(28):
        assert await heard.call(GOOD_ANSWER, 1, seen(f"good {number}")) == [200]
    await heard.state(name="vision")
    assert await heard.state(health.STEADY, name="vision") == ("healthy", 6)
    assert (await heard.report("vision"))["message"] == "3 of the last 31 vision calls failed."
    assert (await heard.report("vision", 200))["message"] == "No vision call in the last minutes."


# The clock


async def test_the_date_of_real_answers(heard: Heard) -> None:
    assert (await heard.report("clock"))["message"] == "No answer has told the time yet."
    await heard.call(GOOD_ANSWER)
    assert "agrees" in (await heard.report("clock"))["message"]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ([0, 100, -100], "agrees"),
        ([-130], "130 s fast"),
        ([130], "130 s slow"),
        ([-4000, -4000, -5, -4000], "agrees"),
        ([-5, *[-7200] * 5], "7200 s fast"),
    ],
)
async def test_a_clock_that_is_wrong(dates: list[int], expected: str) -> None:
    heard, now = Traffic(open_circuits=list, lent_key=LentKey), 1_790_000_000.0
    for skew in dates:
        heard.hear(Event(events.FIRST_BYTE, "1", now, {"status": 200, "date": formatdate(now + skew, usegmt=True)}))
    assert expected in (await heard.clock()).message


@pytest.mark.parametrize(
    "date", ["", "x", "Mon, 99 Nov 2026 00:00:00 GMT", "a, b", "Sun, 29 Nov 2026 00:00:00", "0" * 5000, "\u4e2d"]
)
async def test_a_date_that_is_none(date: str) -> None:
    heard = Traffic(open_circuits=list, lent_key=LentKey)
    heard.hear(Event(events.FIRST_BYTE, "1", 0.0, {"status": 200, "date": date}))
    await heard.clock()
