"""What is told of calls that have to be paid (`events.PAID`): a real mitmproxy, and a sink that hears them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event, Paid
from hunyuan_fix.exchange import Exchange, Response
from hunyuan_fix.upstream import paid
from hunyuan_fix.upstream.told_call import Told, ToldCall
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)
from tests.test_events import CHAT, PICTURE
from tests.waiting import until

USAGE = {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49, "prompt_tokens_details": {"cached_tokens": 8}}
COUNTS = {"input": 40, "cached": 8, "output": 9}
ANSWER = {
    "id": "1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


class PaidCalls:
    """Keeps what is told of paid calls."""

    name = "paid"
    kinds = (events.PAID,)

    def __init__(self) -> None:
        self.calls: list[Paid] = []

    def hear(self, event: Event) -> None:
        assert event.data.keys() == Paid.__annotations__.keys()
        self.calls.append(event.data)  # type: ignore[arg-type]


@asynccontextmanager
async def heard(trust: Trust, **options: Any) -> AsyncIterator[tuple[Endpoint, Proxy, PaidCalls]]:
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", **options) as proxy,
    ):
        sink = PaidCalls()
        proxy.addon.runtime.sinks.add(sink)
        yield endpoint, proxy, sink


def chunks(*said: str, end: dict[str, Any] | None = None) -> Iterator[bytes]:
    for text in said:
        yield b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"
    yield b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    if end is not None:
        yield b"data: " + json.dumps({"choices": [], "usage": end}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


async def test_a_whole_answer_is_paid_as_it_says(trust: Trust):
    async with heard(trust) as (endpoint, proxy, sink):
        endpoint.answer = json_answer(ANSWER)
        async with proxy.client() as client:
            await client.post("/chat/completions", json=CHAT)
        (paid,) = sink.calls
    assert paid["usage"] == COUNTS
    assert (paid["purpose"], paid["status"], paid["profile"]) == ("own", 200, "hunyuan")
    assert (paid["upstream"], paid["asked"], paid["model"]) == (LOCAL, "hunyuan-lite", "hunyuan-lite")
    assert not paid["is_estimated"]
    assert not paid["is_cancelled"]
    assert paid["ms"] > 0
    assert (paid["amount"], paid["currency"]) == (None, "")  # it has no price


async def test_a_stream_that_says_nothing_is_estimated_after_its_end(trust: Trust):
    async with heard(trust) as (endpoint, proxy, sink):
        endpoint.answer = stream_answer(*chunks(*["some words of an answer "] * 30))
        async with proxy.client() as client:
            await client.post("/chat/completions", json=CHAT | {"stream": True})
        await until(lambda: bool(sink.calls))
        (paid,) = sink.calls
    assert paid["is_estimated"]
    assert 100 < paid["usage"]["output"] < 250
    assert 0 < paid["usage"]["input"] < 40


async def test_a_stream_that_says_it_is_paid_so(trust: Trust):
    async with heard(trust) as (endpoint, proxy, sink):
        endpoint.answer = stream_answer(*chunks("hello", end=USAGE))
        async with proxy.client() as client:
            await client.post("/chat/completions", json=CHAT | {"stream": True})
        (paid,) = sink.calls
    assert paid["usage"] == COUNTS
    assert not paid["is_estimated"]


async def test_refused_and_failed_calls_have_no_tokens(trust: Trust):
    async with heard(trust) as (endpoint, proxy, sink):
        endpoint.answer = json_answer({"error": {"message": "no"}}, status=400)
        async with proxy.client() as client:
            await client.post("/chat/completions", json=CHAT)
        (paid,) = sink.calls
    assert (paid["status"], paid["usage"], paid["is_estimated"]) == (400, {}, False)


async def test_what_the_proxy_answers_itself_is_no_call(trust: Trust):
    async with heard(trust, hunyuan_same_request="2/3") as (endpoint, proxy, sink):
        endpoint.answer = json_answer(ANSWER)
        async with proxy.client() as client:
            answers = [await client.post("/chat/completions", json=CHAT) for _ in range(3)]
        assert answers[-1].status_code >= 400
        assert len(sink.calls) == len(endpoint.arrived) == 2


async def test_vision_calls_are_told_one_by_one_also_without_traces(trust: Trust):
    async with heard(trust) as (endpoint, proxy, sink):
        endpoint.answer = json_answer(ANSWER)
        async with proxy.client() as client:
            for _ in range(2):  # the second has its description from the cache
                await client.post("/chat/completions", json=PICTURE)
        calls = [(paid["purpose"], paid["model"], paid["usage"]) for paid in sink.calls]
    assert [purpose for purpose, _, _ in calls] == ["vision", "own", "own"]
    assert all(usage == COUNTS for _, _, usage in calls)
    assert calls[0][1] != calls[1][1]


async def test_parts_of_an_embeddings_request_are_told_and_not_their_sum(trust: Trust):
    def vectors(arrived: Arrived) -> Answer:
        texts = json.loads(arrived.body)["input"]
        data = [{"index": place, "embedding": [0.5], "object": "embedding"} for place in range(len(texts))]
        return json_answer({"data": data, "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}})

    async with heard(trust) as (endpoint, proxy, sink):
        endpoint.answer = vectors
        async with proxy.client() as client:
            body = {"model": "hunyuan-embedding", "input": [f"text {number}" for number in range(120)]}
            answer = await client.post("/embeddings", json=body)
        assert answer.json()["usage"]["prompt_tokens"] == 120
        assert sum(paid["usage"]["input"] for paid in sink.calls) == 120
        assert {paid["purpose"] for paid in sink.calls} == {"embeddings"}


async def test_a_try_that_is_thrown_away_is_paid_where_its_answer_says_so(trust: Trust):
    empty = {"choices": [], "usage": USAGE}
    async with heard(trust, hunyuan_retry="all", hunyuan_retry_tries="3") as (endpoint, proxy, sink):
        answers = iter([json_answer(empty), json_answer({}, status=500), json_answer(ANSWER)])
        endpoint.answer = lambda _: next(answers)
        async with proxy.client() as client:
            await client.post("/chat/completions", json=CHAT)
        told = [(paid["purpose"], paid["usage"], paid["status"]) for paid in sink.calls]
    assert told == [("try", COUNTS, 200), ("own", COUNTS, 200)]


@pytest.mark.parametrize("retry", ["all", "off"])
async def test_the_last_answer_that_can_t_be_used_is_paid_once(trust: Trust, retry: str):
    async with heard(trust, hunyuan_retry=retry, hunyuan_retry_tries="2") as (endpoint, proxy, sink):
        endpoint.answer = json_answer({"choices": [], "usage": USAGE})
        async with proxy.client() as client:
            answer = await client.post("/chat/completions", json=CHAT)
        assert answer.status_code == 502
        told = [(paid["purpose"], paid["usage"], paid["status"]) for paid in sink.calls]
    own = ("own", COUNTS, 502)
    assert told == ([("try", COUNTS, 200), own] if retry == "all" else [own])


@pytest.mark.parametrize("retry", ["all", "vision"])
async def test_a_client_that_leaves_pays_what_had_come_by_estimate(trust: Trust, retry: str):
    go_on = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        for chunk in chunks(*["some words of an answer "] * 30):
            if b"finish_reason" in chunk:
                await go_on.wait()
            yield chunk

    async with heard(trust, hunyuan_retry=retry) as (endpoint, proxy, sink):
        endpoint.answer = Answer(200, {"content-type": "text/event-stream"}, slowly())
        body = CHAT | {"stream": True}
        async with proxy.client() as client, client.stream("POST", "/chat/completions", json=body) as answer:
            got = b""
            async for data in answer.aiter_raw():
                got += data
                if got.count(b"some words") == 30:
                    break
        await until(lambda: bool(sink.calls))
        go_on.set()
        (paid,) = sink.calls
    assert paid["is_cancelled"]
    assert paid["is_estimated"]
    assert 100 < paid["usage"]["output"] < 250


@pytest.mark.parametrize("ends", [True, False])
async def test_a_count_that_is_told_on_the_way_is_the_last_only_at_the_end(trust: Trust, ends: bool):
    told = [{"prompt_tokens": 40, "completion_tokens": count, "total_tokens": 40 + count} for count in (1, 2)]
    said = [
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": "word " * 40}}], "usage": one}).encode()
        for one in told
    ]
    last = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n' if ends else b""
    async with heard(trust) as (endpoint, proxy, sink):
        endpoint.answer = stream_answer(*(event + b"\n\n" for event in said), *([last] if ends else []))
        async with proxy.client() as client:
            await client.post("/chat/completions", json=CHAT | {"stream": True})
        await until(lambda: bool(sink.calls))
        (paid,) = sink.calls
    assert paid["is_estimated"] is not ends
    assert paid["usage"]["input"] == 40
    assert paid["usage"]["output"] == 2 if ends else paid["usage"]["output"] > 40


async def test_calls_that_the_exchange_counts_as_its_own_are_taken_off():
    told: list[Any] = []
    exchange = Exchange(id="1", profile="tokenhub", model="hy3", sent_to="tokenhub.tencentmaas.com")
    exchange.listener = lambda _, kind, data: told.append((kind, data["usage"]))
    paid.tell(exchange, "continuation", {"input": 30, "output": 5}, status=200, ms=1.0, is_summed=True)
    paid.tell(exchange, "json", {"input": 7, "output": 1}, status=200, ms=1.0)
    exchange.usage = {"input": 100, "cached": 3, "output": 9}
    assert paid.own_usage(exchange) == {"input": 70, "cached": 3, "output": 4}
    assert told == [(events.PAID, {"input": 30, "output": 5}), (events.PAID, {"input": 7, "output": 1})]


def test_a_call_to_another_endpoint_has_the_prices_of_that_one() -> None:
    exchange, sink = Exchange(profile="tokenhub"), PaidCalls()
    exchange.listener = lambda _, kind, data: sink.hear(Event(kind, "", 0.0, data))
    call = ToldCall(exchange, Told("vision", "kimi-k2.6", profile="moonshot"))
    call.begin("https://api.moonshot.cn/v1/chat/completions", b"{}", waited=0.0)
    call.answered(Response(200, {}, json.dumps(ANSWER).encode()))
    call.end()
    (paid,) = sink.calls
    assert (paid["profile"], paid["upstream"]) == ("moonshot", "api.moonshot.cn")
    assert paid["amount"] is None, "it is paid in yuan, and TokenHub's dollars are none of its business"
