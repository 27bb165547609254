"""Fallbacks: a real mitmproxy and its relay, before an endpoint that fails and others that may answer in its place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mitmproxy import http

from hunyuan_fix.exchange import KEY, Exchange
from hunyuan_fix.observe.statistics import FALLBACKS
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

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
CHAT: dict[str, Any] = {"model": "hy3", "messages": [{"role": "user", "content": "hi"}]}
MESSAGES: dict[str, Any] = {"model": "hy3", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
RESPONSES: dict[str, Any] = {"model": "hy3", "input": "hi"}


def error(status: int, code: str, message: str = "no", type: str = "error") -> Answer:
    return json_answer({"error": {"message": message, "type": type, "code": code}}, status=status)


def answers(text: str) -> Callable[[Arrived], Answer]:
    def answered(request: Arrived) -> Answer:
        if not request.json.get("stream"):
            return chat_answer(text)
        return stream_answer(EVENT.replace(b"hello", text.encode()), LAST)

    return answered


class Seen:
    """The flows whose answers are complete."""

    def __init__(self, proxy: Proxy) -> None:
        self.flows: list[http.HTTPFlow] = []
        proxy.master.addons.add(self)

    def response(self, flow: http.HTTPFlow) -> None:
        self.flows.append(flow)


def exchange_of(flow: http.HTTPFlow) -> Exchange:
    found = Exchange.from_plain(flow.metadata[KEY])
    assert found is not None
    return found


@pytest.fixture
async def other(trust: Trust) -> AsyncIterator[Endpoint]:
    async with run_endpoint(trust) as running:
        running.answer = answers("other")
        yield running


def there(endpoint: Endpoint, model: str = "qwen3", profile: str = "openai") -> str:
    return f"{profile}@https://{LOCAL}:{endpoint.port}/v1:{model}"


@asynccontextmanager
async def proxied(trust: Trust, endpoint: Endpoint, chain: str, **options: Any) -> AsyncIterator[Proxy]:
    given = {"hunyuan_profile": "tokenhub", "hunyuan_language": "en", "hunyuan_breaker_failures": "0"}
    url = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, url, hunyuan_fallbacks=chain, **(given | options)) as running:
        yield running


async def ask(proxy: Proxy, body: Any = CHAT, target: str = "/chat/completions", **headers: str) -> httpx.Response:
    async with proxy.client() as client:
        return await client.post(target, json=body, headers={"authorization": "Bearer sk-own", **headers})


@pytest.mark.parametrize("retry", ["off", "vision", "all"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_another_endpoint_answers(trust: Trust, endpoint: Endpoint, other: Endpoint, retry: str, streamed: bool):
    endpoint.answer = lambda _: error(
        429, "insufficient_quota", "You exceeded your current quota", "insufficient_quota"
    )
    chain = f"hy3>{there(other)}"
    async with proxied(trust, endpoint, chain, hunyuan_retry=retry) as proxy:
        seen = Seen(proxy)
        got = await ask(proxy, CHAT | {"stream": streamed})
        assert got.status_code == 200
        if streamed:
            assert got.content == EVENT.replace(b"hello", b"other") + LAST
        else:
            assert got.json()["choices"][0]["message"]["content"] == "other"
        assert got.headers["x-hunyuan-fallback"] == f"qwen3@{LOCAL}:{other.port}"
        assert [request.json["model"] for request in endpoint.arrived] == ["hy3"]
        assert [request.json["model"] for request in other.arrived] == ["qwen3"]
        assert "authorization" not in other.arrived[0].headers
        assert proxy.addon.runtime.metrics.value(FALLBACKS, "openai", "quota", "answered") == 1
        exchange = exchange_of(seen.flows[0])
        assert (exchange.profile, exchange.sent_model, exchange.fallback) == (
            "openai",
            "qwen3",
            f"qwen3@{LOCAL}:{other.port}",
        )
        assert exchange.base_url == f"https://{LOCAL}:{other.port}/v1"
        (change,) = [change for change in exchange.changes if change.rule == "fallback"]
        assert change.why == f"hy3 was over its quota; qwen3 at {LOCAL}:{other.port} was asked in its place"
        assert (seen.flows[0].request.port, json.loads(seen.flows[0].request.content or b"")["model"]) == (
            other.port,
            "qwen3",
        )
