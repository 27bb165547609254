"""Streamed chat answers as native events, read by the vendor's own SDK."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.translated import WrittenEvents
from hunyuan_fix.dialects.tencent_cloud.client import TencentCloud
from hunyuan_fix.dialects.tencent_cloud.client_answer import NOTE
from hunyuan_fix.wire import sse
from tests.dialects.chat_answers import USAGE, chunked, finishes, hostile_deltas, messages
from tests.dialects.tencent_cloud.native_clients import events, merged, sdk_events

REQUEST = {"request_id": "a-request", "input_tokens": 12, "model": "hunyuan-lite"}


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "created": 1700000000,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


USED = {"id": "chatcmpl-1", "choices": [], "usage": USAGE}


def written(chunks: list[dict[str, Any]], *, done: bool = True) -> list[bytes]:
    """The pieces that the client gets for a stream of `chunks`."""
    stream = WrittenEvents(TencentCloud().stream(dict(REQUEST)))
    data = b"".join(sse.event(json.dumps(one, ensure_ascii=False).encode()) for one in chunks)
    sent = stream.feed(data + (sse.event(b"[DONE]") if done else b""))
    return [*sent, *stream.finish()]


def test_events_byte_for_byte() -> None:
    sent = b"".join(written([chunk(role="assistant", content="Hi"), chunk("stop"), USED]))
    note, same = json.dumps(NOTE, ensure_ascii=False), '"Created":1700000000,"Id":"chatcmpl-1","Usage":'
    first = '{"FinishReason":"","Index":0,"Delta":{"Role":"assistant","Content":"Hi"}}'
    last = '{"FinishReason":"stop","Index":0,"Delta":{"Role":"assistant","Content":""}}'
    assert sent.decode() == (
        f'data: {{"Note":{note},"Choices":[{first}],{same}'
        '{"PromptTokens":12,"CompletionTokens":1,"TotalTokens":13}}\n\n'
        f'data: {{"Note":{note},"Choices":[{last}],{same}'
        '{"PromptTokens":50,"CompletionTokens":7,"TotalTokens":57,'
        '"PromptTokensDetails":{"CachedTokens":"20"}}}\n\n'
    )


def test_a_call_in_pieces_keeps_its_id() -> None:
    function = {"name": "ls", "arguments": ""}
    first = chunk(tool_calls=[{"index": 0, "id": "call_a", "type": "function", "function": function}])
    more = [chunk(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in ('{"a"', ":1}")]
    read = events(written([first, *more, chunk("tool_calls"), USED]))
    deltas = [event["Choices"][0]["Delta"]["ToolCalls"][0] for event in read[:-1]]
    assert [delta["Id"] for delta in deltas] == ["call_a"] * 3
    assert [delta["Function"]["Name"] for delta in deltas] == ["ls", "", ""]
    assert read[-1]["Choices"][0]["FinishReason"] == "tool_calls"


def test_what_is_a_line_end_to_node_is_escaped() -> None:
    sent = b"".join(written([chunk(content="a\u2028b\u2029c"), chunk(content="d\u2028"), chunk("stop"), USED]))
    assert "\u2028" not in sent.decode()
    assert "\u2029" not in sent.decode()
    assert merged(events([sent]))["Content"] == "a\u2028b\u2029cd\u2028"


def test_a_keep_alive_is_no_event() -> None:
    writer = TencentCloud().stream(dict(REQUEST))
    pieces = [
        *writer.keep_alive(),
        *writer.feed(chunk(content="a")),
        *writer.keep_alive(),
        *writer.keep_alive(),
        *writer.feed(chunk("stop")),
        *writer.finish(),
    ]
    assert len(events(pieces)) == 2
    assert writer.keep_alive() == []


def test_an_error_is_said_in_the_last_event() -> None:
    broken = {"error": {"message": "it broke", "code": "stream_broken", "type": "server_error"}}
    late = {"error": {"message": "too late", "code": "upstream_timeout", "type": "server_error"}}
    for error, code in ((broken, 4000), (late, 4001)):
        *_, last = events(written([chunk(content="a"), error, chunk(content="b")]))
        assert last["ErrorMsg"]["Code"] == code
        assert error["error"]["message"] in last["ErrorMsg"]["Msg"]
        assert last["Choices"][0]["FinishReason"] == ""


def test_nothing_follows_the_end() -> None:
    stream = WrittenEvents(TencentCloud().stream(dict(REQUEST)))
    text = sse.event(json.dumps(chunk(content="a")).encode())
    sent = [piece for data in (text, text, sse.event(b"[DONE]"), text, text) for piece in stream.feed(data)]
    assert len(events([*sent, *stream.finish()])) == 3


def test_a_stream_without_an_end_says_so() -> None:
    *_, last = events(written([chunk(content="a")], done=False))
    assert last["ErrorMsg"]["Code"] == 4000


def test_usage_grows_and_is_exact_in_the_end() -> None:
    pieces = ["一二三四五" * 20, "word " * 100, "x"]
    read = events(written([*(chunk(content=text) for text in pieces), chunk("length")]))
    counted = [event["Usage"]["CompletionTokens"] for event in read]
    assert counted == sorted(counted)
    assert counted[0] > 0
    assert read[-1]["Choices"][0]["FinishReason"] == "stop"


@st.composite
def answers(draw: st.DrawFn) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
    message, finish = draw(messages()), draw(finishes)
    return message, finish, draw(chunked(message, finish))


@given(answers(), st.data())
def test_the_sdk_reads_all_of_an_answer_cut_anywhere(
    drawn: tuple[dict[str, Any], str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    message, finish, chunks = drawn
    sent = b"".join(written(chunks))
    places = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    pieces = [sent[start:end] for start, end in zip([0, *places], [*places, len(sent)], strict=True)]
    read = events(pieces)
    said = merged(read)
    assert said["Content"] == (message["content"] or "")
    assert said["ReasoningContent"] == message.get("reasoning_content", "")
    functions = {call["id"]: call["function"] for call in message.get("tool_calls", ())}
    assert said["ToolCalls"] == {
        identity: {"Name": one["name"], "Arguments": one["arguments"]} for identity, one in functions.items()
    }
    reasons = [choice["FinishReason"] for event in read for choice in event["Choices"]]
    assert reasons[:-1] == [""] * (len(reasons) - 1)
    assert reasons[-1] == {"length": "stop", "content_filter": "sensitive"}.get(finish, finish)
    assert (read[-1]["Usage"]["PromptTokens"], read[-1]["Usage"]["CompletionTokens"]) == (50, 7)


@given(st.lists(hostile_deltas, max_size=5))
def test_nonsense_of_an_endpoint_is_no_exception(deltas: list[Any]) -> None:
    stream = WrittenEvents(TencentCloud().stream({}))
    for delta in deltas:
        stream.feed(sse.event(json.dumps({"choices": [{"delta": delta}]}).encode()))
        stream.feed(sse.event(json.dumps(delta).encode()))
    sent = stream.finish()
    assert stream.failure is None
    assert all("data" in event for event in sdk_events(sent))
