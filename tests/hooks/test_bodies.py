"""What a repair does when something goes wrong, and what it tells of itself."""

from __future__ import annotations

import json
import logging

import pytest

from hunyuan_fix import rules
from hunyuan_fix.cascade import Cascade
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.hooks import exchanges
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

BAD = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "secret words"}], "user": "me"}
WITH_IMAGE = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def fails(*_: object) -> None:
    raise RuntimeError("secret words")


async def test_after_a_failure_the_original_bytes_go_on(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rules, "apply_chat", fails)
    body = json.dumps(BAD, indent=3).encode()
    async with proxy.client() as client:
        for number in (1, 2):
            answer = await client.post("/chat/completions", content=body)
            assert answer.status_code == 200
            assert "x-hunyuan-fix" not in answer.headers
            assert proxy.addon.runtime.failures == number
    assert [arrived.body for arrived in endpoint.arrived] == [body, body]
    assert "failure 2 since start" in caplog.text
    assert "builtins.RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_half_changed_body_never_leaves(proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch):
    def half(body: dict[str, object], *_: object) -> None:
        body.clear()
        fails()

    monkeypatch.setattr(rules, "apply_chat", half)
    async with proxy.client() as client:
        await client.post("/chat/completions", json=BAD)
    assert endpoint.arrived[0].json == BAD


@pytest.mark.parametrize("repairs", [True, False])
async def test_the_parsed_body_is_gone_while_its_answer_is_awaited(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, *, repairs: bool
):
    awaited: list[tuple[str, JsonObject]] = []

    def look(_: Arrived) -> Answer:
        known = map(exchanges.of, proxy.addon.process.finisher.under_way)
        awaited.extend((exchange.model, exchange.chat) for exchange in known if exchange)
        return chat_answer("hi")

    if not repairs:
        monkeypatch.setattr(rules, "apply_chat", fails)
    endpoint.answer = look
    async with proxy.client() as client:
        await client.post("/chat/completions", json=BAD)
    assert awaited == [("hunyuan-lite", {})]


async def test_a_failure_of_the_cascade_is_said_to_the_client(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def broken(*_: object, **__: object) -> None:
        fails()

    monkeypatch.setattr(Cascade, "describe", broken)
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", json=WITH_IMAGE)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "image_cascade_failed"
    assert endpoint.arrived == []
    assert "secret" not in caplog.text
    assert "RuntimeError" in caplog.text


async def test_a_failure_in_a_translated_request_is_said_in_its_format(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rules, "apply_chat", fails)
    request = {"model": "hunyuan-lite", "max_tokens": 9, "messages": [{"role": "user", "content": "secret"}]}
    async with proxy.client() as client:
        answer = await client.post("/messages", json=request)
    assert answer.status_code == 502
    assert answer.json()["type"] == "error"
    assert "another format" in answer.json()["error"]["message"]
    assert endpoint.arrived == []
    assert "secret" not in caplog.text


async def test_a_failure_on_an_answer_lets_it_pass(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("hunyuan_fix.answers.whole.repair_answer", fails)
    monkeypatch.setattr("hunyuan_fix.wire.vendor_errors.translate_error", fails)
    monkeypatch.setattr("hunyuan_fix.answers.streamed.ChatStream", fails)
    async with proxy.client() as client:
        for given in (chat_answer("hi"), json_answer({"error": {}}, 400), stream_answer(b"data: [DONE]\n\n")):
            endpoint.answer = given
            answer = await client.post("/chat/completions", json=BAD)
            assert (answer.status_code, answer.content) == (given.status, b"".join(given.chunks))  # type: ignore[arg-type]
    assert proxy.addon.runtime.failures == 3
    assert "secret" not in caplog.text


async def test_images_are_described_with_the_requests_own_key_and_the_answer_says_so(
    trust: Trust, caplog: pytest.LogCaptureFixture
):
    def see(request: Arrived) -> Answer:
        return chat_answer("a cat" if "vision" in request.json["model"] else "ok")

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = see
        async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy, proxy.client() as client:
            headers = {"authorization": "Bearer sk-own"}
            first = await client.post("/chat/completions", json=WITH_IMAGE, headers=headers)
            await client.post("/chat/completions", json=WITH_IMAGE, headers=headers)
    vision, chat, again = endpoint.arrived
    assert vision.headers["authorization"] == chat.headers["authorization"] == "Bearer sk-own"
    assert vision.headers["x-hunyuan-fix-call"] == "1"
    assert vision.target == "/v1/chat/completions"
    assert "a cat" in str(chat.json["messages"])
    assert chat.body == again.body
    assert "cascade" in first.headers["x-hunyuan-fix"]
    assert "vision_calls=1 cached=0" in caplog.text
    assert "vision_calls=0 cached=1" in caplog.text
    assert "a cat" not in caplog.text
    assert "sk-own" not in caplog.text


async def test_overlong_input_is_warned_of(proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture):
    body = {"model": "hunyuan-role", "messages": [{"role": "user", "content": "字" * 60_000}]}
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", json=body)
    assert "hunyuan-role is 28000" in answer.headers["x-hunyuan-fix-warning"]
    assert "x-hunyuan-fix" not in answer.headers
    assert "hunyuan-role is 28000" in caplog.text
    assert endpoint.arrived[0].json == body


async def test_overlong_input_is_refused_where_that_is_wanted(trust: Trust, endpoint: Endpoint):
    body = {"model": "hunyuan-role", "messages": [{"role": "user", "content": "字" * 60_000}]}
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_overlong="error") as proxy,
        proxy.client() as client,
    ):
        answer = await client.post("/chat/completions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert endpoint.arrived == []


def vectors(request: Arrived) -> Answer:
    data = [{"object": "embedding", "index": 0, "embedding": [float(text)]} for text in request.json["input"]]
    usage = {"prompt_tokens": len(data), "total_tokens": len(data)}
    return json_answer({"object": "list", "data": data, "model": "m", "usage": usage})


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
async def test_too_many_inputs_are_sent_in_batches(trust: Trust, encoding_format: str):
    body = {"model": "hunyuan-embedding", "input": [str(number) for number in range(120)]}
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = vectors
        async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy, proxy.client() as client:
            answer = await client.post("/embeddings", json={**body, "encoding_format": encoding_format})
    assert sorted(len(arrived.json["input"]) for arrived in endpoint.arrived) == [20, 50, 50]
    joined = answer.json()
    assert [item["index"] for item in joined["data"]] == list(range(120))
    assert joined["usage"]["prompt_tokens"] == 120
    assert joined["data"][1]["embedding"] == ("AACAPw==" if encoding_format == "base64" else [1.0])
    assert "embeddings" in answer.headers["x-hunyuan-fix"]


async def test_a_batch_that_fails_is_the_answer(trust: Trust):
    error = {"error": {"message": "no", "type": "t", "code": "x"}}
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = json_answer(error, 418)
        async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy, proxy.client() as client:
            answer = await client.post("/embeddings", json={"model": "hunyuan-embedding", "input": ["x"] * 51})
    assert (answer.status_code, answer.json()) == (418, error)


async def test_an_embeddings_answer_is_packed(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = json_answer({"data": [{"index": 0, "embedding": [1.0]}]})
    body = {"model": "hunyuan-embedding", "input": "x", "encoding_format": "base64"}
    async with proxy.client() as client:
        answer = await client.post("/embeddings", json=body)
    assert endpoint.arrived[0].json == {"model": "hunyuan-embedding", "input": "x"}
    assert answer.json()["data"][0]["embedding"] == "AACAPw=="
    assert answer.headers["x-hunyuan-fix"] == "embeddings,answer-embeddings"
