"""Bugs that other bridges between Messages and chat had in answers, by their public reports: each is a test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.answers.translated import WrittenEvents
from hunyuan_fix.dialects.anthropic import Anthropic, thinking
from hunyuan_fix.exchange import AnswerPlan
from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import (
    CLAUDE_CODE,
    COUNTED,
    NOTE,
    USED,
    answer,
    call,
    chunk,
    error_of,
    frame,
    message,
    refused,
    streamed,
    written,
)
from tests.dialects.chat_answers import USAGE


def reported(*reports: str) -> pytest.MarkDecorator:
    """The public reports of a bug, as the id of its test."""
    return pytest.mark.parametrize("report", [" ".join(reports)])


def kinds(made: dict[str, Any]) -> list[str]:
    return [block["type"] for block in made["content"]]


@reported("BerriAI/litellm#25321", "BerriAI/litellm#25561")
def test_the_first_piece_of_arguments_is_in_the_frame_that_begins_the_call(report: str) -> None:
    made = streamed(chunk(content="I look."), frame(0, '{"path":', id="c", name="ls"), frame(0, ' "/"}'), chunk("stop"))
    assert made["content"][1]["input"] == {"path": "/"}


@reported("BerriAI/litellm#25321")
def test_arguments_in_the_last_chunk_alone(report: str) -> None:
    last = frame(0, '{"path": "/"}')
    last["choices"][0]["finish_reason"] = "tool_calls"
    assert streamed(frame(0, "", id="c", name="ls"), last)["content"][0]["input"] == {"path": "/"}


@reported("BerriAI/litellm#32357")
def test_thinking_stands_in_blocks_of_its_own_and_the_message_begins_once(report: str) -> None:
    sent = written(
        [
            chunk(role="assistant", content=""),
            chunk(role="assistant", reasoning_content="Hm."),
            chunk(role="assistant", content="a"),
            chunk(role="assistant", reasoning_content="So."),
            chunk("stop", role="assistant", content="b"),
        ]
    )
    assert kinds(event_order.message_in(sent)) == ["thinking", "text", "thinking", "text"]
    assert sent.count(b"event: message_start") == 1


@reported("musistudio/claude-code-router#1725")
def test_reasoning_after_a_call_doesnt_use_a_closed_block(report: str) -> None:
    made = streamed(
        chunk(reasoning_content="Hm."),
        chunk(content="a"),
        frame(0, "{}", id="c", name="ls"),
        chunk(reasoning_content="So."),
        chunk("tool_calls"),
    )
    assert kinds(made) == ["thinking", "text", "tool_use", "thinking"]


@reported("ollama/ollama#14816", "ollama/ollama#15959", "router-for-me/CLIProxyAPI#3720")
@pytest.mark.parametrize("begins", [[], [chunk(content="a")], [chunk(reasoning_content="b"), chunk(content="a")]])
def test_blocks_are_numbered_without_gaps(report: str, begins: list[Any]) -> None:
    frames = [frame(5, "{}", id="a", name="ls"), frame(9, "{}", id="b", name="ls")]
    sent = written([*begins, *frames, chunk("tool_calls")])
    indexes = [event["index"] for name, event in event_order.events(sent) if name == "content_block_start"]
    assert indexes == list(range(len(begins) + 2))


@reported("BerriAI/litellm#29286")
@pytest.mark.parametrize("empty", [[], None])
def test_an_empty_list_of_calls_is_no_input(report: str, empty: Any) -> None:
    made = streamed(chunk(content="a", tool_calls=empty), chunk(content="b", tool_calls=empty), chunk("stop"))
    assert made["content"] == [{"type": "text", "text": "ab"}]


@reported("BerriAI/litellm#34692")
def test_calls_stop_for_their_results_and_bring_no_empty_text(report: str) -> None:
    chunks = [chunk(role="assistant", content=""), frame(0, "{}", id="c", name="ls"), chunk("stop", content="")]
    for made in (streamed(*chunks), message(answer("stop", content="", tool_calls=[call()]))):
        assert (kinds(made), made["stop_reason"]) == (["tool_use"], "tool_use")


@reported("BerriAI/litellm#15307", "open-webui/open-webui#25963")
def test_parallel_calls_are_not_merged(report: str) -> None:
    begun = chunk(
        tool_calls=[
            {"index": 0, "id": "a", "function": {"name": "ls", "arguments": ""}},
            {"index": 1, "id": "b", "function": {"name": "cat", "arguments": ""}},
        ]
    )
    pieces = [frame(index, piece) for piece in ('{"n"', ": ", "1}") for index in (1, 0)]
    made = streamed(begun, *pieces, chunk("tool_calls"))
    assert [(block["id"], block["name"], block["input"]) for block in made["content"]] == [
        ("a", "ls", {"n": 1}),
        ("b", "cat", {"n": 1}),
    ]


@reported("musistudio/claude-code-router#198")
@pytest.mark.parametrize("size", [1, 2, 3, 5, 50])
def test_events_split_across_packets(report: str, size: int) -> None:
    chunks = [chunk(content="Grüße, 世界 😀"), frame(0, '{"a": "é"}', id="c", name="ls"), chunk("tool_calls"), USED]
    events = [b"data: " + json.dumps(each, ensure_ascii=False).encode() for each in chunks]
    text = b"\r\n\r\n".join([*events, b"data: [DONE]", b""])
    repair, writer = ChatStream(AnswerPlan()), WrittenEvents(Anthropic().stream(dict(NOTE)))
    sent = []
    for start in range(0, len(text), size):
        for piece in repair.feed(text[start : start + size]):
            sent += writer.feed(piece)
    sent += [one for piece in repair.finish() for one in writer.feed(piece)] + writer.finish()
    made = event_order.message_in(b"".join(sent))
    assert (made["content"][0]["text"], made["content"][1]["input"]) == ("Grüße, 世界 😀", {"a": "é"})


@reported("vercel/ai#17326", "sgl-project/sglang#20754", "sgl-project/sglang#25876")
def test_the_context_meter_is_right(report: str) -> None:
    """Cached tokens are counted once, and neither event says 0."""
    sent = written([chunk(content="a"), chunk("stop"), USED])
    start, end = (event for name, event in event_order.events(sent) if name in ("message_start", "message_delta"))
    assert start["message"]["usage"]["input_tokens"] == NOTE["input_tokens"]
    assert end["usage"] == COUNTED
    assert sum(COUNTED.values()) == USAGE["total_tokens"]


@reported("raine/claude-code-proxy#29", "unslothai/unsloth#9940")
def test_an_input_that_is_too_long_makes_claude_code_compact(report: str) -> None:
    made = refused(
        400, {"message": "Your request exceeded model token limit: 262144 (requested: 270000)"}, **CLAUDE_CODE
    )
    assert (made.status, error_of(made)["message"]) == (400, "prompt is too long: 270000 tokens > 262144 maximum")


@reported("BerriAI/litellm#38809")
def test_thinking_that_is_in_its_signature_alone_comes_back(report: str) -> None:
    for made in (
        streamed(chunk(reasoning_content="Hm."), frame(0, "{}", id="c", name="ls"), thinking="omitted"),
        message(answer(reasoning_content="Hm.", tool_calls=[call()]), thinking="omitted"),
    ):
        assert thinking.carried(made["content"][0]["signature"]) == "Hm."
        history = [{"role": "user", "content": "x"}, {"role": "assistant", "content": made["content"]}]
        chat = Anthropic().to_chat({"model": "hy3", "max_tokens": 9, "messages": history}, {}, {})
        assert chat["messages"][1]["reasoning_content"] == "Hm."


@reported("open-webui/open-webui#29860")
def test_a_run_of_reasoning_is_one_signed_block(report: str) -> None:
    sent = written([chunk(reasoning_content=text, reasoning=text) for text in "abc"])
    assert [block["thinking"] for block in event_order.message_in(sent)["content"]] == ["abc"]
    assert sent.count(b"signature_delta") == 1
    assert b'"signature":""' in sent, "the key is there from the start: strict SDKs want it"


# Reported without a number, in what peers say of their releases


def test_errors_that_another_try_cant_help_are_shown_once() -> None:
    """403 is shown as a failed login, 404 as a wrong model, 400 is sent six times (docs/facts/anthropic.md#errors)."""
    for status in (400, 403, 404, 422):
        made = refused(status, {"message": "the reason"}, **CLAUDE_CODE)
        assert (made.status, made.headers["x-should-retry"], error_of(made)["message"]) == (402, "false", "the reason")


def test_a_page_of_a_gateway_becomes_an_error() -> None:
    made = refused(502, b"<html><title>502 Bad Gateway</title>", {"content-type": "text/html"}, **CLAUDE_CODE)
    assert (made.status, error_of(made)["type"]) == (502, "api_error")
    assert made.headers["content-type"] == "application/json"


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter", "tool_calls", "sensitive", "model_length", "x"])
def test_no_answer_makes_claude_code_pay_twice(finish: str) -> None:
    """After `refusal` and `model_context_window_exceeded` it asks again at once, the latter with 128000 tokens."""
    made = streamed(chunk(finish, content="a"))
    assert made["stop_reason"] in ("end_turn", "max_tokens")


def test_usage_in_the_last_choice() -> None:
    last = chunk("stop")
    last["choices"][0]["usage"] = USAGE
    assert streamed(chunk(content="a"), last)["usage"] == COUNTED


def test_the_reason_may_come_before_the_usage_and_with_text() -> None:
    made = streamed(chunk(content="a"), chunk("stop", content="b"), {"choices": [], "usage": USAGE})
    assert (made["content"][0]["text"], made["usage"]) == ("ab", COUNTED)


def test_a_name_in_each_frame_is_one_name() -> None:
    frames = [frame(0, piece, id="c", name="ls") for piece in ('{"a"', ": 1", "}")]
    made = streamed(*frames, chunk("tool_calls"))
    assert [(block["name"], block["input"]) for block in made["content"]] == [("ls", {"a": 1})]


def test_an_error_inside_a_stream_that_began_well() -> None:
    writer = WrittenEvents(Anthropic().stream(dict(NOTE)))
    sent = writer.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":"overloaded"}\n\n')
    found = event_order.read(b"".join([*sent, *writer.finish()]))
    assert found.error is not None and found.error["message"] == "overloaded"
