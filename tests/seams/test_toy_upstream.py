"""An upstream with a format and a signature of its own: a line in each table, and a profile that names them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hunyuan_fix.dialects import UPSTREAM_DIALECTS
from hunyuan_fix.simulator.vision import data_url, png_with_text
from hunyuan_fix.upstream.signing import SIGNERS
from tests.providers import toml
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer
from tests.seams.toys import ToySigner, ToyUpstream, signature


@pytest.fixture
async def proxy(
    trust: Trust,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    add_provider: Callable[[str, str], None],
) -> AsyncIterator[Proxy]:
    monkeypatch.setitem(UPSTREAM_DIALECTS, "toy-upstream", ToyUpstream())
    monkeypatch.setitem(SIGNERS, "toy", ToySigner())
    add_provider("toyprovider", toml("toy.example", dialect="toy-upstream", signer="toy"))
    hosts = f"{LOCAL}=toyprovider"
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_hosts=hosts) as running:
        yield running


async def ask(proxy: Proxy, key: str = "id:secret", **more: Any) -> Any:
    body = {"model": "hy3", "messages": [{"role": "user", "content": "hi"}], **more}
    async with proxy.client() as client:
        return await client.post("/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})


def in_turn(*answers: Answer) -> Callable[[Arrived], Answer]:
    left = iter(answers)
    return lambda _: next(left)


async def broken_off() -> AsyncIterator[bytes]:
    yield b'data: {"more":"hello"}\n\n'
    raise ConnectionError("the endpoint breaks off")


def is_signed(request: Arrived, url: str) -> bool:
    time, given = request.headers["x-toy-time"], request.headers["x-toy-signature"]
    return given == signature("secret", "POST", url, request.body, time)


async def test_request_and_answer_are_translated_and_the_bytes_that_leave_are_signed(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = json_answer({"reply": "hello", "used": 5})
    answer = await ask(proxy)
    assert answer.json()["choices"][0]["message"]["content"] == "hello"
    assert answer.json()["usage"]["prompt_tokens"] == 1, "the note of the request reaches the answer"
    (arrived,) = endpoint.arrived
    assert (arrived.target, arrived.json) == ("/v1/toy", {"model": "hy3", "say": "hi", "live": False})
    assert arrived.headers["authorization"] == "TOY id"
    assert is_signed(arrived, f"https://{LOCAL}:{endpoint.port}/v1/toy")
    assert "secret" not in str(arrived.headers)


async def test_its_stream_becomes_chat_events(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = stream_answer(b'data: {"more":"hel"}\n\nda', b'ta: {"more":"lo"}\n\ndata: {"end":"stop"}\n\n')
    answer = await ask(proxy, stream=True)
    assert b'"content":"hel"' in answer.content
    assert b'"finish_reason":"stop"' in answer.content
    assert answer.content.endswith(b"data: [DONE]\n\n")


async def test_its_errors_have_openais_shape(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = json_answer({"oops": "closed"}, 503)
    answer = await ask(proxy)
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "closed"


async def test_a_key_of_another_form_is_refused_and_nothing_leaves(proxy: Proxy, endpoint: Endpoint):
    answer = await ask(proxy, key="sk-secret-words")
    assert answer.status_code == 401
    assert "secret-words" not in answer.text
    assert endpoint.arrived == []


async def test_the_relay_judges_in_the_house_language_and_signs_each_try(proxy: Proxy, endpoint: Endpoint):
    proxy.master.options.update(hunyuan_retry="all")
    endpoint.answer = in_turn(json_answer({"oops": "busy"}), json_answer({"reply": "hello", "used": 5}))
    answer = await ask(proxy)
    assert answer.json()["choices"][0]["message"]["content"] == "hello"
    assert answer.headers["x-hunyuan-fix-tries"] == "2"
    first, second = endpoint.arrived
    url = f"https://{LOCAL}:{endpoint.port}/v1/toy"
    assert is_signed(first, url)
    assert is_signed(second, url)
    assert first.headers["x-toy-time"] < second.headers["x-toy-time"]


async def test_the_relay_passes_its_stream_on(proxy: Proxy, endpoint: Endpoint):
    proxy.master.options.update(hunyuan_retry="all")
    endpoint.answer = in_turn(
        stream_answer(b'data: {"oops":"busy"}\n\n'),
        stream_answer(b'data: {"more":"hello"}\n\n', b'data: {"end":"stop"}\n\n'),
    )
    answer = await ask(proxy, stream=True)
    assert b'"content":"hello"' in answer.content
    assert answer.content.endswith(b"data: [DONE]\n\n")
    assert len(endpoint.arrived) == 2


async def test_a_stream_that_breaks_off_behind_the_relay_ends_with_an_error(proxy: Proxy, endpoint: Endpoint):
    proxy.master.options.update(hunyuan_retry="all")
    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=broken_off())
    answer = await ask(proxy, stream=True)
    assert b'"content":"hello"' in answer.content
    assert b'"error":{' in answer.content


async def test_images_are_described_by_a_model_of_that_format(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = in_turn(json_answer({"reply": "a cat", "used": 5}), json_answer({"reply": "hello", "used": 5}))
    picture = {"type": "image_url", "image_url": {"url": data_url(png_with_text("a cat"))}}
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    answer = await ask(proxy, messages=[{"role": "user", "content": [picture]}], tools=tools)
    assert answer.json()["choices"][0]["message"]["content"] == "hello"
    vision, chat = endpoint.arrived
    assert (vision.target, chat.target) == ("/v1/toy", "/v1/toy")
    assert "a cat" in str(chat.json["say"])
    assert is_signed(vision, f"https://{LOCAL}:{endpoint.port}/v1/toy")


async def test_batches_of_embeddings_are_sent_and_joined_in_that_format(proxy: Proxy, endpoint: Endpoint):
    def vectors(request: Arrived) -> Answer:
        return json_answer({"vectors": [[float(text)] for text in request.json["texts"]], "used": 1})

    endpoint.answer = vectors
    texts = [str(number) for number in range(300)]
    async with proxy.client() as client:
        body = {"model": "hunyuan-embedding", "input": texts}
        answer = await client.post("/embeddings", json=body, headers={"authorization": "Bearer id:secret"})
    assert [vector["embedding"] for vector in answer.json()["data"]] == [[float(text)] for text in texts]
    assert len(endpoint.arrived) > 1
    assert {arrived.target for arrived in endpoint.arrived} == {"/v1/toy"}
