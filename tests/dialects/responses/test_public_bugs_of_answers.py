"""Bugs that other bridges between the Responses API and chat had in answers, by their public reports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.answers.translated import WrittenEvents
from hunyuan_fix.dialects.responses import sealing
from hunyuan_fix.dialects.responses.stream import Writer
from hunyuan_fix.exchange import AnswerPlan
from tests.dialects.anthropic.answering import USED, answer, call, chunk, frame
from tests.dialects.responses import event_order
from tests.dialects.responses.answering import (
    CODEX,
    COUNTED,
    NOTE,
    PATCH,
    error_of,
    failed,
    items,
    names,
    refused,
    response,
    streamed,
    written,
)


def reported(*reports: str) -> pytest.MarkDecorator:
    """The public reports of a bug, as the id of its test."""
    return pytest.mark.parametrize("report", [" ".join(reports)])


def repaired(*chunks: dict[str, Any], **note: Any) -> dict[str, Any]:
    """The response of a stream that passes the repair of chat streams first, as all do."""
    repair, writer = ChatStream(AnswerPlan()), WrittenEvents(Writer({**NOTE, **note}))
    sent: list[bytes] = []
    for each in (*(json.dumps(one).encode() for one in chunks), b"[DONE]"):
        sent += [one for piece in repair.feed(b"data: " + each + b"\n\n") for one in writer.feed(piece)]
    sent += [one for piece in repair.finish() for one in writer.feed(piece)] + writer.finish()
    return event_order.response_in(b"".join(sent))


@reported("farion1231/cc-switch#4651")
def test_name_and_id_of_a_call_stand_in_its_first_frame_alone(report: str) -> None:
    made = repaired(frame(0, "", id="c", name="ls"), *[frame(0, piece) for piece in '{"a": 1}'], chunk("tool_calls"))
    assert items(made) == [{"type": "function_call", "call_id": "c", "name": "ls", "arguments": '{"a": 1}'}]


@reported("router-for-me/CLIProxyAPI#4219")
def test_a_call_without_an_id_gets_one(report: str) -> None:
    bare = chunk(tool_calls=[{"index": 0, "function": {"name": "ls", "arguments": "{}"}}])
    for made in (repaired(bare, chunk("tool_calls")), streamed(bare, chunk("tool_calls"))):
        (item,) = made["output"]
        assert (item["type"], item["name"]) == ("function_call", "ls") and item["call_id"]


@reported("BerriAI/litellm#31571", "openai/codex#22129")
@pytest.mark.parametrize("arguments", [json.dumps({"input": PATCH}), json.dumps({"patch": PATCH}), PATCH])
def test_apply_patch_comes_back_as_a_custom_call(report: str, arguments: str) -> None:
    wanted = [{"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": PATCH}]
    frames = [frame(0, "", id="c", name="apply_patch"), frame(0, arguments), chunk("tool_calls")]
    assert items(streamed(*frames, **CODEX)) == wanted
    assert items(response(answer(tool_calls=[call("apply_patch", arguments, "c")]), **CODEX)) == wanted


@reported("router-for-me/CLIProxyAPI#3298", "maximhq/bifrost#2913")
def test_a_call_into_a_namespace_has_both_names(report: str) -> None:
    for made in (
        streamed(frame(0, "{}", id="c", name="mcp__odd__add"), chunk("tool_calls"), **CODEX),
        response(answer(tool_calls=[call("mcp__odd__add", "{}", "c")]), **CODEX),
    ):
        assert items(made) == [
            {"type": "function_call", "call_id": "c", "name": "add", "namespace": "mcp__odd", "arguments": "{}"}
        ]


@reported("Wei-Shaw/sub2api#2926", "maximhq/bifrost#3802")
def test_reasoning_of_a_turn_with_calls_comes_back(report: str) -> None:
    made = streamed(chunk(reasoning_content="Hm."), frame(0, "{}", id="c", name="ls"), chunk("tool_calls"), **CODEX)
    reasoning = made["output"][0]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert sealing.opened("reasoning", reasoning["encrypted_content"]) == "Hm."


@reported("Wei-Shaw/sub2api#2926")
def test_an_item_is_open_before_its_deltas(report: str) -> None:
    found = names(written([chunk(reasoning_content="Hm."), chunk(content="a"), chunk("stop")], **CODEX))
    for added, delta in (("reasoning_summary_part.added", "reasoning_summary_text.delta"),):
        assert found.index("output_item.added") < found.index(added) < found.index(delta)
    assert found.index("content_part.added") < found.index("output_text.delta")


@reported("Wei-Shaw/sub2api#2926")
def test_a_call_is_closed(report: str) -> None:
    found = names(written([frame(0, "{}", id="c", name="ls"), chunk("tool_calls")]))
    assert found[-3:] == ["function_call_arguments.done", "output_item.done", "completed"]


@reported("farion1231/cc-switch#6423")
@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": 57}, {"prompt_tokens": 50}, {"prompt_tokens": "x"}])
def test_usage_is_whole_whatever_the_endpoint_says(report: str, usage: Any) -> None:
    for made in (response(answer(content="a", usage=usage)), streamed(chunk("stop", content="a"), {"usage": usage})):
        assert made["usage"].keys() == COUNTED.keys()
        assert made["usage"]["output_tokens_details"].keys() == {"reasoning_tokens"}
        assert made["usage"]["total_tokens"] > 0
    assert streamed(chunk("stop", content="a"), USED)["usage"] == COUNTED


@reported("BerriAI/litellm#27144", "BerriAI/litellm#25321")
@pytest.mark.parametrize("last", [False, True])
def test_arguments_are_neither_doubled_nor_lost(report: str, last: bool) -> None:
    end = frame(0, '{"a": 1}')
    end["choices"][0]["finish_reason"] = "tool_calls"
    frames = (
        [frame(0, "", id="c", name="ls"), end] if last else [frame(0, '{"a": 1}', id="c", name="ls"), chunk("stop")]
    )
    sent = written(frames)
    deltas = [event["delta"] for name, event in event_order.events(sent) if name.endswith("arguments.delta")]
    assert "".join(deltas) == event_order.response_in(sent)["output"][0]["arguments"] == '{"a": 1}'


@reported("router-for-me/CLIProxyAPI#4848", "router-for-me/CLIProxyAPI#5857")
def test_a_compaction_is_exactly_one_item(report: str) -> None:
    chunks = [chunk(reasoning_content="Hm."), chunk(content="a"), frame(0, "{}", id="c", name="ls"), chunk("stop")]
    assert [item["type"] for item in streamed(*chunks, compact=True)["output"]] == ["compaction"]


@reported("farion1231/cc-switch#4341")
def test_a_turn_whose_calls_are_all_malformed_is_not_complete(report: str) -> None:
    assert failed(chunk(content="I look."), frame(0, "{}", id="c"), chunk("tool_calls"))["code"] == "server_error"
    assert response(answer("tool_calls", content="I look.", tool_calls=[call("")]))["status"] == "failed"


@reported("lidge-jun/opencodex#930")
def test_what_keeps_codex_awake_is_no_comment(report: str) -> None:
    writer = Writer(dict(NOTE))
    for sent in (writer.keep_alive(), writer.keep_alive()):
        assert sent and all(piece.startswith(b"event: response.") for piece in sent)


# Seen in what programs do, without a report


def test_codex_shows_a_final_error_once() -> None:
    for status in (401, 402, 403, 404, 451):
        made = refused(status, {"message": "The reason."}, client="codex")
        assert (made.status, error_of(made)["message"]) == (400, "The reason.")


@pytest.mark.parametrize("finish", ["content_filter", "sensitive"])
def test_a_filtered_answer_is_not_asked_for_again(finish: str) -> None:
    assert streamed(chunk(finish, content="a"))["status"] == "completed"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 50])
def test_events_split_across_packets(size: int) -> None:
    chunks = [chunk(content="Grüße, 世界 😀"), frame(0, '{"a": "é"}', id="c", name="ls"), chunk("tool_calls"), USED]
    events = [b"data: " + json.dumps(each, ensure_ascii=False).encode() for each in chunks]
    text = b"\r\n\r\n".join([*events, b"data: [DONE]", b""])
    repair, writer = ChatStream(AnswerPlan()), WrittenEvents(Writer(dict(NOTE)))
    sent = []
    for start in range(0, len(text), size):
        for piece in repair.feed(text[start : start + size]):
            sent += writer.feed(piece)
    sent += [one for piece in repair.finish() for one in writer.feed(piece)] + writer.finish()
    made = event_order.response_in(b"".join(sent))
    assert made["output"][0]["content"][0]["text"] == "Grüße, 世界 😀"
    assert made["output"][1]["arguments"] == '{"a": "é"}'


def test_an_error_inside_a_stream_that_began_well() -> None:
    writer = WrittenEvents(Writer(dict(NOTE)))
    sent = writer.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":"overloaded"}\n\n')
    found = event_order.read(b"".join([*sent, *writer.finish()]))
    assert found.error == {"code": "server_error", "message": "overloaded"}


def test_a_stream_without_an_end_fails() -> None:
    writer = WrittenEvents(Writer(dict(NOTE)))
    sent = writer.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    found = event_order.read(b"".join([*sent, *writer.finish()]))
    assert found.error is not None and found.error["code"] == "server_error"
