"""Traces as a collector gets them: a real mitmproxy before an endpoint, and OTLP over HTTP."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import logging
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from hunyuan_fix.observe.traces import export
from hunyuan_fix.wire.trace_context import parent
from tests.otlp_collector import Collector, Received, run_collector
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
from tests.waiting import until

KEY = "sk-0123456789abcdef0123456789abcdef"
SECRET = "a-secret-of-the-user"
CHAT: dict[str, Any] = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": SECRET}]}
TOOLS = [{"type": "function", "function": {"name": "f", "description": SECRET, "parameters": {"type": "object"}}}]
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 7,
    "total_tokens": 27,
    "prompt_tokens_details": {"cached_tokens": 12},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
STREAM = (
    b'data: {"id":"chat-1","model":"hunyuan-lite-1","created":1,"choices":[{"index":0,"delta":{"content":"'
    + SECRET.encode()
    + b'"}}]}\n\n',
    b'data: {"id":"chat-1","model":"hunyuan-lite-1","created":1,"choices":[{"index":0,"delta":{},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27}}\n\n',
    b"data: [DONE]\n\n",
)


def pixels() -> list[str]:
    """Two images of one pixel."""

    def png(colour: int) -> str:
        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
        rows = zlib.compress(bytes([0, colour, colour, colour]))
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        return f"data:image/png;base64,{base64.b64encode(data).decode()}"

    return [png(10), png(200)]


PICTURES = pixels()


def answer_of(model: str = "hunyuan-lite-1") -> Answer:
    message = {"role": "assistant", "content": SECRET}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json_answer({"id": "chat-1", "model": model, "choices": [choice], "usage": USAGE})


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans leave at once; no variable of this machine counts."""
    for name in ("ENDPOINT", "PROTOCOL", "HEADERS"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with run_collector() as running:
        yield running


@asynccontextmanager
async def traced(
    trust: Trust, endpoint: Endpoint, collector: Collector, **options: Any
) -> AsyncIterator[tuple[Proxy, httpx.AsyncClient]]:
    """A proxy with traces on, and a client of it."""
    given = {"hunyuan_traces": collector.url, **options}
    async with (
        run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", **given) as proxy,
        proxy.client(headers={"authorization": f"Bearer {KEY}", "x-api-key": KEY}) as client,
    ):
        yield proxy, client
    for raw in collector.raw:
        assert KEY.encode() not in raw
        assert SECRET.encode() not in raw


async def exported(collector: Collector, count: int = 1) -> list[Received]:
    """The spans of exchanges, once there are `count`; every tree is sound."""
    await until(lambda: len(collector.roots) >= count, lambda: [span.name for span in collector.spans])
    spans = {span.span_id: span for span in collector.spans}
    assert len(spans) == len(collector.spans)
    for span in spans.values():
        assert span.began <= span.ended
        if span.kind == "SERVER":
            continue
        above = spans[span.parent_id]
        assert above.trace_id == span.trace_id
        assert above.began <= span.began <= span.ended <= above.ended
    return collector.roots


def names_of(arrived: Arrived) -> str:
    """The span that a request at the endpoint names."""
    found = parent(arrived.headers.get("traceparent"))
    assert found is not None
    return found.span_id


async def test_a_chat_request_is_a_trace_of_the_exchange_and_its_try(trust: Trust, collector: Collector):
    body = CHAT | {"top_k": 5, "temperature": 0.5, "max_tokens": 100, "stop": SECRET}
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector) as (_, client):
            assert (await client.post("/chat/completions?a=1", json=body)).status_code == 200
            (root,) = await exported(collector)
        (arrived,) = endpoint.arrived
        port = endpoint.port
    (sent,) = collector.below(root)
    assert (root.name, root.parent_id, root.status) == ("chat hunyuan-lite", "", 0)
    assert root.attributes.pop("hunyuan_fix.own_ms") > 0  # type: ignore[attr-defined]
    assert len(root.attributes.pop("gen_ai.conversation.id")) > 10  # type: ignore[attr-defined]
    assert root.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "tencent.hunyuan",
        "gen_ai.request.model": "hunyuan-lite",
        "gen_ai.request.stream": False,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.response.id": "chat-1",
        "gen_ai.response.model": "hunyuan-lite-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 12,
        "gen_ai.usage.reasoning.output_tokens": 3,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": "/v1/chat/completions",
        "server.address": LOCAL,
        "server.port": port,
        "user_agent.name": root.attributes["user_agent.name"],
        "hunyuan_fix.profile": "hunyuan",
        "hunyuan_fix.dialect": "chat",
        "hunyuan_fix.mode": "repair",
        "hunyuan_fix.rules": root.attributes["hunyuan_fix.rules"],
        "hunyuan_fix.changes": root.attributes["hunyuan_fix.changes"],
    }
    assert "parameters" in root.attributes["hunyuan_fix.rules"]
    assert (sent.name, sent.kind, sent.status) == ("POST /v1/chat/completions", "CLIENT", 0)
    assert sent.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": LOCAL,
        "server.port": port,
        "url.full": f"http://{LOCAL}:{port}/v1/chat/completions",
    }
    assert names_of(arrived) == sent.span_id
    assert arrived.headers["traceparent"] == f"00-{root.trace_id}-{sent.span_id}-01"
    assert collector.paths[0] == "/v1/traces"
    assert root.resource["service.name"] == "hunyuan-fix"
    assert root.schema == "https://opentelemetry.io/schemas/1.41.0"


