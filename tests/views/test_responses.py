"""The Responses API as a person reads it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.views import responses, transcript
from tests.strategies import json_values

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
REQUEST = {
    "model": "gpt-5.5",
    "stream": True,
    "instructions": "You are an agent.",
    "tools": [{"type": "function", "name": "shell"}],
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"role": "user", "content": "Look at a.png."},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "x",
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {
            "type": "function_call",
            "call_id": "c1",
            "name": "view",
            "namespace": "mcp__a",
            "arguments": '{"path": "a.png"}',
        },
        {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "*** Begin Patch"},
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [{"type": "input_image", "image_url": PIXEL}],
        },
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "Done."},
        {"type": "additional_tools", "role": "developer", "tools": []},
    ],
}
REQUEST_PAGE = """\
model: gpt-5.5 · 1 tool · stream: true

─── system ───
You are an agent.

─── developer ───
Be brief.

─── user ───
Look at a.png.

─── assistant ───
    (reasoning) hm
I look.
→ mcp__a.view  (c1)
    {
      "path": "a.png"
    }
→ apply_patch  (c2)
    *** Begin Patch

─── tool c1 ───
{image}

─── tool c2 ───
Done.

─── developer ───
{"type": "additional_tools", "tools": []}
"""
OUTPUT: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
    {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "Read", "arguments": '{"path": "a.txt"}'},
    {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "apply_patch", "input": "*** Begin"},
]
USAGE = {"input_tokens": 9, "output_tokens": 3}
ANSWER = {"id": "resp_1", "object": "response", "status": "completed", "output": OUTPUT, "usage": USAGE}
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "summary": []}},
    {"type": "response.reasoning_text.delta", "output_index": 0, "delta": "h"},
    {"type": "response.reasoning_text.delta", "output_index": 0, "delta": "m"},
    {"type": "response.output_item.done", "output_index": 0, "item": OUTPUT[0]},
    {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "content": []}},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "hello"},
    {"type": "response.output_text.done", "output_index": 1, "text": "hello"},
    {"type": "response.output_item.done", "output_index": 1, "item": OUTPUT[1]},
    {"type": "response.output_item.added", "output_index": 2, "item": {**OUTPUT[2], "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"path": '},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '"a.txt"}'},
    {"type": "response.output_item.done", "output_index": 2, "item": OUTPUT[2]},
    {"type": "response.output_item.added", "output_index": 3, "item": {**OUTPUT[3], "input": ""}},
    {"type": "response.custom_tool_call_input.delta", "output_index": 3, "delta": "*** Begin"},
    {"type": "response.output_item.done", "output_index": 3, "item": OUTPUT[3]},
    {"type": "response.completed", "response": ANSWER},
]
ANSWER_PAGE = """\
─── assistant ───
    (reasoning) hm
hello
→ Read  (c1)
    {
      "path": "a.txt"
    }
→ apply_patch  (c2)
    *** Begin
finish reason: completed

usage: input_tokens 9, output_tokens 3
"""


def data(value: Any) -> bytes:
    return json.dumps(value).encode()


def stream(events: list[Any]) -> bytes:
    return b"".join(b"event: x\ndata: " + data(event) + b"\n\n" for event in events)


def test_a_request() -> None:
    for dialect in ("responses", "responses-native"):
        page = transcript.request(data(REQUEST), dialect=dialect)
        image = next(line for line in page.splitlines() if "image" in line)
        assert page == REQUEST_PAGE.replace("{image}", image)
        assert PIXEL not in page
    assert "Hi." in transcript.request(data({"model": "hy3", "input": "Hi."}), dialect="responses")


def test_an_answer_whole_and_streamed() -> None:
    assert transcript.answer(data(ANSWER), streamed=False) == ANSWER_PAGE
    assert transcript.answer(stream(EVENTS), streamed=True) == ANSWER_PAGE


def test_a_search_for_tools_that_comes_without_deltas() -> None:
    call = {"type": "tool_search_call", "call_id": "c1", "arguments": {"query": "calendar"}}
    events = [
        {"type": "response.output_item.added", "output_index": 0, "item": call},
        {"type": "response.output_item.done", "output_index": 0, "item": call},
        {"type": "response.completed", "response": {**ANSWER, "output": [call]}},
    ]
    page = transcript.answer(stream(events), streamed=True)
    assert page == transcript.answer(data({**ANSWER, "output": [call]}), streamed=False)
    assert "→ tool_search_call  (c1)" in page
    assert '"query": "calendar"' in page


def test_a_compacted_history() -> None:
    """What an item says is not run together with the next, and not taken for the assistant's."""
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look."}]},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "hf1.abc"},
    ]
    shown = transcript.answer(data({"object": "response.compaction", "output": items}), streamed=False)
    assert "(user) Look.\n" in shown and "(compaction) (sealed)" in shown and "hf1" not in shown


def test_how_an_answer_ended() -> None:
    cut = {**ANSWER, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert "finish reason: max_output_tokens" in transcript.answer(data(cut), streamed=False)
    broken = transcript.answer(stream(EVENTS[:8]), streamed=True)
    assert "hello" in broken
    assert "! the stream ends without a finish reason" in broken
    error = {"code": "server_error", "message": "broke off"}
    failed = {"type": "response.failed", "response": {"status": "failed", "error": error}}
    assert "! error: broke off" in transcript.answer(stream([*EVENTS[:8], failed]), streamed=True)


@given(
    json_values,
    json_values,
    st.sampled_from(EVENTS),
    st.sampled_from(["delta", "item", "response", "output_index"]),
    st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call_output", "tool_search_call", "x"]),
    st.sampled_from(["content", "output", "summary", "arguments", "name", "namespace", "role", "call_id"]),
)
def test_nothing_makes_it_raise(value: Any, other: Any, event: dict[str, Any], key: str, kind: str, field: str) -> None:
    item = {"type": kind, field: value}
    for given_input in (value, [value, item, other], [item, {"type": other}, item]):
        transcript.request(data({"input": given_input, "instructions": other}), dialect="responses")
    answer = {"object": "response", "output": [item, value], "status": other, "incomplete_details": value}
    transcript.answer(data(answer), streamed=False)
    events = [event | {key: value}, event | {key: item}, *EVENTS, value, {"type": other}]
    transcript.answer(stream(events), streamed=True)


def test_many_items_of_the_assistants_are_one_message_in_linear_time() -> None:
    """Every list grows in place: the lists that are made are those of the items."""
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
    called = {"type": "function_call", "call_id": "c", "name": "ls", "arguments": "{}"}
    grown = responses.as_chat({"input": [said]})["messages"][0]["content"]
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    many = responses.as_chat({"input": [said, thought, called] * 30_000})["messages"]
    assert len(many) == 1
    assert many[0]["reasoning_content"] == "hm" * 30_000
    assert (len(many[0]["content"]), len(many[0]["tool_calls"])) == (30_000, 30_000)
    assert grown == said["content"], "a request that was read before has not changed"
