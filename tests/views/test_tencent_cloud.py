"""Tencent Cloud's own format as a person reads it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.tencent_cloud.client import TencentCloud
from hunyuan_fix.views import transcript
from hunyuan_fix.wire import stream_content
from tests.strategies import json_values

CALL = {"Id": "c1", "Type": "function", "Function": {"Name": "ls", "Arguments": '{"at":"/"}'}}
REQUEST = {
    "Model": "hunyuan-lite",
    "TopP": 0.5,
    "Messages": [
        {"Role": "user", "Contents": [{"Type": "text", "Text": "What?"}, {"Type": "text", "Text": "And this?"}]},
        {"Role": "assistant", "Content": "I look.", "ToolCalls": [CALL]},
        {"Role": "tool", "ToolCallId": "c1", "Content": "a.txt"},
    ],
}


def test_a_request() -> None:
    page = transcript.request(json.dumps(REQUEST).encode(), dialect="tencent-cloud")
    assert "model: hunyuan-lite · top_p: 0.5" in page
    for line in ("─── user ───", "What?", "And this?", "I look.", "ls", "─── tool c1 ───", "a.txt"):
        assert line in page


def test_whole_answers_and_errors() -> None:
    chat = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7}}
    page = transcript.answer(json.dumps(TencentCloud().answer(chat, {})).encode(), streamed=False)
    assert "hi" in page
    assert "7" in page
    error = {"Response": {"Error": {"Code": "InvalidAction", "Message": "no such thing"}, "RequestId": "r"}}
    assert "InvalidAction: no such thing" in transcript.answer(json.dumps(error).encode(), streamed=False)


def test_a_stream() -> None:
    writer = TencentCloud().stream({})
    said = [
        {"content": "one "},
        {"content": "two"},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "ls"}}]},
    ]
    sent = b"".join(piece for delta in said for piece in writer.feed({"choices": [{"delta": delta}]}))
    assert stream_content.begins(sent, "tencent-cloud")
    whole = sent + b"".join(writer.finish())
    page = transcript.answer(whole, streamed=True)
    assert "one two" in page
    assert "ls" in page
    assert "!" not in page, "an end of its own is an end"
    assert "finish reason" in transcript.answer(sent, streamed=True)
    broken = sent + b"".join(TencentCloud().stream({}).fail({"message": "it broke"}))
    assert "it broke" in transcript.answer(broken, streamed=True)


def test_an_event_without_content_is_no_first_token() -> None:
    begun = b"".join(TencentCloud().stream({}).finish())
    assert not stream_content.begins(begun, "tencent-cloud")


@given(st.dictionaries(st.sampled_from(["Messages", "Choices", "Response", "ErrorMsg", "Usage"]), json_values))
def test_nonsense_is_shown(body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    transcript.request(data, dialect="tencent-cloud")
    transcript.answer(data, streamed=False)
    transcript.answer(b"data: " + data + b"\n\n", streamed=True)