async def test_a_stream_tells_when_it_began(trust: Trust, collector: Collector):
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = stream_answer(*STREAM)
        async with traced(trust, endpoint, collector) as (_, client):
            await client.post("/chat/completions", json=CHAT | {"stream": True})
            (root,) = await exported(collector)
    told = root.attributes
    assert told["gen_ai.request.stream"] is True
    assert 0 < told["gen_ai.response.time_to_first_chunk"] < (root.ended - root.began) / 1e9
    assert (told["gen_ai.response.id"], told["gen_ai.response.finish_reasons"]) == ("chat-1", ["stop"])
    assert told["gen_ai.usage.input_tokens"] == 20


@pytest.mark.parametrize("path", ["/messages", "/responses"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_another_format_is_one_operation_too(trust: Trust, collector: Collector, path: str, streamed: bool):
    asked = {"messages": CHAT["messages"]} if path == "/messages" else {"input": SECRET}
    body = {"model": "hunyuan-lite", "max_tokens": 50, "max_output_tokens": 50, "stream": streamed, **asked}
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = stream_answer(*STREAM) if streamed else answer_of()
        async with traced(trust, endpoint, collector, hunyuan_translate="always") as (_, client):
            await client.post(path, json=body)
            (root,) = await exported(collector)
    (sent,) = collector.below(root)
    assert (root.name, root.attributes["url.path"]) == ("chat hunyuan-lite", f"/v1{path}")
    assert sent.name == "POST /v1/chat/completions"
    assert root.attributes["gen_ai.request.max_tokens"] == 50
    assert root.attributes["gen_ai.response.id"] == "chat-1"
    assert root.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert root.attributes["gen_ai.usage.output_tokens"] == 7
    assert [name for name, _ in root.events] == ["hunyuan_fix.translated"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_in_the_clients_own_format_is_read_too(trust: Trust, collector: Collector, streamed: bool):
    message = {"id": "msg-1", "type": "message", "role": "assistant", "model": "hy3-1", "content": []}
    used = {"input_tokens": 20, "output_tokens": 7}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message | {"usage": used, "stop_reason": None}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    chunks = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = (
            stream_answer(*chunks) if streamed else json_answer(message | {"usage": used, "stop_reason": "end_turn"})
        )
        async with traced(trust, endpoint, collector, hunyuan_profile="tokenhub") as (_, client):
            await client.post("/messages", json=CHAT | {"model": "hy3", "max_tokens": 50, "stream": streamed})
            (root,) = await exported(collector)
    (sent,) = collector.below(root)
    assert sent.name == "POST /v1/messages"
    assert (root.attributes["gen_ai.response.id"], root.attributes["gen_ai.response.model"]) == ("msg-1", "hy3-1")
    assert root.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert root.attributes["gen_ai.usage.output_tokens"] == 7


async def test_each_image_is_a_call_of_its_own_with_its_own_usage(trust: Trust, collector: Collector):
    images = [{"type": "image_url", "image_url": {"url": one}} for one in PICTURES]
    content = [{"type": "text", "text": SECRET}, *images]
    body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": content}], "tools": TOOLS}
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector) as (_, client):
            assert (await client.post("/chat/completions", json=body)).status_code == 200
            (root,) = await exported(collector)
        arrived = {names_of(one): one.json["model"] for one in endpoint.arrived}
    *visions, sent = collector.below(root)
    assert len(visions) == 2
    for vision in visions:
        model = arrived[vision.span_id]
        assert (vision.name, vision.kind) == (f"chat {model}", "CLIENT")
        assert vision.attributes["hunyuan_fix.purpose"] == "vision"
        assert vision.attributes["gen_ai.provider.name"] == "tencent.hunyuan"
        assert vision.attributes["gen_ai.usage.input_tokens"] == 20
        assert vision.attributes["gen_ai.response.id"] == "chat-1"
    assert arrived[sent.span_id] == "hunyuan-lite"
    assert not [name for name in sent.attributes if name.startswith("gen_ai.")]
    assert root.attributes["hunyuan_fix.images.described"] == 2
    assert root.attributes["gen_ai.usage.input_tokens"] == 20


async def test_every_try_of_the_relay_has_a_span_that_its_request_names(trust: Trust, collector: Collector):
    answers = iter([json_answer({}, status=503), Answer(chunks=[b"no JSON"]), answer_of()])
    options = {"hunyuan_retry": "all", "hunyuan_retry_tries": "3", "hunyuan_breaker_failures": "9"}
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = lambda _: next(answers)
        async with traced(trust, endpoint, collector, **options) as (_, client):
            given = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
            assert (await client.post("/chat/completions", json=CHAT, headers=given)).status_code == 200
            (root,) = await exported(collector)
        named = [names_of(one) for one in endpoint.arrived]
        assert {one.headers["tracestate"] for one in endpoint.arrived} == {"vendor=1"}
        assert len({one.body for one in endpoint.arrived}) == 1
    tries = [span for span in collector.below(root) if span.kind == "CLIENT"]
    assert [span.span_id for span in tries] == named
    told = [[span.attributes.get(name) for name in ("error.type", "http.request.resend_count")] for span in tries]
    assert told == [["503", None], ["unusable_answer", 1], [None, 2]]
    assert [span.status for span in tries] == [2, 2, 0]
    assert "503" in tries[1].attributes["hunyuan_fix.retry.reason"]
    assert (root.trace_id, root.parent_id) == (TRACE, SPAN)
    assert (root.attributes["hunyuan_fix.tries"], root.status) == (3, 0)


async def test_a_mended_try_is_a_try_and_an_event(trust: Trust, collector: Collector):
    refused = {"error": {"message": "Unsupported parameter: 'seed' is not supported with this model.", "param": "seed"}}

    def answer(request: Arrived) -> Answer:
        return json_answer(refused, status=400) if "seed" in request.json else answer_of()

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with traced(trust, endpoint, collector, hunyuan_profile="tokenhub") as (_, client):
            body = CHAT | {"model": "a-model", "seed": 5}
            assert (await client.post("/chat/completions", json=body)).status_code == 200
            (root,) = await exported(collector)
        named = [names_of(one) for one in endpoint.arrived]
    first, mended = collector.below(root)
    assert [first.span_id, mended.span_id] == named
    assert (first.attributes["error.type"], first.status) == ("400", 2)
    assert mended.attributes["hunyuan_fix.retry.reason"] == "mended"
    ((name, told),) = root.events
    assert (name, told["hunyuan_fix.mended.outcome"]) == ("hunyuan_fix.mended", "helped")


async def test_a_fallback_is_a_try_and_an_event(trust: Trust, collector: Collector):
    def answer(request: Arrived) -> Answer:
        return answer_of() if request.json["model"] == "b-model" else json_answer({"error": {}}, status=503)

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with traced(trust, endpoint, collector, hunyuan_fallbacks="a-model>b-model") as (_, client):
            assert (await client.post("/chat/completions", json=CHAT | {"model": "a-model"})).status_code == 200
            (root,) = await exported(collector)
        named = [names_of(one) for one in endpoint.arrived]
    first, second = collector.below(root)
    assert [first.span_id, second.span_id] == named
    assert second.attributes["hunyuan_fix.retry.reason"] == "fallback"
    ((name, told),) = root.events
    assert name == "hunyuan_fix.fallback"
    assert (told["hunyuan_fix.fallback.reason"], told["hunyuan_fix.fallback.outcome"]) == ("down", "answered")


async def test_batches_of_embeddings_are_calls_below_one_operation(trust: Trust, collector: Collector):
    def answer(request: Arrived) -> Answer:
        vectors = [{"index": place, "embedding": [0.5]} for place, _ in enumerate(request.json["input"])]
        return json_answer({"data": vectors, "usage": {"prompt_tokens": 5, "total_tokens": 5}})

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with traced(trust, endpoint, collector) as (_, client):
            body = {"model": "hunyuan-embedding", "input": [f"{SECRET}{number}" for number in range(250)]}
            assert (await client.post("/embeddings", json=body)).status_code == 200
            (root,) = await exported(collector)
        named = {names_of(one) for one in endpoint.arrived}
    calls = [span for span in collector.below(root) if span.kind == "CLIENT"]
    assert root.name == "embeddings hunyuan-embedding"
    assert len(calls) > 1
    assert {span.span_id for span in calls} == named
    assert {span.name for span in calls} == {"embeddings hunyuan-embedding"}
    assert not any("gen_ai.usage.input_tokens" in span.attributes for span in calls)
    assert root.attributes["gen_ai.usage.input_tokens"] == 5 * len(calls)


async def test_a_wait_for_a_slot_is_a_span(trust: Trust, collector: Collector):
    go = asyncio.Event()

    async def answer(_: Arrived) -> Answer:
        await go.wait()
        return answer_of()

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with traced(trust, endpoint, collector, hunyuan_concurrency="1") as (proxy, client):
            calls = [asyncio.create_task(client.post("/chat/completions", json=CHAT)) for _ in range(2)]
            await until(lambda: sum(queue.waiting for queue in proxy.addon.runtime.admission.state().queues))
            await asyncio.sleep(0.01)
            go.set()
            await asyncio.gather(*calls)
            roots = await exported(collector, 2)
    below = [[span for span in collector.below(root) if span.name == "hunyuan_fix.queue"] for root in roots]
    # The first call may have one too: getting a free slot takes a millisecond on a busy machine.
    longest = max((span for spans in below for span in spans), key=lambda span: span.ended - span.began)
    assert longest.kind == "INTERNAL"
    assert longest.ended - longest.began >= 0.01
    assert max(map(len, below)) == 1


async def test_what_the_proxy_refuses_is_an_exchange_without_a_try(trust: Trust, collector: Collector):
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        traced(trust, endpoint, collector, hunyuan_max_body="1k") as (_, client),
    ):
        assert (await client.post("/chat/completions", json=CHAT | {"stop": "x" * 2000})).status_code == 413
        (root,) = await exported(collector)
    assert collector.below(root) == []
    assert (root.attributes["error.type"], root.attributes["http.response.status_code"]) == ("request_too_large", 413)
    assert root.status == 0  # the client's fault


async def test_an_endpoint_that_is_not_there_is_a_failure(trust: Trust, collector: Collector):
    async with run_endpoint(trust, tls=False) as endpoint:
        pass
    async with traced(trust, endpoint, collector) as (_, client):
        assert (await client.post("/chat/completions", json=CHAT)).status_code == 502
        (root,) = await exported(collector)
    (sent,) = collector.below(root)
    assert (sent.attributes["error.type"], sent.status) == ("unreachable", 2)
    assert root.status == 2
    assert root.attributes["error.type"] == "upstream_unreachable"


@pytest.mark.parametrize("retry", ["vision", "all"])
async def test_a_client_that_leaves_ends_the_trace(trust: Trust, collector: Collector, retry: str):
    reached, over = asyncio.Event(), asyncio.Event()

    async def answer(_: Arrived) -> Answer:
        reached.set()
        await over.wait()
        return Answer()

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with traced(trust, endpoint, collector, hunyuan_retry=retry) as (_, client):
            leaving = asyncio.create_task(client.post("/chat/completions", json=CHAT))
            await reached.wait()
            leaving.cancel()
            await client.aclose()
            (root,) = await exported(collector)
        over.set()
    (sent,) = collector.below(root)
    assert (root.attributes["error.type"], root.status) == ("client_gone", 0)
    assert (sent.attributes["error.type"], sent.status) == ("cancelled", 0)


async def test_a_trace_that_its_client_leaves_out_is_sent_on_and_not_exported(trust: Trust, collector: Collector):
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector) as (_, client):
            given = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
            await client.post("/chat/completions", json=CHAT, headers=given)
            await client.post("/chat/completions", json=CHAT)
            (root,) = await exported(collector)
        unsampled = endpoint.arrived[0].headers["traceparent"]
    assert root.trace_id != TRACE
    assert unsampled.startswith(f"00-{TRACE}-")
    assert unsampled.endswith("-00")
    assert SPAN not in unsampled


