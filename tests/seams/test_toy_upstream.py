"""An upstream with a format and a signature of its own: a line in each table, and a profile that names them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hunyuan_fix.dialects import UPSTREAM_DIALECTS
from hunyuan_fix.upstream.signing import SIGNERS
from tests.providers import toml
from tests.proxying import LOCAL, Arrived, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer
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
