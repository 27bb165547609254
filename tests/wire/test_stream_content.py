"""The first content of a stream: in each format the first event that has some, and none before it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire.stream_content import begins


def chunk(**delta: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}).encode() + b"\n\n"


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


REQUEST = {  # what a Responses answer repeats of its request
    "instructions": [{"role": "system", "content": "You are"}],
    "tools": [{"type": "function", "name": "f", "parameters": {"properties": {"content": {"type": "string"}}}}],
    "reasoning": {"effort": "high"},
    "metadata": {"content": "x", "delta": "y"},
    "output": [],
}


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"content": "\n"},
        {"content": '"'},
        {"reasoning_content": "x"},
        {"reasoning": "x"},
        {"refusal": "x"},
        {"tool_calls": [{"index": 0}]},
        {"function_call": {"name": "f"}},
    ],
)
def test_text_thoughts_and_calls_are_content(delta: dict[str, Any]) -> None:
    assert begins(chunk(role="assistant", **delta), "chat")
    compact = json.dumps({"choices": [{"delta": delta}]}, separators=(",", ":")).encode()
    assert begins(b"data:" + compact + b"\n\n", "")


@pytest.mark.parametrize(
    "data",
    [
        chunk(role="assistant", content=""),
        chunk(role="assistant", content=None, tool_calls=[]),
        b'data: {"choices":[],"usage":{"prompt_tokens":3}}\n\n',
        b": keep-alive\n\n",
        b"data: [DONE]\n\n",
    ],
)
def test_a_beginning_and_an_end_are_none(data: bytes) -> None:
    assert not begins(data, "chat")


def test_messages() -> None:
    before = [
        event("message_start", message={"content": [], "usage": {"input_tokens": 3}}),
        event("ping"),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ]
    assert not any(begins(one, "anthropic") for one in before)
    for delta in ({"type": "text_delta", "text": "x"}, {"type": "thinking_delta", "thinking": "x"}):
        assert begins(event("content_block_delta", index=0, delta=delta), "anthropic")


def test_responses() -> None:
    before = [
        event("response.created", response=REQUEST),
        event("response.in_progress", response=REQUEST),
        event("response.output_item.added", item={"type": "message", "content": []}),
        event("response.content_part.added", part={"type": "output_text", "text": ""}),
    ]
    assert not any(begins(one, "responses") for one in before)
    for kind in ("output_text", "reasoning_summary_text", "function_call_arguments"):
        assert begins(event(f"response.{kind}.delta", delta="x"), "responses")


@given(st.text())
def test_no_text_looks_like_content(text: str) -> None:
    """Inside of a string, quotation marks are escaped."""
    quoted = chunk(role="assistant", name=text + '"content":"x" "type":"content_block_delta"')
    for spoken in ("chat", "anthropic", "responses"):
        assert not begins(quoted, spoken)
