"""Exchanges of a real mitmproxy as they are counted: streams, clients that leave, errors, and labels without end."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from hunyuan_fix.hooks.mended_try import MendedTry
from hunyuan_fix.observe import sinks, statistics
from hunyuan_fix.observe.metrics import Counter, Metrics
from hunyuan_fix.simulator.vision import data_url, png_with_text
from scripts.lib.processes import free_port
from tests.fault_proxy import chunked, fault_proxy, says, stream_head
from tests.http2_client import Http2Client
from tests.matrix import VERSIONS, each
from tests.proxying import LOCAL, Arrived, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy, stream_answer
from tests.waiting import until


def picture(source: str, question: str = "What is it?") -> dict[str, Any]:
    """A request to a model with tools, which doesn't see its image."""
    content = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": source}}]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    return {"model": "hunyuan-lite", "messages": [{"role": "user", "content": content}], "tools": tools}


HELD = 0.2
"""Seconds, longer than all else in an exchange takes."""
PIXEL = data_url(png_with_text("a cat"))
PICTURE = picture(PIXEL)
KEY = {"authorization": "Bearer sk-not-in-metrics"}
CHAT: dict[str, Any] = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}
STREAMED = CHAT | {"stream": True}
BEGUN = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
TEXT = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
CUT = stream_head(transfer_encoding="chunked") + chunked(TEXT + b'data: {"cho', complete=False)


def counts(metrics: Metrics, *counters: Counter) -> tuple[float, ...]:
    return tuple(sum(metrics.collect()[counter].values()) for counter in counters)


def streams(proxy: Proxy) -> tuple[float, ...]:
    """Streams, those that were cut, clients gone."""
    metrics = proxy.addon.runtime.metrics
    return counts(metrics, statistics.STREAMS, statistics.STREAMS_CUT, statistics.CLIENTS_GONE)


def ended(proxy: Proxy) -> float:
    return counts(proxy.addon.runtime.metrics, statistics.EXCHANGES)[0]


@asynccontextmanager
async def cutting(trust: Trust, **options: Any) -> AsyncIterator[Proxy]:
    """A proxy before an endpoint that cuts each stream off."""
    async with fault_proxy(0) as faults:
        faults.always(says(CUT))
        async with run_proxy(trust, f"http://{LOCAL}:{faults.port}", hunyuan_breaker_failures="0", **options) as proxy:
            yield proxy


# Streams


@each(
    "options",
    {
        "passed on": {},
        "by the relay": {"hunyuan_retry": "all"},
        "observed": {"hunyuan_mode": "observe"},
    },
)
async def test_a_stream_that_its_endpoint_cuts_off_is_counted_on_every_way(trust: Trust, options: Any):
    async with cutting(trust, **options) as proxy, proxy.client(headers=KEY) as client:
        async with client.stream("POST", "/chat/completions", json=STREAMED) as answer:
            try:
                [_ async for _ in answer.aiter_bytes()]
            except httpx.RemoteProtocolError:  # a stream that passes unchanged stays broken
                assert options == {"hunyuan_mode": "observe"}
        await until(lambda: ended(proxy) == 1)
        assert streams(proxy) == (1, 1, 0)
        assert proxy.addon.runtime.metrics.value(statistics.ERRORS, "stream_broken") == 1