@pytest.mark.parametrize("given", ["", "garbage", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-x"])
async def test_a_bad_traceparent_begins_a_new_trace_without_its_state(trust: Trust, collector: Collector, given: str):
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector) as (_, client):
            await client.post("/chat/completions", json=CHAT, headers={"traceparent": given, "tracestate": "a=1"})
            (root,) = await exported(collector)
        (arrived,) = endpoint.arrived
    assert (root.parent_id, root.trace_id == TRACE) == ("", False)
    assert "tracestate" not in arrived.headers
    assert arrived.headers["traceparent"].split("-")[1] == root.trace_id


async def test_a_request_that_is_not_repaired_names_the_exchange(trust: Trust, collector: Collector):
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = json_answer({"data": [{"id": "hunyuan-lite"}]})
        async with traced(trust, endpoint, collector) as (_, client):
            await client.get("/models")
            (root,) = await exported(collector)
        (arrived,) = endpoint.arrived
    assert (root.name, root.attributes["url.path"]) == ("GET", "/v1/models")
    assert names_of(arrived) == root.span_id
    assert not [name for name in root.attributes if name.startswith("gen_ai.")]


async def test_what_is_only_observed_leaves_with_its_own_headers(trust: Trust, collector: Collector):
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector, hunyuan_mode="observe") as (_, client):
            given = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
            await client.post("/chat/completions", json=CHAT, headers=given)
            (root,) = await exported(collector)
        (arrived,) = endpoint.arrived
    assert arrived.headers["traceparent"] == given["traceparent"]
    assert (root.parent_id, root.attributes["hunyuan_fix.mode"]) == (SPAN, "observe")


