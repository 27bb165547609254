"""Fallbacks: a real mitmproxy and its relay, before an endpoint that fails and others that may answer in its place."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mitmproxy import http

from hunyuan_fix import events
from hunyuan_fix.exchange import KEY, Exchange
from hunyuan_fix.observe.statistics import FALLBACKS
from hunyuan_fix.steps.auto_continue import CONTINUED
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
from tests.vision_server import image_part, png
from tests.waiting import until

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


PASSING: dict[str, Answer] = {
    "500": error(500, "internal_error"),
    "502": error(502, "x"),
    "503 HTML": Answer(503, {"content-type": "text/html"}, [b"<html>"]),
    "429": error(429, "rate_limit_exceeded"),
    "quota": error(429, "insufficient_quota", type="insufficient_quota"),
    "payment": error(402, "payment_required"),
    "no such model": error(404, "model_not_found", "The model `hy3` does not exist"),
    "HTML 200": Answer(200, {"content-type": "text/html"}, [b"<html>"]),
    "empty 200": Answer(200, {"content-type": "application/json"}, [b""]),
    "error in a 200": json_answer({"error": {"message": "busy", "type": "rate_limit_error", "code": "429001"}}),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING.keys())
async def test_what_is_no_fault_of_the_request(
    trust: Trust, endpoint: Endpoint, other: Endpoint, failure: Answer, streamed: bool
):
    endpoint.answer = lambda _: failure
    async with proxied(trust, endpoint, f"hy3>{there(other)}") as proxy:
        got = await ask(proxy, CHAT | {"stream": streamed})
        assert (got.status_code, b"other" in got.content) == (200, True), got.text
        assert len(endpoint.arrived) == len(other.arrived) == 1


REFUSALS: dict[str, tuple[Answer, int]] = {
    "bad request": (error(400, "invalid_request_error", "messages.0.content is wrong"), 400),
    "wrong key": (error(401, "invalid_api_key", "Incorrect API key provided"), 401),
    "forbidden": (error(403, "forbidden", "not for you"), 403),
    "content": (error(400, "content_filter", "The request was rejected because it was considered high risk"), 400),
    "too long": (error(400, "context_length_exceeded", "maximum context length is 8 tokens"), 400),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("refusal", "status"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_what_its_client_has_to_hear(
    trust: Trust, endpoint: Endpoint, other: Endpoint, refusal: Answer, status: int, streamed: bool
):
    endpoint.answer = lambda _: refusal
    async with proxied(trust, endpoint, f"hy3>{there(other)}") as proxy:
        got = await ask(proxy, CHAT | {"stream": streamed})
        assert (got.status_code, other.arrived) == (status, [])
        assert "x-hunyuan-fallback" not in got.headers


async def test_a_rate_limit_that_looks_like_a_bad_request(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(400, "2003", "请求限频，请稍后重试", "runtime_error")
    async with proxied(trust, endpoint, f"hy3>{there(other)}", hunyuan_profile="hunyuan") as proxy:
        assert (await ask(proxy)).status_code == 200


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("target", "first", "body", "said"),
    [
        ("/messages", "/v1/messages", MESSAGES, b'"type":"message"'),
        ("/responses", "/v1/chat/completions", RESPONSES, b'"object":"response"'),
    ],
    ids=["messages", "responses"],
)
async def test_an_endpoint_that_speaks_the_clients_format_and_one_that_does_not(
    trust: Trust,
    endpoint: Endpoint,
    other: Endpoint,
    target: str,
    first: str,
    body: dict[str, Any],
    said: bytes,
    streamed: bool,
):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, f"hy3>{there(other)}") as proxy:
        seen = Seen(proxy)
        versions = {"anthropic-version": "2023-06-01"} if target == "/messages" else {}
        got = await ask(proxy, body | {"stream": streamed}, target, **versions)
        assert got.status_code == 200, got.text
        assert endpoint.arrived[0].target == first
        assert other.arrived[0].target == "/v1/chat/completions"
        assert "anthropic-version" not in other.arrived[0].headers
        assert b"other" in got.content
        assert (b"event: " in got.content) if streamed else (said in got.content.replace(b" ", b""))
        assert b'"model":"hy3"' in got.content.replace(b" ", b"")
        assert exchange_of(seen.flows[0]).dialect in ("anthropic", "responses")


def messages_answer(request: Arrived) -> Answer:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request.json["model"],
        "content": [{"type": "text", "text": "claude"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
    if not request.json.get("stream"):
        return json_answer(message)
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message | {"content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "claude"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {}},
        {"type": "message_stop"},
    ]
    return stream_answer(*(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("target", "body"),
    [("/chat/completions", CHAT), ("/messages", MESSAGES), ("/responses", RESPONSES)],
    ids=["chat", "messages", "responses"],
)
async def test_an_endpoint_that_speaks_messages_alone(
    trust: Trust, endpoint: Endpoint, other: Endpoint, target: str, body: dict[str, Any], streamed: bool
):
    endpoint.answer = lambda _: error(503, "x")
    other.answer = messages_answer
    async with proxied(trust, endpoint, f"hy3>{there(other, 'claude-x', 'anthropic')}") as proxy:
        got = await ask(proxy, body | {"stream": streamed}, target)
        assert (got.status_code, b"claude" in got.content) == (200, True), got.text
        assert other.arrived[0].target == "/v1/messages"
        assert other.arrived[0].json["model"] == "claude-x"


async def test_an_error_after_the_head_of_a_native_stream(trust: Trust, endpoint: Endpoint, other: Endpoint):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "hy3", "content": [], "usage": {}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "ping"},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ]
    data = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    endpoint.answer = lambda _: stream_answer(*data)
    async with proxied(trust, endpoint, f"hy3>{there(other)}") as proxy:
        got = await ask(proxy, MESSAGES | {"stream": True}, "/messages")
        assert endpoint.arrived[0].target == "/v1/messages"
        assert (got.content.count(b"event: message_start"), got.content.count(b"Overloaded")) == (1, 0)
        assert (got.content.count(b"event: message_stop"), b"other" in got.content) == (1, True)


@pytest.mark.parametrize("profile", ["tokenhub", "dashscope"])
@pytest.mark.parametrize(("target", "body"), [("/messages", MESSAGES), ("/responses", RESPONSES)])
async def test_a_stream_goes_on_as_it_comes(
    trust: Trust, endpoint: Endpoint, other: Endpoint, profile: str, target: str, body: dict[str, Any]
):
    """Also in a format that the endpoint speaks itself."""
    more = asyncio.Event()
    first: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    ]
    if target == "/responses":
        response = {"id": "r", "object": "response", "output": [], "status": "in_progress"}
        item = {"type": "message", "id": "i", "role": "assistant", "content": []}
        first = [
            {"type": "response.created", "response": response},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_text.delta", "output_index": 0, "item_id": "i", "delta": "hello"},
        ]

    async def slow(native: bool) -> AsyncIterator[bytes]:
        for event in first if native else ():
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        if not native:
            yield EVENT
        await more.wait()
        if not native:
            yield LAST

    def answered(request: Arrived) -> Answer:
        return Answer(200, {"content-type": "text/event-stream"}, slow(not request.target.endswith("/completions")))

    endpoint.answer = answered
    async with (
        proxied(trust, endpoint, f"*>{there(other)}", hunyuan_profile=profile) as proxy,
        proxy.client() as client,
        client.stream("POST", target, json=body | {"stream": True}) as got,
    ):
        async for piece in got.aiter_raw():
            if b"hello" in piece:
                break
        more.set()
    assert other.arrived == []


async def test_another_model_of_the_same_endpoint(trust: Trust, endpoint: Endpoint):
    def only_the_other(request: Arrived) -> Answer:
        return chat_answer("old") if request.json["model"] == "hy3-preview" else error(503, "x")

    endpoint.answer = only_the_other
    async with proxied(trust, endpoint, "hy3>hy3-preview") as proxy:
        got = await ask(proxy)
        assert (got.status_code, got.headers["x-hunyuan-fallback"]) == (200, f"hy3-preview@{LOCAL}")
        assert [arrived.headers["authorization"] for arrived in endpoint.arrived] == ["Bearer sk-own"] * 2
        assert got.headers["x-hunyuan-fix-tries"] == "2"


async def test_one_after_the_other(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, f"hy3>hy3-preview>{there(other)}") as proxy:
        for _ in range(2):  # the second turn begins with its own model again
            got = await ask(proxy)
            assert (got.status_code, got.headers["x-hunyuan-fallback"]) == (200, f"qwen3@{LOCAL}:{other.port}")
        assert [arrived.json["model"] for arrived in endpoint.arrived] == ["hy3", "hy3-preview"] * 2
        assert len(other.arrived) == 2


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_where_all_fail_its_own_endpoints_error_is_given(
    trust: Trust, endpoint: Endpoint, other: Endpoint, streamed: bool
):
    endpoint.answer = lambda _: error(429, "rate_limit_exceeded", "slow down")
    other.answer = lambda _: error(401, "invalid_api_key", "another")
    async with proxied(trust, endpoint, f"hy3>{there(other)}>{there(other, 'glm')}") as proxy:
        seen = Seen(proxy)
        got = await ask(proxy, CHAT | {"stream": streamed})
        assert got.status_code == 429
        assert got.json()["error"]["message"].startswith("slow down")
        server = f"{LOCAL}:{other.port}"
        assert got.headers["x-hunyuan-fallback"] == f"none (qwen3@{server}: refused, glm@{server}: refused)"
        exchange = exchange_of(seen.flows[0])
        assert (exchange.profile, exchange.sent_model) == ("tokenhub", "")
        assert "fallback" not in exchange.rules
        assert seen.flows[0].request.port == endpoint.port
        assert proxy.addon.runtime.metrics.value(FALLBACKS, "openai", "rate_limit", "failed") == 1
        assert proxy.addon.runtime.metrics.value(FALLBACKS, "openai", "refused", "failed") == 1


@pytest.mark.parametrize("how", ["header", "observe", "mode"])
async def test_it_can_be_switched_off(trust: Trust, endpoint: Endpoint, other: Endpoint, how: str):
    endpoint.answer = lambda _: error(503, "x")
    options = {"hunyuan_mode": "observe"} if how == "observe" else {}
    asked = {"header": {"x-hunyuan-fallback": "off"}, "mode": {"x-hunyuan-mode": "off"}}.get(how, {})
    async with proxied(trust, endpoint, f"hy3>{there(other)}", **options) as proxy:
        got = await ask(proxy, **asked)
        assert (got.status_code, other.arrived) == (503, [])
        assert not {"x-hunyuan-fallback", "x-hunyuan-mode"} & endpoint.arrived[0].headers.keys()


async def test_other_models_keep_their_way(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, f"glm-*>{there(other)}") as proxy:
        assert (await ask(proxy)).status_code == 503
        assert proxy.addon.runtime.relay.counts.calls == 0


async def test_the_model_is_the_one_that_is_sent(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    chain = f"hy3>{there(other)}, gpt-4o>{there(other, 'never')}"
    async with proxied(trust, endpoint, chain, hunyuan_models="gpt-*=hy3,qwen*=hy3") as proxy:
        assert (await ask(proxy, CHAT | {"model": "gpt-4o"})).status_code == 200
        assert [arrived.json["model"] for arrived in (*endpoint.arrived, *other.arrived)] == ["hy3", "qwen3"]


@pytest.mark.parametrize("ending", ["broken", "error event"])
async def test_nothing_is_asked_after_the_first_byte(trust: Trust, endpoint: Endpoint, other: Endpoint, ending: str):
    async def breaks() -> AsyncIterator[bytes]:
        yield EVENT
        if ending == "broken":
            raise ConnectionResetError
        yield b'data: {"error":{"message":"overloaded","type":"overloaded_error"}}\n\n'

    endpoint.answer = lambda _: Answer(200, {"content-type": "text/event-stream"}, breaks())
    async with proxied(trust, endpoint, f"hy3>{there(other)}") as proxy:
        got = await ask(proxy, CHAT | {"stream": True})
        assert (got.status_code, other.arrived) == (200, [])
        assert b"hello" in got.content
        assert b"error" in got.content
        assert "x-hunyuan-fallback" not in got.headers


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("retry", ["off", "all"])
async def test_an_endpoint_that_says_nothing(
    trust: Trust, endpoint: Endpoint, other: Endpoint, streamed: bool, retry: str
):
    async def silent() -> AsyncIterator[bytes]:
        yield b": keep-alive\n\n"
        await asyncio.Event().wait()

    endpoint.answer = lambda _: Answer(200, {"content-type": "text/event-stream"}, silent())
    options = {"hunyuan_upstream_timeout": "0.5", "hunyuan_retry": retry, "hunyuan_retry_tries": "1"}
    async with proxied(trust, endpoint, f"hy3>{there(other)}", **options) as proxy:
        got = await ask(proxy, CHAT | {"stream": streamed})
        assert (got.status_code, b"other" in got.content) == (200, True)


async def test_a_silent_stream_leaves_half_of_the_time_to_the_next(trust: Trust, endpoint: Endpoint, other: Endpoint):
    async def silent() -> AsyncIterator[bytes]:
        while True:  # never silent for as long as hunyuan_upstream_timeout
            yield b": keep-alive\n\n"
            await asyncio.sleep(0.01)

    endpoint.answer = lambda _: Answer(200, {"content-type": "text/event-stream"}, silent())
    options = {"hunyuan_retry_deadline": "2", "hunyuan_retry": "all"}
    async with proxied(trust, endpoint, f"hy3>{there(other)}", **options) as proxy:
        got = await ask(proxy, CHAT | {"stream": True})
        assert (got.status_code, b"other" in got.content) == (200, True)
        assert len(endpoint.arrived) == 1


async def test_an_endpoint_that_cannot_be_reached(trust: Trust, other: Endpoint):
    async with run_endpoint(trust) as gone:
        pass
    async with proxied(trust, gone, f"*>{there(other)}") as proxy:
        assert (await ask(proxy)).status_code == 200


async def test_an_open_circuit_is_passed_over(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    other.answer = lambda _: error(503, "x")
    async with run_endpoint(trust) as third:
        third.answer = answers("third")
        chain = f"hy3>{there(other)}>{there(third)}"
        async with proxied(trust, endpoint, chain, hunyuan_breaker_failures="2") as proxy:
            for number in range(1, 4):
                got = await ask(proxy)
                assert (got.status_code, b"third" in got.content) == (200, True)
                assert (len(endpoint.arrived), len(other.arrived)) == (min(number, 2), min(number, 2))
            assert proxy.addon.runtime.metrics.value(FALLBACKS, "openai", "down", "failed") == 2


async def test_its_own_tries_come_first(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    options = {"hunyuan_retry": "all", "hunyuan_retry_tries": "2"}
    async with proxied(trust, endpoint, f"hy3>{there(other)}", **options) as proxy:
        got = await ask(proxy)
        assert (got.status_code, len(endpoint.arrived), got.headers["x-hunyuan-fix-tries"]) == (200, 2, "3")


async def test_images_are_described_once(trust: Trust, endpoint: Endpoint, other: Endpoint):
    def blind(request: Arrived) -> Answer:
        return chat_answer("a red square") if "vision" in request.json["model"] else error(503, "x")

    endpoint.answer = blind
    body = {"model": "hunyuan-turbos", "messages": [{"role": "user", "content": [image_part(png("a"))]}]}
    chain = f"*>{there(other, 'hunyuan-lite', 'hunyuan')}"
    async with proxied(trust, endpoint, chain, hunyuan_profile="hunyuan") as proxy:
        seen = Seen(proxy)
        assert (await ask(proxy, body)).status_code == 200
        exchange = exchange_of(seen.flows[0])
        assert (exchange.vision_calls, exchange.cached) == (1, 0)
        assert [arrived.json["model"] for arrived in other.arrived] == ["hunyuan-lite"]
        assert "a red square" in json.dumps(other.arrived[0].json)


async def test_a_model_that_sees_gets_the_images(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda request: (
        chat_answer("a red square") if "vision" in request.json["model"] else error(503, "x")
    )
    body = {"model": "hunyuan-turbos", "messages": [{"role": "user", "content": [image_part(png("b"))]}]}
    chain = f"*>{there(other, 'kimi-k2.6', 'moonshot')}"
    async with proxied(trust, endpoint, chain, hunyuan_profile="hunyuan") as proxy:
        seen = Seen(proxy)
        assert (await ask(proxy, body)).status_code == 200
        assert "image_url" in [part["type"] for part in other.arrived[0].json["messages"][0]["content"]]
        assert exchange_of(seen.flows[0]).vision_calls == 1  # which were made all the same


async def test_a_request_is_counted_once(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, f"hy3>{there(other)}", hunyuan_same_request="2/4") as proxy:
        answers = [await ask(proxy) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 400]
        assert "same request came 2 times" in answers[1].headers["x-hunyuan-fix-warning"]


EMBEDDING = {"model": "bge-m3", "input": ["a"]}
VECTOR = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {}}


async def test_embeddings_of_the_same_model_alone(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    other.answer = lambda _: json_answer(VECTOR)
    chain = f"bge-m3>{there(other, 'bge-large')}>{there(other, 'bge-m3')}"
    async with proxied(trust, endpoint, chain) as proxy:
        got = await ask(proxy, EMBEDDING, "/embeddings")
        assert (got.status_code, got.headers["x-hunyuan-fallback"]) == (200, f"bge-m3@{LOCAL}:{other.port}")
        assert [arrived.json["model"] for arrived in other.arrived] == ["bge-m3"]
        assert other.arrived[0].target == "/v1/embeddings"


async def test_other_vectors_are_refused(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, f"*>{there(other, 'bge-large')}") as proxy:
        got = await ask(proxy, EMBEDDING, "/embeddings")
        assert got.headers["x-hunyuan-fallback"] == f"none (bge-large@{LOCAL}:{other.port}: other_vectors)"
        assert (got.status_code, other.arrived) == (503, [])


async def test_embeddings_that_were_sent_elsewhere_keep_their_model(trust: Trust, endpoint: Endpoint, other: Endpoint):
    other.answer = lambda request: error(503, "x") if request.target.startswith("/first") else json_answer(VECTOR)
    options = {
        "hunyuan_embeddings_upstream": f"https://{LOCAL}:{other.port}/first/v1",
        "hunyuan_embeddings_model": "bge-m3",
    }
    async with proxied(trust, endpoint, f"bge-m3>{there(other, 'bge-m3')}", **options) as proxy:
        got = await ask(proxy, EMBEDDING | {"model": "ada"}, "/embeddings")
        assert (got.status_code, endpoint.arrived) == (200, [])
        assert [arrived.json["model"] for arrived in other.arrived] == ["bge-m3", "bge-m3"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_tools_and_json_are_those_of_the_one_that_answers(
    trust: Trust, endpoint: Endpoint, other: Endpoint, streamed: bool
):
    """The first has no schemas and gets words in place of one; names of tools are shortened for the second."""
    name = "a" * 70 + ".b"
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}]

    def calls(request: Arrived) -> Answer:
        sent = request.json["tools"][0]["function"]["name"]
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": sent, "arguments": "{}"}}
        choice = {"index": 0, "finish_reason": "tool_calls"}
        if not request.json.get("stream"):
            return json_answer({"choices": [choice | {"message": {"role": "assistant", "tool_calls": [call]}}]})
        chunk = {"choices": [choice | {"delta": {"tool_calls": [call]}}]}
        return stream_answer(f"data: {json.dumps(chunk)}\n\n".encode(), b"data: [DONE]\n\n")

    endpoint.answer = lambda _: error(503, "x")
    other.answer = calls
    async with proxied(trust, endpoint, f"hy3>{there(other, 'kimi-k2.6', 'moonshot')}") as proxy:
        got = await ask(proxy, CHAT | {"tools": tools, "stream": streamed})
        assert got.status_code == 200
        sent = other.arrived[0].json["tools"][0]["function"]["name"]
        assert sent != name
        assert name in got.text
        assert sent not in got.text


async def test_a_request_too_long_for_it_is_not_sent_there(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    long = [{"role": "user", "content": "word " * 60_000}]
    chain = f"hy3>{there(other, 'hunyuan-role', 'hunyuan')}>{there(other)}"
    async with proxied(trust, endpoint, chain, hunyuan_overlong="error") as proxy:
        got = await ask(proxy, CHAT | {"messages": long})
        assert (got.status_code, got.headers["x-hunyuan-fallback"]) == (200, f"qwen3@{LOCAL}:{other.port}")
        assert [arrived.json["model"] for arrived in other.arrived] == ["qwen3"]
        assert "x-hunyuan-fix-warning" not in got.headers


async def test_a_body_that_cannot_be_read_goes_nowhere_else(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, f"*>{there(other)}") as proxy, proxy.client() as client:
        for content in (b"{", b"[]", b'{"model":"hy3"}', b'{"model":7,"messages":[]}'):
            await client.post("/chat/completions", content=content)
        assert other.arrived == []


async def test_http2_and_compressed_bodies(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, f"hy3>{there(other)}") as proxy, proxy.client(http2=True) as client:
        packed = gzip.compress(json.dumps(CHAT).encode())
        got = await client.post("/chat/completions", content=packed, headers={"content-encoding": "gzip"})
        assert (got.status_code, other.arrived[0].json["model"]) == (200, "qwen3")
        assert "content-encoding" not in other.arrived[0].headers


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_the_answer_of_a_fallback_is_continued(trust: Trust, endpoint: Endpoint, other: Endpoint, streamed: bool):
    def cut(request: Arrived) -> Answer:
        is_first = len(other.arrived) == 1
        text, reason = ("one ", "length") if is_first else ("two", "stop")
        choice = {"index": 0, "finish_reason": reason}
        if not request.json.get("stream"):
            return json_answer({"choices": [choice | {"message": {"role": "assistant", "content": text}}]})
        chunk = {"choices": [choice | {"delta": {"role": "assistant", "content": text}}]}
        return stream_answer(f"data: {json.dumps(chunk)}\n\n".encode(), b"data: [DONE]\n\n")

    endpoint.answer = lambda _: error(503, "x")
    other.answer = cut
    chain = f"hy3>{there(other)}"
    async with proxied(trust, endpoint, chain, hunyuan_continue="on") as proxy:
        got = await ask(proxy, CHAT | {"stream": streamed})
        assert (got.status_code, len(other.arrived), len(endpoint.arrived)) == (200, 2, 1)
        assert (got.text.count("one "), got.text.count("two"), got.text.count("length")) == (1, 1, 0)
        assert got.headers["x-hunyuan-fallback"].startswith("qwen3@")
        await until(lambda: proxy.addon.runtime.metrics.value(CONTINUED, "complete") == 1)


async def test_a_round_that_fails_asks_no_fallback(trust: Trust, endpoint: Endpoint, other: Endpoint):
    def cut(request: Arrived) -> Answer:
        if len(endpoint.arrived) > 1:
            return error(503, "x")
        choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "one"}}
        return json_answer({"choices": [choice]})

    endpoint.answer = cut
    async with proxied(trust, endpoint, f"hy3>{there(other)}", hunyuan_continue="on") as proxy:
        got = await ask(proxy)
        assert (got.status_code, got.json()["choices"][0]["finish_reason"], other.arrived) == (200, "length", [])


async def test_what_is_used_is_told_of_who_answered(trust: Trust, endpoint: Endpoint, other: Endpoint):
    told: list[Any] = []

    class Heard:
        name, kinds = "heard", (events.PAID, events.FALLBACK)

        def hear(self, event: events.Event) -> None:
            told.append((event.kind, event.data))

    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    message = {"role": "assistant", "content": "a"}
    endpoint.answer = lambda _: json_answer({"choices": [], "usage": usage})  # billed, and no answer
    other.answer = lambda _: json_answer({"choices": [{"index": 0, "message": message}], "usage": usage})
    async with proxied(trust, endpoint, f"hy3>{there(other)}") as proxy:
        proxy.addon.runtime.sinks.add(Heard())
        assert (await ask(proxy)).status_code == 200
    paid = [(data["profile"], data["model"], data["purpose"]) for kind, data in told if kind == events.PAID]
    assert ("openai", "qwen3", "own") in paid
    assert ("tokenhub", "hy3", "try") in paid
    assert len(paid) == 2


async def test_a_fallback_that_refuses_the_content_leaves_all_as_it_was(
    trust: Trust, endpoint: Endpoint, other: Endpoint
):
    endpoint.answer = lambda _: error(503, "x", "it is down")
    other.answer = lambda _: error(400, "content_filter", "not this")
    async with proxied(trust, endpoint, f"hy3>{there(other)}>{there(other, 'glm')}") as proxy:
        seen = Seen(proxy)
        got = await ask(proxy)
        assert (got.status_code, "it is down" in got.text, len(other.arrived)) == (503, True, 1)
        assert got.headers["x-hunyuan-fallback"] == f"none (qwen3@{LOCAL}:{other.port}: content)"
        exchange = exchange_of(seen.flows[0])
        assert (exchange.profile, exchange.sent_model, exchange.rules) == ("tokenhub", "", [])
        assert seen.flows[0].request.port == endpoint.port
        assert json.loads(seen.flows[0].request.content or b"")["model"] == "hy3"


async def test_a_plan_gets_two_calls_for_one_request(trust: Trust, endpoint: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, "hy3>a>b", hunyuan_profile="tokenhub-plan") as proxy:
        got = await ask(proxy)
        assert got.headers["x-hunyuan-fallback"] == "none (a: down, b: plan)"
        assert [arrived.json["model"] for arrived in endpoint.arrived] == ["hy3", "a"]


async def test_the_usage_of_a_stream_is_asked_for_there_too(trust: Trust, endpoint: Endpoint, other: Endpoint):
    endpoint.answer = lambda _: error(503, "x")
    async with proxied(trust, endpoint, f"hy3>{there(other)}", hunyuan_usage="ask") as proxy:
        assert (await ask(proxy, CHAT | {"stream": True})).status_code == 200
        assert other.arrived[0].json["stream_options"] == {"include_usage": True}
