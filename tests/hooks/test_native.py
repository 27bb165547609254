"""Messages requests to an endpoint that speaks Messages itself, but not all of it, through a real mitmproxy."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hunyuan_fix import profiles
from tests.documents.pdfs import pdf
from tests.proxying import (
    LOCAL,
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


async def test_a_stream_passes_as_it_comes(native: Proxy, endpoint: Endpoint):
    events = (b'event: message_start\ndata: {"type":"message_start"}\n\n', b"event: odd\r\ndata: {}\r\n\r\n")
    endpoint.answer = stream_answer(*events)
    got = await ask(native, ASKED | {"stream": True})
    assert got.content == b"".join(events)


async def test_an_error_of_the_endpoint_passes_as_it_is(native: Proxy, endpoint: Endpoint):
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
    endpoint.answer = json_answer(error, 400)
    got = await ask(native, CLEAN)
    assert (got.status_code, got.json()) == (400, error)


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


async def test_the_relay_which_reads_chat_only_lets_it_pass(trust: Trust, endpoint: Endpoint):
    endpoint.answer = answer
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **OPTIONS, hunyuan_retry="all") as proxy:
        got = await ask(proxy, ASKED)
    assert got.json() == ANSWER
    assert len(endpoint.arrived) == 1


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
        assert {"anthropic", "anthropic-native", "web-search"} <= set(got.headers["x-hunyuan-fix"].split(","))
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
