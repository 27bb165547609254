"""Messages requests to an endpoint that speaks Messages itself, but not all of it, through a real mitmproxy."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from mitmproxy import http

from hunyuan_fix import profiles
from hunyuan_fix.exchange import KEY
from tests.documents.pdfs import pdf
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_proxy,
    stream_answer,
)
from tests.vision_server import png

CLEAN: dict[str, Any] = {"model": "hy3", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
ASKED = CLEAN | {
    "context_management": {"edits": []},
    "output_config": {"effort": "high"},
    "thinking": {"type": "adaptive", "display": "omitted"},
    "messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": "be brief"}],
}
ANSWER = {"type": "message", "content": [{"type": "text", "text": "hello"}]}
HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,effort-2025-11-24",
    "user-agent": "claude-cli/2.1.332 (external, sdk-cli)",
    "x-api-key": "sk-own",
}
OPTIONS: dict[str, Any] = {"hunyuan_profile": "tokenhub", "hunyuan_language": "en"}


def answer(request: Arrived) -> Any:
    return chat_answer("a fish") if "completions" in request.target else json_answer(ANSWER)


@pytest.fixture
async def native(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    endpoint.answer = answer
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **OPTIONS) as running:
        yield running


async def ask(proxy: Proxy, body: object, target: str = "/messages?beta=true&a=%20", **more: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with proxy.client(**more) as client:
        return await client.post(target, content=content, headers=HEADERS)


@pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])
async def test_only_what_is_refused_leaves(native: Proxy, endpoint: Endpoint, http2: bool):
    got = await ask(native, ASKED, http2=http2)
    (request,) = endpoint.arrived
    assert request.target == "/v1/messages?a=%20"
    reminder = "<system-reminder>\nbe brief\n</system-reminder>"
    said = [{"type": "text", "text": "hi"}, {"type": "text", "text": reminder}]
    assert request.json == CLEAN | {
        "messages": [{"role": "user", "content": said}],
    }
    assert "anthropic-beta" not in request.headers
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["x-api-key"] == "sk-own"
    assert "authorization" not in request.headers
    assert got.json() == ANSWER
    assert "anthropic-native" in got.headers["x-hunyuan-fix"].split(",")


async def test_a_body_without_any_of_that_keeps_its_bytes(native: Proxy, endpoint: Endpoint):
    body = json.dumps(CLEAN | {"metadata": {"b": "\u00e9", "a": 1.50}}, indent=3).encode()
    await ask(native, body, "/messages")
    assert endpoint.arrived[0].body == body
    await ask(native, b"{not json", "/messages")
    assert endpoint.arrived[1].body == b"{not json"


EVENTS = (
    b'event: message_start\ndata: {"type":"message_start","message":{"model":"hy3","usage":{"input_tokens":7}}}\n\n',
    b": a comment\n\n",
    b'event: content_block_delta\r\ndata: {"type":"content_block_delta","x":1.50}\r\n\r\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
    b'{"output_tokens":5}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


class Ended:
    """The flows whose answers are complete."""

    def __init__(self, proxy: Proxy) -> None:
        self.flows: list[http.HTTPFlow] = []
        proxy.master.addons.add(self)

    def response(self, flow: http.HTTPFlow) -> None:
        self.flows.append(flow)


async def test_no_longer_answer_is_asked_for_than_the_model_gives(native: Proxy, endpoint: Endpoint):
    endpoint.answer = answer
    for asked, sent in ((200_000, 128_000), (128_000, 128_000), ("many", "many")):
        await ask(native, CLEAN | {"max_tokens": asked})
        assert json.loads(endpoint.arrived[-1].body)["max_tokens"] == sent
    await ask(native, CLEAN | {"model": "a-model-of-next-year", "max_tokens": 10**6})
    assert json.loads(endpoint.arrived[-1].body)["max_tokens"] == 10**6


async def test_a_stream_passes_as_it_comes(native: Proxy, endpoint: Endpoint):
    ended = Ended(native)
    endpoint.answer = stream_answer(*EVENTS)
    got = await ask(native, CLEAN | {"stream": True})
    assert got.content == b"".join(EVENTS)
    assert endpoint.arrived[0].headers["accept-encoding"] == "identity"
    (flow,) = ended.flows
    assert flow.response is not None
    assert flow.response.raw_content == got.content
    assert flow.metadata[KEY]["tokens"] == 12


async def test_a_stream_without_an_end_gets_one(native: Proxy, endpoint: Endpoint):
    endpoint.answer = stream_answer(*EVENTS[:3])
    got = await ask(native, CLEAN | {"stream": True})
    begins = b"".join(EVENTS[:3])
    assert got.content.startswith(begins)
    assert b'event: error\ndata: {"type":"error","error":{"type":"api_error"' in got.content[len(begins) :]


async def test_the_answer_names_the_model_that_was_asked_for(native: Proxy, endpoint: Endpoint):
    asked = CLEAN | {"model": "claude-sonnet-5"}
    endpoint.answer = json_answer(ANSWER | {"model": "hy3"})
    assert (await ask(native, asked)).json()["model"] == "claude-sonnet-5"
    assert (await ask(native, CLEAN)).json()["model"] == "hy3"
    endpoint.answer = stream_answer(*EVENTS)
    got = await ask(native, asked | {"stream": True})
    assert b'"model":"claude-sonnet-5"' in got.content
    assert got.content.endswith(b"".join(EVENTS[1:]))


def error_of(message: str, kind: str = "invalid_request_error", **more: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **more}}


async def test_an_error_that_says_it_rightly_passes_as_it_is(native: Proxy, endpoint: Endpoint):
    body = b'{ "type":"error","error":{"type":"rate_limit_error","message":"Slow down"} ,"request_id":"r"}'
    endpoint.answer = Answer(429, {"content-type": "application/json", "retry-after": "3"}, [body])
    got = await ask(native, CLEAN)
    assert (got.status_code, got.content) == (429, body)
    assert "answer-error" not in got.headers.get("x-hunyuan-fix", "")


ERRORS = [
    (400, error_of("no"), 402, "no"),
    (403, error_of("no", "permission_error"), 402, "no"),
    (400, {"error": {"message": "no", "type": "invalid_request_error", "code": "x"}}, 402, "no"),
    (
        400,
        error_of("Range of input length should be [1, 1000]"),
        400,
        "prompt is too long: 1001 tokens > 1000 maximum",
    ),
    (400, {"error": {"message": "token plan quota exhausted", "code": "20098"}}, 402, "not in the plan"),
    (403, {"error": {"message": "denied", "code": 403002}}, 402, "does not cover this model"),
    (402, {"error": {"message": "FREE_QUOTA_EXHAUSTED", "code": "401007"}}, 402, "FREE_QUOTA_EXHAUSTED"),
    (502, "<html><title>Bad Gateway</title>", 502, "Bad Gateway"),
]


@pytest.mark.parametrize(("status", "body", "expected", "said"), ERRORS)
@pytest.mark.parametrize("retry", ["off", "all"])
async def test_errors_of_the_endpoint_are_told_as_the_client_understands_them(
    trust: Trust, endpoint: Endpoint, status: int, body: object, expected: int, said: str, retry: str
):
    endpoint.answer = json_answer(body, status)
    if isinstance(body, str):
        endpoint.answer = Answer(status, {"content-type": "text/html"}, [body.encode()])
    options = OPTIONS | {"hunyuan_retry": retry, "hunyuan_retry_tries": "1"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
        got = await ask(proxy, CLEAN)
    assert (got.status_code, got.json()["type"]) == (expected, "error")
    if not (retry == "all" and isinstance(body, str)):
        assert said in got.json()["error"]["message"]
    if retry == "off":  # the relay advises against another try itself
        assert ("x-should-retry" in got.headers) == (expected == 402)


async def test_the_same_error_of_another_client_keeps_its_status(native: Proxy, endpoint: Endpoint):
    endpoint.answer = json_answer(error_of("no"), 400)
    async with native.client() as client:
        got = await client.post("/messages", json=CLEAN, headers={"anthropic-version": "2023-06-01"})
    assert (got.status_code, got.json()) == (400, error_of("no"))


async def test_an_error_in_a_success_gets_its_status(native: Proxy, endpoint: Endpoint):
    for body, status in (
        (error_of("busy", "overloaded_error"), 529),
        ({"odd": 1}, 502),
        ("<html>", 502),
    ):
        endpoint.answer = json_answer(body)
        got = await ask(native, CLEAN)
        assert (got.status_code, got.json()["type"]) == (status, "error")


async def test_images_are_described_to_a_model_that_cannot_see(native: Proxy, endpoint: Endpoint):
    data = png("a fish").partition(",")[2]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    await ask(native, CLEAN | {"messages": [{"role": "user", "content": [image, result]}]})
    *calls, sent = endpoint.arrived
    assert {call.target for call in calls} == {"/v1/chat/completions"}
    assert {call.headers["authorization"] for call in calls} == {"Bearer sk-own"}
    first, second = sent.json["messages"][0]["content"]
    assert "a fish" in first["text"]
    assert (second["type"], second["tool_use_id"]) == ("tool_result", "t")
    assert "a fish" in second["content"][0]["text"]
    assert first["text"].startswith("[")
    assert first["text"].isascii()  # the signs around the proxy's own marks are taken out
    await ask(native, CLEAN | {"model": "hy-vision-2.0-instruct", "messages": [{"role": "user", "content": [image]}]})
    assert endpoint.arrived[-1].json["messages"][0]["content"] == [image]


async def test_other_vendors_names_become_a_model_of_the_endpoint(native: Proxy, endpoint: Endpoint):
    for asked in ("claude-sonnet-5", "hy3[1m]"):
        await ask(native, CLEAN | {"model": asked})
        assert endpoint.arrived[-1].json["model"] == "hy3"


async def test_what_is_too_long_is_refused_in_the_clients_words(trust: Trust, endpoint: Endpoint):
    endpoint.answer = answer
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, **OPTIONS, hunyuan_window="1000") as proxy:
        long = CLEAN | {"system": "word " * 2000, "tools": []}
        got = await ask(proxy, long)
        assert got.status_code == 400
        assert got.json()["error"]["message"].startswith("prompt is too long: ")
        assert "> 875 maximum" in got.json()["error"]["message"]
        assert endpoint.arrived == []
        assert (await ask(proxy, CLEAN | {"messages": [7], "system": "word " * 2000})).status_code == 200


@pytest.mark.parametrize("option", [("translate", "never"), ("mode", "observe"), ("mode", "off")])
async def test_never_observe_and_off_leave_it_alone(trust: Trust, endpoint: Endpoint, option: tuple[str, str]):
    endpoint.answer = answer
    given = OPTIONS | {f"hunyuan_{option[0]}": option[1]}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as proxy:
        got = await ask(proxy, ASKED)
    (request,) = endpoint.arrived
    assert (got.json(), request.json) == (ANSWER, ASKED)
    assert request.target == "/v1/messages?beta=true&a=%20"
    assert request.headers["anthropic-beta"] == HEADERS["anthropic-beta"]


@pytest.fixture
async def relayed(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    options = OPTIONS | {"hunyuan_retry": "all", "hunyuan_retry_tries": "3"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as running:
        yield running


async def test_the_relay_passes_good_answers_as_they_are(relayed: Proxy, endpoint: Endpoint):
    for answered, stream in ((json_answer(ANSWER), False), (stream_answer(*EVENTS), True)):
        endpoint.answer = answered
        got = await ask(relayed, CLEAN | {"stream": stream})
        assert got.content == b"".join(answered.chunks)  # type: ignore[arg-type]
    assert len(endpoint.arrived) == 2


@pytest.mark.parametrize(
    "first",
    [
        json_answer(error_of("busy", "overloaded_error"), 529, retry_after="0"),
        json_answer(error_of("busy", "overloaded_error"), retry_after="0"),
        json_answer({"odd": 1}, retry_after="0"),
        stream_answer(b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', retry_after="0"),
        stream_answer(b": nothing\n\n", retry_after="0"),
    ],
    ids=["status", "error in a success", "no message", "error event", "empty"],
)
async def test_the_relay_tries_again_what_may_pass(relayed: Proxy, endpoint: Endpoint, first: Answer):
    answers = iter([first])
    good = stream_answer(*EVENTS) if "stream" in first.headers["content-type"] else json_answer(ANSWER)
    endpoint.answer = lambda _: next(answers, good)
    got = await ask(relayed, CLEAN | {"stream": good.headers["content-type"] == "text/event-stream"})
    assert (got.status_code, len(endpoint.arrived)) == (200, 2)
    assert got.content == b"".join(good.chunks)  # type: ignore[arg-type]


async def test_the_relay_ends_a_stream_that_breaks_in_the_clients_format(relayed: Proxy, endpoint: Endpoint):
    async def broken() -> AsyncIterator[bytes]:
        for event in EVENTS[:3]:
            yield event
        raise ConnectionError

    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=broken())
    got = await ask(relayed, CLEAN | {"stream": True})
    begins = b"".join(EVENTS[:3])
    assert got.content.startswith(begins)
    rest = got.content[len(begins) :]
    assert rest.startswith(b'event: error\ndata: {"type":"error","error":{"type":"api_error"')
    assert rest.count(b"event: ") == 1


SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


async def test_only_a_search_that_the_proxy_can_make_is_translated(trust: Trust, endpoint: Endpoint):
    endpoint.answer = answer
    options = OPTIONS | {"hunyuan_search_command": "echo []"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
        got = await ask(proxy, CLEAN | {"tools": [SEARCH]})
        assert got.json()["content"] == [{"type": "text", "text": "a fish"}]
        (call,) = endpoint.arrived
        assert call.target == "/v1/chat/completions"
        assert call.json["tools"][0]["function"]["name"] == "web_search"
        assert call.headers["authorization"] == "Bearer sk-own"
        assert {"anthropic", "web-search"} <= set(got.headers["x-hunyuan-fix"].split(","))
        await ask(proxy, CLEAN)
        assert (endpoint.arrived[1].target, endpoint.arrived[1].json) == ("/v1/messages?a=%20", CLEAN)


async def test_without_a_search_program_the_model_is_told_that_there_is_none(native: Proxy, endpoint: Endpoint):
    got = await ask(native, CLEAN | {"tools": [SEARCH]})
    (sent,) = endpoint.arrived
    assert sent.target == "/v1/messages?a=%20"
    assert "web_search is not available here" in sent.json["system"][0]["text"]
    assert got.json() == ANSWER


async def test_a_model_that_does_not_speak_it_gets_a_chat_request(
    trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    endpoint.answer = answer
    tokenhub = profiles.load("tokenhub")
    only_hy3 = {"anthropic": replace(tokenhub.native["anthropic"], models=("hy3", "minimax-*"))}
    monkeypatch.setattr(profiles, "load", lambda _: replace(tokenhub, native=only_hy3))
    options = OPTIONS | {"hunyuan_models": "small=hy3,claude-*haiku*=glm-5.2"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
        for asked, target in {
            "hy3": "/v1/messages?a=%20",
            "hy3[1m]": "/v1/messages?a=%20",
            "claude-sonnet-5": "/v1/messages?a=%20",
            "small": "/v1/messages?a=%20",
            "minimax-m3": "/v1/messages?a=%20",
            "claude-haiku-5": "/v1/chat/completions",
            "glm-5.2": "/v1/chat/completions",
            "claude-glm-5.2": "/v1/chat/completions",
        }.items():
            got = await ask(proxy, CLEAN | {"model": asked})
            assert (endpoint.arrived[-1].target, got.status_code) == (target, 200), asked
        assert endpoint.arrived[-1].headers["authorization"] == "Bearer sk-own"
        assert "x-api-key" not in endpoint.arrived[-1].headers
        assert "anthropic-version" not in endpoint.arrived[-1].headers
        bad = await ask(proxy, CLEAN | {"model": "glm-5.2", "messages": 7})
        assert (bad.status_code, bad.json()["type"]) == (402, "error")
        assert len(endpoint.arrived) == 8


async def test_the_text_of_a_pdf_stands_in_its_place(native: Proxy, endpoint: Endpoint):
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(pdf("Hello")).decode()}
    document = {"type": "document", "source": source}
    got = await ask(native, CLEAN | {"messages": [{"role": "user", "content": [document]}]})
    (sent,) = endpoint.arrived
    assert sent.json["messages"][0]["content"][0]["text"].splitlines()[1] == "Hello"
    assert "documents" in got.headers["x-hunyuan-fix"].split(",")


async def test_a_placeholder_in_place_of_a_key_leaves_with_the_lent_key_alone(
    trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-lent")
    endpoint.answer = answer
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **OPTIONS) as proxy, proxy.client() as client:
        await client.post("/messages", json=CLEAN, headers=HEADERS | {"x-api-key": "hunyuan-fix"})
    (request,) = endpoint.arrived
    assert request.headers["authorization"] == "Bearer sk-lent"
    assert "x-api-key" not in request.headers