async def test_a_stream_without_an_end_is_cut_too(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = stream_answer(BEGUN, TEXT)
    async with proxy.client(headers=KEY) as client:
        for path in ("/chat/completions", "/messages"):
            await client.post(path, json=STREAMED | {"max_tokens": 5})
    assert streams(proxy) == (2, 2, 0)
    assert proxy.addon.runtime.metrics.value(statistics.ERRORS, "stream_incomplete") == 2


class Held:
    """A stream that goes on once `go` is set."""

    def __init__(self, *chunks: bytes, then: tuple[bytes, ...] = ()) -> None:
        self.go = asyncio.Event()
        self._chunks, self._then = chunks, then

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        await self.go.wait()
        for chunk in self._then:
            yield chunk

    def answer(self) -> Any:
        return replace(stream_answer(), chunks=self.chunks())


@each("http2", VERSIONS)
@each("sent", {"in the middle": ((BEGUN, TEXT), 1), "after its end": ((TEXT, LAST, DONE), 0)})
async def test_a_client_that_leaves_is_gone_unless_it_knows_the_end(
    proxy: Proxy, endpoint: Endpoint, sent: Any, http2: bool
):
    chunks, gone = sent
    held = Held(*chunks)
    endpoint.answer = held.answer()
    async with (
        proxy.client(http2=http2, headers=KEY) as client,
        client.stream("POST", "/chat/completions", json=STREAMED) as answer,
    ):
        received = b""
        async for piece in answer.aiter_bytes():
            received += piece
            if received.endswith(chunks[-1]):
                break
    await until(lambda: ended(proxy) == 1)
    held.go.set()
    assert streams(proxy) == (1, 0, gone)
    assert counts(proxy.addon.runtime.metrics, statistics.ERRORS) == (0,)


NATIVE: list[tuple[str, dict[str, Any]]] = [
    ("message_start", {"message": {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {}}}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "a"}}),
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
    ("message_stop", {}),
]


@each("sent", {"in the middle": (3, 1), "after its end": (6, 0)})
async def test_the_same_of_a_stream_in_the_endpoints_own_format(trust: Trust, endpoint: Endpoint, sent: Any):
    number, gone = sent
    events = [f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode() for kind, more in NATIVE]
    held = Held(*events[:number])
    endpoint.answer = held.answer()
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_profile="tokenhub", hunyuan_mend="off") as proxy,
        proxy.client(headers=KEY) as client,
        client.stream("POST", "/messages", json=STREAMED | {"model": "hy3", "max_tokens": 5}) as answer,
    ):
        received = b""
        async for piece in answer.aiter_bytes():
            received += piece
            if received.endswith(events[number - 1]):
                break
        await answer.aclose()
        await until(lambda: ended(proxy) == 1)
        held.go.set()
        assert streams(proxy) == (1, 0, gone)
        ((_, dialect, _, _),) = proxy.addon.runtime.metrics.collect()[statistics.EXCHANGES]
        assert dialect == "anthropic-native"


@each("waits", {"for a description": False, "for a slot": True})
async def test_a_client_that_leaves_while_its_request_waits(trust: Trust, endpoint: Endpoint, waits: bool):
    async def answer(_: Arrived) -> Any:
        await asyncio.Event().wait()

    endpoint.answer = answer
    options: dict[str, Any] = {"hunyuan_concurrency": "1"} if waits else {}
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy,
        proxy.client(headers=KEY) as first,
        proxy.client(headers=KEY) as client,
    ):
        holding = asyncio.create_task(first.post("/chat/completions", json=CHAT)) if waits else None
        await until(lambda: endpoint.arrived or not waits)
        asking = asyncio.create_task(client.post("/chat/completions", json=CHAT if waits else PICTURE))
        await until(lambda: proxy.addon.runtime.admission.state().queues[0].waiting if waits else endpoint.arrived)
        began = time.perf_counter()
        await until(lambda: time.perf_counter() - began > HELD)
        held = time.perf_counter() - began
        asking.cancel()
        await until(lambda: ended(proxy) == 1)
        metrics = proxy.addon.runtime.metrics
        assert counts(metrics, statistics.CLIENTS_GONE, statistics.ERRORS) == (1, 0)
        (whole,) = metrics.distributions()[statistics.EXCHANGE_SECONDS].values()
        assert metrics.distribution(statistics.OWN_SECONDS).sum + held <= whole.sum
        if holding is not None:
            holding.cancel()


async def test_one_stream_of_http2_that_is_reset_is_a_client_gone_and_the_others_are_not(
    proxy: Proxy, endpoint: Endpoint
):
    held = Held(BEGUN, TEXT, then=(LAST, DONE))
    endpoint.answer = lambda _: held.answer()
    async with Http2Client(proxy) as client:
        gone, stays = await client.post(STREAMED), await client.post(STREAMED)
        for stream in (gone, stays):
            await client.begun(stream)
        await client.reset(gone)
        await client.ping()
        await until(lambda: ended(proxy) == 1)
        held.go.set()
        await client.ended(stays)
    await until(lambda: ended(proxy) == 2)
    assert streams(proxy) == (2, 0, 1)


