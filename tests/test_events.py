"""What exchanges tell on their way: a real mitmproxy, and a sink that hears every kind of event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import KINDS, Event
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)
from tests.waiting import until

CHAT: dict[str, Any] = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "CONTENT"}]}
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
PICTURE = CHAT | {
    "messages": [
        {
            "role": "user",
            "content": [{"type": "text", "text": "CONTENT"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
        }
    ],
    "tools": TOOLS,
}
STREAM = (
    b'data: {"choices":[{"index":0,"delta":{"content":"CONTENT"},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)
KEY = "sk-0123456789abcdef0123456789abcdef"


class Everything:
    """Keeps all events."""

    name = "everything"
    kinds: Iterable[str] = KINDS

    def __init__(self) -> None:
        self.events: list[Event] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: str) -> dict[str, Any]:
        """The data of the only event of `kind`."""
        (event,) = [event for event in self.events if event.kind == kind]
        return event.data

    def kinds_heard(self) -> list[str]:
        return [event.kind for event in self.events]


@asynccontextmanager
async def listening(trust: Trust, endpoint: Endpoint, **options: Any) -> AsyncIterator[tuple[Proxy, Everything]]:
    heard = Everything()
    async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", **options) as proxy:
        proxy.addon.runtime.sinks.add(heard)
        yield proxy, heard


async def told(
    trust: Trust, answer: Any, body: dict[str, Any], path: str = "/chat/completions", **options: Any
) -> Everything:
    """All events of one request, whose content and key are in none of them."""
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with listening(trust, endpoint, **options) as (proxy, heard):
            async with proxy.client(headers={"authorization": f"Bearer {KEY}", "x-api-key": KEY}) as client:
                await client.post(path, json=body)
            await until(lambda: events.DONE in heard.kinds_heard())
    plain = json.dumps([event.data for event in heard.events])
    assert "CONTENT" not in plain
    assert KEY not in plain
    assert len({event.id for event in heard.events}) == 1
    times = [event.at for event in heard.events]
    assert times == sorted(times)
    return heard


async def test_a_chat_request_comes_is_repaired_sent_answered_and_over(trust: Trust):
    heard = await told(trust, chat_answer("CONTENT"), CHAT | {"top_k": 5})
    assert heard.kinds_heard() == [events.CAME, events.REPAIRED, events.SENT, events.FIRST_BYTE, events.DONE]
    assert heard.of(events.CAME)["profile"] == "hunyuan"
    assert heard.of(events.REPAIRED)["rules"] == ["parameters"]
    sent = heard.of(events.SENT)
    assert (sent["upstream"], sent["model"]) == (LOCAL, "hunyuan-lite")
    assert 0 < sent["bytes"] < 200
    assert heard.of(events.FIRST_BYTE)["status"] == 200
    over = heard.of(events.DONE)
    assert (over["status"], over["how"], over["rules"], over["rewritten"]) == (200, "answered", ["parameters"], True)
    assert over["ms"] >= over["first_byte_ms"] > 0
    assert over.keys() == events.Done.__annotations__.keys()


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_format_is_translated_first(trust: Trust, streamed: bool):
    body = CHAT | {"max_tokens": 5, "stream": streamed}
    answer = stream_answer(*STREAM) if streamed else chat_answer("CONTENT")
    heard = await told(trust, answer, body, "/messages", hunyuan_translate="always")
    assert heard.kinds_heard()[:3] == [events.CAME, events.TRANSLATED, events.REPAIRED]
    assert heard.of(events.TRANSLATED) == {"dialect": "anthropic"}
    over = heard.of(events.DONE)
    assert (over["dialect"], over["streamed"], over["status"]) == ("anthropic", streamed, 200)


async def test_descriptions_of_images_are_told_call_by_call(trust: Trust):
    heard = await told(trust, chat_answer("CONTENT"), PICTURE)
    described = heard.of(events.DESCRIBED)
    assert (described["calls"], described["cached"]) == (1, 0)
    (image,) = described["images"]
    assert (image["outcome"], image["tries"], image["status"]) == ("described", 1, 200)
    assert described["ms"] >= image["ms"] > 0
    over = heard.of(events.DONE)
    assert over["vision_calls"] == 1
    assert over["vision_ms"] == described["ms"]


async def test_further_tries_say_why(trust: Trust):
    answers = iter([json_answer({}, status=503), json_answer({}, status=503), chat_answer("CONTENT")])
    heard = await told(
        trust, lambda _: next(answers), CHAT, hunyuan_retry="all", hunyuan_retry_tries="3", hunyuan_breaker_failures="9"
    )
    assert heard.kinds_heard()[2:5] == [events.SENT, events.RETRIED, events.RETRIED]
    tries = [event.data for event in heard.events if event.kind == events.RETRIED]
    assert [one["number"] for one in tries] == [2, 3]
    assert all("503" in one["reason"] for one in tries)
    assert heard.of(events.DONE)["tries"] == 3


async def test_a_mended_try_says_whether_it_helped(trust: Trust):
    refused = {"error": {"message": "Unsupported parameter: 'seed' is not supported with this model.", "param": "seed"}}

    def answer(request: Arrived) -> Answer:
        return json_answer(refused, status=400) if "seed" in request.json else chat_answer("CONTENT")

    body = CHAT | {"model": "a-model", "seed": 5}
    heard = await told(trust, answer, body, hunyuan_profile="tokenhub")
    assert heard.of(events.MENDED)["outcome"] == "helped"
    assert heard.of(events.RETRIED) == {"number": 2, "reason": "mended"}


async def test_what_the_proxy_refuses_is_never_sent(trust: Trust):
    heard = await told(trust, Answer(), CHAT | {"stop": "x" * 2000}, hunyuan_max_body="1k")
    assert heard.kinds_heard() == [events.CAME, events.REPAIRED, events.DONE]
    over = heard.of(events.DONE)
    assert (over["status"], over["how"]) == (413, "refused")
    assert over["failure"].startswith("request_too_large")


async def test_a_request_that_waits_for_a_slot_says_so(trust: Trust):
    go = asyncio.Event()

    async def answer(_: Arrived) -> Answer:
        await go.wait()
        return chat_answer("CONTENT")

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with (
            listening(trust, endpoint, hunyuan_concurrency="1") as (proxy, heard),
            proxy.client(headers={"authorization": f"Bearer {KEY}"}) as client,
        ):
            first = asyncio.create_task(client.post("/chat/completions", json=CHAT))
            await until(lambda: events.SENT in heard.kinds_heard())
            second = asyncio.create_task(client.post("/chat/completions", json=CHAT))
            await until(lambda: events.QUEUED in heard.kinds_heard())
            go.set()
            await asyncio.gather(first, second)
            await until(lambda: heard.kinds_heard().count(events.DONE) == 2)
    (waiting,) = {event.id for event in heard.events if event.kind == events.QUEUED}
    sent = [event.data for event in heard.events if event.kind == events.SENT and event.id == waiting]
    assert sent[0]["waited_ms"] > 0


async def test_a_client_that_leaves_is_told_of(trust: Trust):
    async def answer(_: Arrived) -> Answer:
        await asyncio.Event().wait()
        return Answer()

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with listening(trust, endpoint) as (proxy, heard):
            async with proxy.client(headers={"authorization": f"Bearer {KEY}"}) as client:
                leaving = asyncio.create_task(client.post("/chat/completions", json=CHAT))
                await until(lambda: events.SENT in heard.kinds_heard())
                leaving.cancel()
            await until(lambda: events.DONE in heard.kinds_heard())
    over = heard.of(events.DONE)
    assert (over["how"], over["status"]) == ("failed", None)