async def test_with_traces_off_headers_pass_and_nothing_is_made(trust: Trust, collector: Collector):
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector, hunyuan_traces="") as (proxy, client):
            await client.post("/chat/completions", json=CHAT)
            await client.post("/chat/completions", json=CHAT, headers={"traceparent": "anything"})
            assert proxy.addon.runtime.traces.counts() == {}
        first, second = endpoint.arrived
    assert "traceparent" not in first.headers
    assert second.headers["traceparent"] == "anything"
    assert collector.raw == []


@pytest.mark.parametrize("trouble", ["down", "refusing", "slow", "garbage"])
async def test_a_collector_in_trouble_costs_nothing_is_counted_and_said_once(
    trust: Trust, collector: Collector, trouble: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    url = collector.url
    match trouble:
        case "down":
            url = "http://127.0.0.1:9"
        case "refusing":
            collector.status, collector.body = 400, SECRET.encode()
        case "slow":
            collector.go.clear()
        case "garbage":
            collector.status, collector.body = 302, b"\x00\xff" * 100
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        with caplog.at_level(logging.INFO):
            async with traced(trust, endpoint, collector, hunyuan_traces=url) as (proxy, client):
                for number in range(3):
                    assert (await client.post("/chat/completions", json=CHAT)).status_code == 200
                    counts = proxy.addon.runtime.traces.counts
                    await until(lambda: sum(counts().values()) >= 2 * (number + 1))  # noqa: B023
                # Two of each exchange, and one more where a busy machine let it wait for its slot.
                assert counts()["lost"] == sum(counts().values()) >= 6
                assert "hunyuan_spans_total" in proxy.addon.stats()
    said = [record.getMessage() for record in caplog.records if "collector of traces" in record.getMessage()]
    assert len(said) == 1
    why = {"down": "ConnectionError", "refusing": "HTTP 400", "slow": "Timeout", "garbage": "HTTP 302"}
    assert why[trouble] in said[0]
    assert SECRET not in caplog.text


async def test_spans_without_a_place_are_dropped_and_counted(
    trust: Trust, collector: Collector, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export, "_MOST_WAITING", 3)
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    collector.go.clear()
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector) as (proxy, client):
            for _ in range(3):
                await client.post("/chat/completions", json=CHAT)
            await until(lambda: proxy.addon.runtime.traces.counts()["dropped"] == 4)
            collector.go.set()
            await until(lambda: proxy.addon.runtime.traces.counts()["exported"] == 2)