async def test_a_client_that_leaves_before_any_answer_is_gone_and_got_no_error(proxy: Proxy, endpoint: Endpoint):
    async def answer(_: Arrived) -> Any:
        await asyncio.Event().wait()

    endpoint.answer = answer
    async with proxy.client(headers=KEY) as client:
        asking = asyncio.create_task(client.post("/chat/completions", json=CHAT))
        await until(lambda: endpoint.arrived)
        asking.cancel()
        await until(lambda: ended(proxy) == 1)
    metrics = proxy.addon.runtime.metrics
    assert counts(metrics, statistics.CLIENTS_GONE, statistics.ERRORS) == (1, 0)
    assert metrics.value(statistics.EXCHANGES, "hunyuan", "chat", "hunyuan-lite", "none") == 1


@each(
    "asked",
    {
        "chat": ("/chat/completions", {}, "repair"),
        "chat, observed": ("/chat/completions", {}, "observe"),
        "Messages": ("/messages", {"max_tokens": 9}, "repair"),
        "Responses": ("/responses", {"input": "hi"}, "repair"),
    },
)
async def test_the_first_token_comes_after_the_headers_and_the_empty_beginning(
    trust: Trust, endpoint: Endpoint, asked: Any
):
    path, more, mode = asked
    go = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield BEGUN
        await go.wait()
        yield TEXT
        yield TEXT
        yield LAST
        yield DONE

    endpoint.answer = replace(stream_answer(), chunks=chunks())
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_mode=mode) as proxy:
        told: list[str] = []

        class Heard:
            name, kinds = "heard", ("first_byte", "first_token", "done")

            def hear(self, event: Any) -> None:
                told.append(event.kind)

        proxy.addon.runtime.sinks.add(Heard())
        async with proxy.client(headers=KEY) as client:
            asking = asyncio.create_task(client.post(path, json=STREAMED | more))
            await until(lambda: told == ["first_byte"])
            go.set()
            assert "a" in (await asking).text
        await until(lambda: ended(proxy) == 1)
        assert told == ["first_byte", "first_token", "done"]
        metrics = proxy.addon.runtime.metrics
        byte = metrics.distribution(statistics.FIRST_BYTE_SECONDS, "hunyuan")
        token = metrics.distribution(statistics.FIRST_TOKEN_SECONDS, "hunyuan")
        assert (byte.count, token.count) == (1, 1)
        assert 0 < byte.sum < token.sum


async def test_a_stream_without_content_has_no_first_token(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = stream_answer(BEGUN, LAST, DONE)
    async with proxy.client(headers=KEY) as client:
        await client.post("/chat/completions", json=STREAMED)
    assert proxy.addon.runtime.metrics.distributions()[statistics.FIRST_TOKEN_SECONDS] == {}


# Errors


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, {"code": "2003", "message": "请求限频，请稍后重试"}, "rate_limit_exceeded"),
        (401, {"message": "no"}, "invalid_api_key"),
        (429, {"message": "no"}, "rate_limit_exceeded"),
        (500, {"message": "no"}, "server_error"),
        (200, {"code": "2003", "message": "请求限频，请稍后重试"}, "rate_limit_exceeded"),
    ],
)
@pytest.mark.parametrize("path", ["/chat/completions", "/messages"])
@pytest.mark.parametrize("retry", ["vision", "all"])
async def test_an_error_has_the_same_code_on_every_way(
    trust: Trust, endpoint: Endpoint, status: int, error: Any, code: str, path: str, retry: str
):
    endpoint.answer = json_answer({"error": error}, status)
    options: dict[str, Any] = {"hunyuan_retry": retry, "hunyuan_retry_tries": "1", "hunyuan_breaker_failures": "0"}
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy,
        proxy.client(headers=KEY) as client,
    ):
        assert (await client.post(path, json=CHAT | {"max_tokens": 5})).status_code >= 400
        assert proxy.addon.runtime.metrics.collect()[statistics.ERRORS] == {(code,): 1}


