"""A client's format that plugs in by one line of `DIALECTS`, through a real mitmproxy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hunyuan_fix import options
from hunyuan_fix.cli.lint import reading, verdict
from hunyuan_fix.dialects import DIALECTS
from hunyuan_fix.exchange import KEY
from tests.kept_flows import saved_and_read
from tests.proxying import LOCAL, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy, stream_answer
from tests.seams.toys import ToyDialect

FRAMES = (
    b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"hel"}}]}\n\n'
    b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"lo"}}]}\n\n'
    b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
SAID = b'data: {"more":"hel"}\n\ndata: {"more":"lo"}\n\ndata: {"end":"stop"}\n\n'


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DIALECTS, "toy", ToyDialect())


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as running:
        yield running


async def ask(proxy: Proxy, body: Any, **headers: str) -> Any:
    async with proxy.client() as client:
        return await client.post("/toy", json=body, headers=headers)


async def test_request_and_answer_are_translated(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = json_answer(
        {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
            "usage": {"total_tokens": 7},
        }
    )
    answer = await ask(proxy, {"model": "hunyuan-lite", "say": "HI"})
    assert answer.json() == {"reply": "HELLO", "used": 7}, "the note of the request reaches the answer"
    assert endpoint.arrived[0].target == "/v1/chat/completions"
    assert endpoint.arrived[0].json == {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "HI"}]}


async def test_what_the_rules_repair_is_repaired_here_too(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = chat_answer("fine")
    answer = await ask(proxy, {"model": "hunyuan-lite", "say": " "})
    assert answer.json()["reply"] == "fine"
    assert "placeholders" in answer.headers["x-hunyuan-fix"]
    assert endpoint.arrived[0].json["messages"][0]["content"].strip()


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_stream_is_translated_however_it_is_cut(proxy: Proxy, endpoint: Endpoint, size: int):
    endpoint.answer = stream_answer(*(FRAMES[start : start + size] for start in range(0, len(FRAMES), size)))
    answer = await ask(proxy, {"model": "hunyuan-lite", "say": "hi", "live": True})
    assert answer.content == SAID
    assert answer.headers["content-type"] == "text/event-stream"


async def test_a_whole_answer_where_a_stream_was_asked_for_becomes_one(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = chat_answer("hello")
    answer = await ask(proxy, {"model": "hunyuan-lite", "say": "hi", "live": True})
    assert answer.content == b'data: {"more":"hello"}\n\ndata: {"end":"stop"}\n\n'


async def test_an_error_inside_a_stream_is_in_the_clients_format(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = stream_answer(b'data: {"error":{"message":"busy"}}\n\n')
    answer = await ask(proxy, {"model": "hunyuan-lite", "say": "hi", "live": True})
    assert answer.content == b'data: {"oops":"busy"}\n\n'


@pytest.mark.parametrize("body", [{"say": 5}, {}, [], "text"])
async def test_what_cannot_be_translated_is_refused_in_the_clients_format(proxy: Proxy, endpoint: Endpoint, body: Any):
    answer = await ask(proxy, body)
    assert answer.status_code == 400
    assert "can't be translated" in answer.json()["oops"]
    assert endpoint.arrived == []


async def test_the_endpoints_errors_are_in_the_clients_format(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = json_answer({"error": {"message": "limit", "code": "2003"}}, 400)
    limited = await ask(proxy, {"model": "hunyuan-lite", "say": "hi"})
    assert (limited.status_code, limited.json()) == (429, {"oops": "limit"})
    endpoint.answer = json_answer({"error": {"message": "no such model", "code": "x"}}, 404)
    unknown = await ask(proxy, {"model": "hunyuan-lite", "say": "hi"})
    assert (unknown.status_code, unknown.json()) == (404, {"oops": "no such model"})


async def test_the_log_and_the_saved_flow_name_it(trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture):
    endpoint.answer = chat_answer("fine")
    flows: list[Any] = []

    class Keeper:
        def requestheaders(self, flow: Any) -> None:
            flows.append(flow)

    caplog.set_level("INFO")
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", Keeper()) as proxy:
        await ask(proxy, {"model": "hunyuan-lite", "say": "hi"})
    assert any("POST /v1/toy model=hunyuan-lite" in line for line in caplog.messages)
    saved = saved_and_read(flows[0]).metadata[KEY]
    assert (saved["dialect"], saved["notes"]["toy"]) == ("toy", {"loud": False})


def test_lint_knows_it():
    (request,) = reading.requests(
        json.dumps({"path": "/v1/toy", "body": {"model": "hy3", "say": "hi"}}).encode(), "file", 10**6
    )
    assert isinstance(request, reading.Request)
    assert request.dialect == "toy"
    found = verdict.judge(request, options.parse({}), rerouted=False)
    assert found.still_refused == []
    assert found.bodies == [{"model": "hy3", "messages": [{"role": "user", "content": "hi"}]}]
