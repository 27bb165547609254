"""Chat answers as Messages answers through a real mitmproxy, in front of an endpoint that speaks chat only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hunyuan_fix.dialects import DIALECTS
from hunyuan_fix.dialects.anthropic import Anthropic
from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import USED, answer, call, chunk, frame
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer

ASKED: dict[str, Any] = {
    "model": "hunyuan-turbos-latest",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "list"}],
    "tools": [{"name": "ls", "input_schema": {"type": "object", "properties": {}}}],
}
CLAUDE_CODE = {"user-agent": "claude-cli/2.1.332 (external, sdk-cli)"}


@pytest.fixture(autouse=True)
def dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DIALECTS, "anthropic", Anthropic())


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as running:
        yield running


async def ask(proxy: Proxy, headers: dict[str, str] | None = None, **beside: Any) -> Any:
    async with proxy.client() as client:
        return await client.post("/messages", json={**ASKED, **beside}, headers=headers or {})


def events_of(*chunks: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in chunks)


async def test_a_whole_answer(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = json_answer(answer("tool_calls", content="I look.", tool_calls=[call(arguments='{"a": 1}')]))
    made = (await ask(proxy)).json()
    assert [block["type"] for block in made["content"]] == ["text", "tool_use"]
    assert (made["type"], made["model"], made["stop_reason"]) == ("message", "hunyuan-turbos-latest", "tool_use")


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_stream(proxy: Proxy, endpoint: Endpoint, size: int) -> None:
    text = events_of(
        chunk(role="assistant", content=""),
        *(chunk(content=f"word {number} ") for number in range(20)),
        frame(0, '{"a"', id="call_1", name="ls"),
        frame(0, ": 1}"),
        chunk("tool_calls"),
        USED,
    )
    text = b": keep-alive\n\n" + text + b": keep-alive\n\ndata: [DONE]\n\n"
    endpoint.answer = stream_answer(*(text[start : start + size] for start in range(0, len(text), size)))
    answered = await ask(proxy, stream=True)
    assert answered.headers["content-type"] == "text/event-stream"
    made = event_order.message_in(answered.content)
    assert made["content"][0]["text"] == "".join(f"word {number} " for number in range(20))
    assert (made["content"][1]["input"], made["stop_reason"]) == ({"a": 1}, "tool_use")
    assert made["usage"]["cache_read_input_tokens"] == 20


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_stop_sequence_that_ended_the_answer(proxy: Proxy, endpoint: Endpoint, streamed: bool) -> None:
    """The old endpoint leaves it in the text, from which a chat client gets no more than the cut."""
    chunks = [chunk(content="one EN"), chunk(content="D"), chunk("stop"), USED]
    endpoint.answer = (
        stream_answer(events_of(*chunks) + b"data: [DONE]\n\n") if streamed else json_answer(answer(content="one END"))
    )
    answered = await ask(proxy, stream=streamed, stop_sequences=["END"])
    made = event_order.message_in(answered.content) if streamed else answered.json()
    assert endpoint.arrived[0].json["stop"] == ["END"]
    assert made["content"] == [{"type": "text", "text": "one "}]
    assert (made["stop_reason"], made["stop_sequence"]) == ("stop_sequence", "END")


async def test_a_whole_answer_in_a_streams_place(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = json_answer(answer(content="hello"))
    made = event_order.message_in((await ask(proxy, stream=True)).content)
    assert made["content"] == [{"type": "text", "text": "hello"}]


@pytest.mark.parametrize(
    "broken",
    [
        events_of(chunk(content="hel")),
        events_of(chunk(content="hel"), {"error": {"message": "busy", "code": "429001"}}),
        events_of({"error": {"message": "busy"}}),
        b"data: " + b"x" * (1 << 20) + b"\n\n",
    ],
)
async def test_a_stream_that_breaks_ends_with_an_error(proxy: Proxy, endpoint: Endpoint, broken: bytes) -> None:
    endpoint.answer = stream_answer(broken)
    assert event_order.read((await ask(proxy, stream=True)).content).error is not None


@pytest.mark.parametrize(
    ("status", "body", "answered", "kind"),
    [
        (400, '{"error": {"message": "模型不存在", "code": "1006"}}'.encode(), 402, "not_found_error"),
        (400, b'{"error": {"message": "limit", "code": "2003"}}', 429, "rate_limit_error"),
        (401, b'{"error": {"message": "Incorrect API key provided"}}', 401, "authentication_error"),
        (502, b"<html><title>502 Bad Gateway</title>", 502, "api_error"),
        (500, b"", 500, "api_error"),
        (400, b"x" * (2 << 20), 402, "invalid_request_error"),
        (400, b'{"error": {"message": "' + b"x" * (2 << 20) + b'"}}', 402, "invalid_request_error"),
        (200, b"<html>", 502, "api_error"),
        (200, b'{"error": {"message": "Input token length too long", "code": 400001}}', 400, "invalid_request_error"),
    ],
)  # fmt: skip
async def test_errors_for_claude_code(
    proxy: Proxy, endpoint: Endpoint, status: int, body: bytes, answered: int, kind: str
) -> None:
    endpoint.answer = Answer(status, {"content-type": "application/json"}, [body])
    made = await ask(proxy, CLAUDE_CODE)
    assert (made.status_code, made.json()["error"]["type"]) == (answered, kind)
    assert made.json()["type"] == "error"


async def test_a_request_that_cant_be_translated(proxy: Proxy, endpoint: Endpoint) -> None:
    made = await ask(proxy, CLAUDE_CODE, messages=5)
    assert endpoint.arrived == []
    assert made.json()["error"]["type"] == "invalid_request_error"
    assert "messages" in made.json()["error"]["message"]