async def test_the_last_spans_leave_at_the_end(trust: Trust, collector: Collector, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector) as (_, client):
            await client.post("/chat/completions", json=CHAT)
    (root,) = collector.roots
    assert len(collector.below(root)) == 1


async def test_traces_go_elsewhere_once_the_option_says_so(trust: Trust, collector: Collector):
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        with run_collector() as other:
            async with traced(trust, endpoint, collector) as (proxy, client):
                await client.post("/chat/completions", json=CHAT)
                await exported(collector)
                proxy.master.options.update(hunyuan_traces=other.url)
                await client.post("/chat/completions", json=CHAT)
                await exported(other)
                proxy.master.options.update(hunyuan_traces="")
                await client.post("/chat/completions", json=CHAT)
                assert "traceparent" not in endpoint.arrived[-1].headers
            assert (len(collector.roots), len(other.roots)) == (1, 1)


async def test_the_standard_variables_count(trust: Trust, collector: Collector, monkeypatch: pytest.MonkeyPatch):
    for name, value in {
        "EXPORTER_OTLP_ENDPOINT": collector.url,
        "EXPORTER_OTLP_HEADERS": "authorization=Bearer%20of-the-collector",
        "SERVICE_NAME": "gateway",
        "RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "TRACES_SAMPLER": "always_on",
    }.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer_of()
        async with traced(trust, endpoint, collector, hunyuan_traces="env") as (_, client):
            given = {"traceparent": f"00-{TRACE}-{SPAN}-00"}  # always_on doesn't ask the client
            await client.post("/chat/completions", json=CHAT, headers=given)
            (root,) = await exported(collector)
    assert root.trace_id == TRACE
    assert root.resource["service.name"] == "gateway"
    assert root.resource["deployment.environment.name"] == "test"
    assert collector.headers[0]["authorization"] == "Bearer of-the-collector"


