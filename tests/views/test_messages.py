"""Anthropic's messages as a person reads them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.views import transcript
from tests.strategies import json_values

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
REQUEST = {
    "model": "claude-opus-4-6",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "You are an agent."}],
    "messages": [
        {"role": "user", "content": "Read a.txt."},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "I read it."},
                {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a.txt"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "the file"}]},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                {"type": "text", "text": "And this?"},
            ],
        },
    ],
}
REQUEST_PAGE = """\
model: claude-opus-4-6 · max_tokens: 100

─── system ───
You are an agent.

─── user ───
Read a.txt.

─── assistant ───
    (reasoning) hm
I read it.
→ Read  (t1)
    {
      "path": "a.txt"
    }

─── tool t1 ───
the file

─── user ───
{image}
And this?
"""
ANSWER = {
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "hello"},
        {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a.txt"}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 9, "output_tokens": 3},
}
EVENTS = [
    {"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "h"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "m"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t1", "name": "Read"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"path":'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ' "a.txt"}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
ANSWER_PAGE = """\
─── assistant ───
    (reasoning) hm
hello
→ Read  (t1)
    {
      "path": "a.txt"
    }
finish reason: tool_use

usage: input_tokens 9, output_tokens 3
"""


def data(value: Any) -> bytes:
    return json.dumps(value).encode()


def stream(events: list[Any]) -> bytes:
    return b"".join(b"event: x\ndata: " + data(event) + b"\n\n" for event in events)


def test_a_request() -> None:
    page = transcript.request(data(REQUEST), dialect="anthropic")
    image = next(line for line in page.splitlines() if "image" in line)
    assert page == REQUEST_PAGE.replace("{image}", image)
    assert PIXEL not in page


def test_an_answer_whole_and_streamed() -> None:
    assert transcript.answer(data(ANSWER), streamed=False) == ANSWER_PAGE
    assert transcript.answer(stream(EVENTS), streamed=True) == ANSWER_PAGE


def test_a_broken_stream_shows_what_came() -> None:
    page = transcript.answer(stream(EVENTS[:8]), streamed=True)
    assert "hello" in page
    assert "! the stream ends without a finish reason" in page
    failed = [*EVENTS[:8], {"type": "error", "error": {"type": "api_error", "message": "broke off"}}]
    assert "! error: broke off" in transcript.answer(stream(failed), streamed=True)


@given(
    json_values, json_values, st.sampled_from(EVENTS), st.sampled_from(["delta", "content_block", "message", "index"])
)
def test_nothing_makes_it_raise(value: Any, other: Any, event: dict[str, Any], key: str) -> None:
    for body in (
        {"messages": value, "system": other},
        {"messages": [{"role": value, "content": [other, {"type": "tool_use", "input": value, "name": other}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": value}, {"type": "tool_result"}]}]},
    ):
        transcript.request(data(body), dialect="anthropic")
    for content in (value, [value, other], [{"type": "thinking", "thinking": value}, {"type": "text", "text": other}]):
        transcript.answer(data({"type": "message", "content": content, "stop_reason": other}), streamed=False)
    transcript.answer(stream([event | {key: value}, *EVENTS, value, {"type": other}]), streamed=True)