@pytest.mark.parametrize("retry", ["vision", "all"])
async def test_an_endpoint_that_is_not_there_and_a_request_that_is_refused(trust: Trust, retry: str):
    options: dict[str, Any] = {"hunyuan_retry": retry, "hunyuan_retry_tries": "1", "hunyuan_max_body": "1k"}
    async with (
        run_proxy(trust, f"http://{LOCAL}:{free_port()}", hunyuan_breaker_failures="0", **options) as proxy,
        proxy.client(headers=KEY) as client,
    ):
        await client.post("/chat/completions", json=CHAT)
        await client.post("/chat/completions", json=CHAT | {"stop": "x" * 2000})
        errors = proxy.addon.runtime.metrics.collect()[statistics.ERRORS]
        assert errors == {("upstream_unreachable",): 1, ("request_too_large",): 1}


async def test_an_error_in_the_endpoints_own_format_is_counted_as_what_it_means(trust: Trust, endpoint: Endpoint):
    endpoint.answer = json_answer({"error": {"code": "20031", "type": "invalid_request_error", "message": "no"}}, 400)
    options: dict[str, Any] = {"hunyuan_profile": "tokenhub", "hunyuan_mend": "off"}
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy,
        proxy.client(headers=KEY) as client,
    ):
        await client.post("/messages", json=CHAT | {"model": "hy3", "max_tokens": 5})
        assert proxy.addon.runtime.metrics.collect()[statistics.ERRORS] == {("insufficient_quota",): 1}


# Times


@each(
    "asked",
    {
        "batches": ("/embeddings", {"model": "hunyuan-embedding", "input": ["x"] * 60}),
        "a search": (
            "/messages",
            CHAT | {"max_tokens": 9, "tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        ),
        "a description": ("/chat/completions", PICTURE),
    },
)
async def test_the_proxys_own_time_has_none_of_its_own_calls(trust: Trust, endpoint: Endpoint, asked: Any):
    """All of it, and the time for which the first call is held, fit into the exchange's: they don't overlap."""
    path, body = asked
    go, held = asyncio.Event(), 0.0

    async def answer(request: Arrived) -> Any:
        nonlocal held
        if not go.is_set():
            began = time.perf_counter()
            await until(lambda: time.perf_counter() - began > HELD)
            go.set()
            held = time.perf_counter() - began
        inputs = request.json.get("input")
        data = [{"object": "embedding", "index": n, "embedding": [0.0]} for n, _ in enumerate(inputs or ())]
        return json_answer({"object": "list", "data": data, "model": "m"}) if inputs else chat_answer("a cat")

    endpoint.answer = answer
    options: dict[str, Any] = {"hunyuan_search_command": "echo []"}
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy,
        proxy.client(headers=KEY) as client,
    ):
        assert (await client.post(path, json=body)).status_code == 200
        distributions = proxy.addon.runtime.metrics.distributions()
    (own,), (whole,) = (
        distributions[metric].values() for metric in (statistics.OWN_SECONDS, statistics.EXCHANGE_SECONDS)
    )
    assert own.count == whole.count == 1
    assert own.sum + held <= whole.sum


async def test_the_proxys_own_time_has_the_mending_of_a_refused_request(
    trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    refused = {"error": {"message": "Unsupported parameter: 'seed' is not supported with this model.", "param": "seed"}}
    endpoint.answer = lambda asked: json_answer(refused, 400) if "seed" in asked.json else chat_answer("hi")
    mend: Any = MendedTry._by_what_it_says

    async def slowly(*given: Any) -> Any:
        began = time.perf_counter()
        await until(lambda: time.perf_counter() - began > HELD)
        return await mend(*given)

    monkeypatch.setattr(MendedTry, "_by_what_it_says", slowly)
    options: dict[str, Any] = {"hunyuan_profile": "tokenhub"}
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy,
        proxy.client(headers=KEY) as client,
    ):
        await client.post("/chat/completions", json=CHAT | {"model": "a-model", "seed": 5})
        metrics = proxy.addon.runtime.metrics
        assert sum(metrics.collect()[statistics.MENDED].values()) == 1
        assert metrics.distribution(statistics.OWN_SECONDS).sum > HELD


# Images


async def test_images_are_counted_by_what_came_of_them(proxy: Proxy, endpoint: Endpoint):
    def answer(request: Arrived) -> Any:
        refused = "vision" in request.json["model"] and "REFUSED" in json.dumps(request.json)
        return json_answer({"error": {"message": "no"}}, 400) if refused else chat_answer("a cat")

    endpoint.answer = answer
    metrics = proxy.addon.runtime.metrics
    asked = [PICTURE, PICTURE, picture("no image"), picture(PIXEL, "what is on it?"), picture(PIXEL, "REFUSED")]
    async with proxy.client(headers=KEY) as client:
        for body in asked:
            assert (await client.post("/chat/completions", json=body)).status_code == 200
    read = metrics.collect()[statistics.IMAGES]
    assert read == {("described",): 2, ("cached",): 1, ("failed",): 2}
    assert metrics.distribution(statistics.VISION_SECONDS).count == 3


async def test_images_of_an_observed_request_are_not_counted(trust: Trust, endpoint: Endpoint):
    endpoint.answer = chat_answer("a cat")
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_mode="observe") as proxy,
        proxy.client(headers=KEY) as client,
    ):
        await client.post("/chat/completions", json=PICTURE)
        metrics = proxy.addon.runtime.metrics
        assert (metrics.collect()[statistics.IMAGES], metrics.value(statistics.OBSERVED)) == ({}, 1)