async def test_no_secret_of_any_kind_is_exported(trust: Trust, collector: Collector):
    """A secret in every place of a request where a client may put one, and in every place of an answer."""
    secret_answer = {
        "id": "chat-1",
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": SECRET}, "finish_reason": f"{SECRET} {KEY}"}
        ],
        "usage": {"prompt_tokens": SECRET, "note": KEY},
        "note": SECRET,
    }
    error = {"error": {"message": f"{SECRET} {KEY}", "code": "invalid_request_error", "type": SECRET, "param": SECRET}}
    answers = itertools.cycle([json_answer(secret_answer), json_answer(error, status=400), json_answer(error, 500)])
    odd = dict.fromkeys(("user", "stop", "max_tokens", "temperature", "n", "top_p", "seed", "metadata"), SECRET)
    headers = {"baggage": f"key={SECRET}", "x-note": SECRET, "cookie": SECRET, "tracestate": f"v={SECRET}"}
    headers["traceparent"] = f"00-{TRACE}-{SPAN}-01"
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = lambda _: next(answers)
        async with traced(trust, endpoint, collector, hunyuan_breaker_failures="0") as (_, client):
            for path in ("/chat/completions", "/embeddings", "/messages", "/responses"):
                for body in (CHAT | {"input": SECRET}, CHAT | odd | {"input": [SECRET]}):
                    await client.post(f"{path}?key={KEY}&note={SECRET}", json=body, headers=headers)
            await exported(collector, 8)