# Labels


def series(metrics: Metrics) -> set[tuple[str, ...]]:
    numbers = ((metric.name, values) for metric, values in metrics.collect().items())
    distributions = ((histogram.name, values) for histogram, values in metrics.distributions().items())
    return {(name, *labels) for name, values in (*numbers, *distributions) for labels in values}


async def test_models_clients_paths_codes_and_programs_make_no_series(proxy: Proxy, endpoint: Endpoint):
    """What real exchanges count; ten thousand of them in `test_counters`."""

    def answer(request: Arrived) -> Any:
        model = request.json["model"]
        return (
            json_answer({"error": {"code": model, "message": model}}, 400) if model.endswith("7") else chat_answer("hi")
        )

    endpoint.answer = answer
    metrics = proxy.addon.runtime.metrics

    async def ask(numbers: range) -> None:
        async with proxy.client() as client:
            for n in numbers:
                headers = {
                    "authorization": f"Bearer sk-{n:032}",
                    "user-agent": f"Agent{n}/{n}.0",
                    "x-session-id": f"s{n}",
                }
                body = {"model": f"model-{n}", "messages": [{"role": "user", "content": f"hi {n}"}], "user": f"u{n}"}
                await client.post(f"/chat/completions?n={n}", json=body, headers=headers)
                await client.get(f"/unknown/{n}", headers=headers)

    await ask(range(10))
    before = series(metrics)
    await ask(range(10, 80))
    assert series(metrics) == before
    said = json.dumps([*map(list, before)])
    assert "model-" not in said
    assert "Agent" not in said
    assert metrics.value(statistics.ERRORS, "invalid_request_error") == 8


# Sinks


async def test_what_sinks_drop_and_fail_to_take_in_is_counted(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sinks, "MOST_WAITING", 1)
    go = threading.Event()

    class Failing:
        name, kinds = "failing", ("done",)

        def hear(self, event: Any) -> None:
            raise ValueError(event.kind)

    class Hanging(Failing):
        name = "hanging"

        def hear(self, event: Any) -> None:
            go.wait()

    endpoint.answer = chat_answer("hi")
    runtime = proxy.addon.runtime
    runtime.sinks.add(Failing())
    runtime.sinks.add(Hanging(), apart=True)
    async with proxy.client(headers=KEY) as client:
        for _ in range(4):
            await client.post("/chat/completions", json=CHAT)
    assert runtime.metrics.collect()[statistics.SINK_FAILURES] == {("failing",): 4}
    dropped = runtime.metrics.value(statistics.SINK_DROPPED, "hanging")
    assert dropped == runtime.sinks.dropped["hanging"] >= 2
    go.set()
