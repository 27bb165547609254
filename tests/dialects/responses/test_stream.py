"""Streamed chat answers as the events of a response."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.answers.translated import WrittenEvents
from hunyuan_fix.dialects.responses import sealing
from hunyuan_fix.dialects.responses.stream import Writer
from hunyuan_fix.wire import json_body
from tests.dialects.anthropic.answering import USED, chunk, frame
from tests.dialects.responses import event_order
from tests.dialects.responses.answering import (
    CODEX,
    COUNTED,
    NOTE,
    PATCH,
    failed,
    items,
    names,
    response,
    said,
    streamed,
    written,
)

BEGUN = ["created", "in_progress"]
LONG = "x" * 64
"""Enough text for a sample of the language: what follows is written at once."""


def test_every_event_of_a_text() -> None:
    sent = written(
        [chunk(role="assistant", content=""), chunk(content="Hel"), chunk(content="lo"), chunk("stop"), USED]
    )
    assert names(sent) == [
        *BEGUN,
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    made = event_order.response_in(sent)
    assert (items(made), made["usage"], made["model"]) == ([said("Hello")], COUNTED, "gpt-hy3")


@pytest.mark.parametrize(
    ("summary", "events"),
    [
        (True, ["reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done"]),
        (False, ["content_part.added", "reasoning_text.delta", "reasoning_text.done"]),
    ],
)
def test_reasoning_is_a_summary_where_one_was_asked_for(summary: bool, events: list[str]) -> None:
    asked = {"summary": summary, "encrypted": True}
    sent = written([chunk(reasoning_content="Hm."), chunk("stop", content="a")], reasoning=asked)
    assert names(sent)[2:6] == ["output_item.added", *events]
    item = event_order.response_in(sent)["output"][0]
    assert sealing.opened("reasoning", item["encrypted_content"]) == "Hm."
    assert item["content"] == [{"type": "reasoning_text", "text": "Hm."}]


def test_the_events_before_the_end_are_small() -> None:
    echo = {"tools": [{"type": "function", "name": "ls"}], "instructions": "Be brief.", "metadata": {"a": "b"}}
    found = event_order.events(written([chunk("stop", content="a"), USED], echo=echo))
    begun, ended = found[0][1]["response"], found[-1][1]["response"]
    assert (begun["tools"], begun["instructions"], begun["metadata"]) == ([], None, {"a": "b"})
    assert {key: ended[key] for key in echo} == echo


def test_arguments_come_as_they_are_written() -> None:
    frames = [frame(0, "", id="c", name="ls"), frame(0, ' {"a"'), frame(0, ": 1}"), chunk("tool_calls")]
    writer, sent = Writer(dict(NOTE)), []
    for each in frames:
        sent.append(b"".join(writer.feed(each)))
    assert [piece.count(b"arguments.delta\n") for piece in sent] == [0, 1, 1, 0]
    made = event_order.response_in(b"".join([*sent, *writer.finish()]))
    assert made["output"][0]["arguments"] == ' {"a": 1}'


@pytest.mark.parametrize("pieces", [['"{\\"a\\"', ': 1}"'], ["", " ", '"{\\"a\\": 1}"']])
def test_arguments_that_begin_otherwise_are_put_right_first(pieces: list[str]) -> None:
    frames = [frame(0, "", id="c", name="ls"), *[frame(0, piece) for piece in pieces]]
    assert streamed(*frames, chunk("tool_calls"))["output"][0]["arguments"] == '{"a": 1}'


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert streamed(frame(0, "", id="c", name="ls"), chunk("tool_calls"))["output"][0]["arguments"] == "{}"


def test_calls_that_come_at_the_same_time_are_items_one_after_the_other() -> None:
    begun = [frame(index, "", id=f"c{index}", name="ls") for index in (0, 1)]
    pieces = [frame(index, piece) for piece in ('{"n"', ": 1", "}") for index in (1, 0)]
    made = streamed(*begun, *pieces, chunk("tool_calls"))
    assert [(item["call_id"], item["arguments"]) for item in made["output"]] == [("c0", '{"n": 1}'), ("c1", '{"n": 1}')]


def test_text_behind_a_call_waits_for_its_end() -> None:
    made = streamed(frame(0, '{"a"', id="c", name="ls"), chunk(content="b"), frame(0, ": 1}"), chunk("tool_calls"))
    assert [item["type"] for item in made["output"]] == ["function_call", "message"]
    assert made["output"][0]["arguments"] == '{"a": 1}'


def test_the_input_of_a_custom_tool_comes_once_it_is_whole() -> None:
    text = json.dumps({"input": PATCH})
    frames = [frame(0, "", id="c", name="apply_patch"), *[frame(0, letter) for letter in text]]
    sent = written([*frames, chunk("tool_calls")], **CODEX)
    assert names(sent)[2:] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    assert event_order.response_in(sent)["output"][0]["input"] == PATCH


def test_a_search_for_tools_has_an_object() -> None:
    made = streamed(frame(0, '{"query":', id="c", name="tool_search"), frame(0, '"x"}'), chunk("tool_calls"), **CODEX)
    assert items(made) == [
        {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "x"}}
    ]


def test_a_stream_without_anything_is_complete() -> None:
    assert names(written([])) == [*BEGUN, "completed"]
    assert items(streamed(chunk("stop"))) == []


def test_a_cut_stream_is_incomplete() -> None:
    made = streamed(chunk(content="Hel"), chunk("length"))
    assert (made["status"], made["output"][0]["status"]) == ("incomplete", "incomplete")
    half = streamed(frame(0, '{"a"', id="c", name="ls"), chunk("length"))
    assert (half["output"][0]["arguments"], half["output"][0]["status"]) == ('{"a"', "incomplete")
    behind = streamed(frame(0, '{"a"', id="c", name="ls"), chunk(content="x"), chunk("length", reasoning_content="Hm."))
    assert [item["status"] for item in behind["output"]] == ["incomplete", "completed", "incomplete"]
    assert streamed(frame(0, '{"input": "rm -rf /', id="c", name="exec"), chunk("length"), **CODEX)["output"] == []


def test_usage_may_come_with_any_chunk() -> None:
    used = {**chunk(content="b"), "usage": USED["usage"]}
    assert streamed(chunk(content=LONG), used, chunk("stop"))["usage"] == COUNTED
    last = chunk("stop")
    last["choices"][0]["usage"] = USED["usage"]
    assert streamed(chunk(content="a"), last)["usage"] == COUNTED


def test_a_missing_usage_is_estimated_from_all_that_was_written() -> None:
    made = streamed(*[chunk(content=LONG)] * 3, chunk("stop"))
    assert (made["usage"]["output_tokens"], made["usage"]["input_tokens"]) == (64, 1000)
    assert "usage" in made["metadata"]


# What is written without a look at the rest


def test_text_that_is_written_at_once_is_the_same() -> None:
    texts = [LONG, "a", 'q"\\', "世界", "😀", "\n", "\ud83d", "\ude00", "z"]
    for field in ("content", "reasoning_content"):
        chunks = [chunk(**{field: text}) for text in texts]
        writer = Writer(dict(NOTE))
        sent = [piece for each in chunks for piece in writer.feed(each)]
        assert writer.repeats == field
        made = event_order.response_in(b"".join([*sent, *writer.finish()]))
        assert made["output"][0]["content"][0]["text"] == LONG + 'aq"\\世界😀\n\ufffd\ufffdz'
        assert made["usage"]["output_tokens"] == -(-sum(map(len, texts)) // 3)


@pytest.mark.parametrize("size", [1, 2, 10])
def test_chunks_that_differ_in_their_text_alone_are_not_read(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether each comes by itself or several do at once."""
    texts = [LONG, "a", "b", "c d", "世界", "e"]
    events = [b"data: " + json.dumps(chunk(content=text), ensure_ascii=False).encode() + b"\n\n" for text in texts]
    read = Writer(dict(NOTE))
    fed = [piece for event in events for piece in read.feed(json.loads(event[6:]))]
    read_in: list[bytes] = []
    parse = json_body.parse_object

    def counted(data: bytes) -> dict[str, Any] | None:
        read_in.append(data)
        return parse(data)

    monkeypatch.setattr(json_body, "parse_object", counted)
    to_client = WrittenEvents(Writer(dict(NOTE)))
    blocks = [b"".join(events[start : start + size]) for start in range(0, len(events), size)]
    sent = [piece for block in blocks for piece in to_client.feed(block)]
    assert b"".join(sent) == b"".join(fed)
    assert len(read_in) == 2, "the first, and the one after it, by which the others are known"
    sent += to_client.feed(b"data: [DONE]\n\n")
    assert items(event_order.response_in(b"".join(sent))) == [said("".join(texts))]


@pytest.mark.parametrize(
    "beside",
    [
        {"reasoning_content": "x"},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "ls", "arguments": "{}"}}]},
        {"refusal": "no"},
    ],
)
def test_a_chunk_that_brings_more_is_read_whole(beside: dict[str, Any]) -> None:
    made = streamed(chunk(content=LONG), chunk(content="a"), chunk(content="b", **beside), chunk("stop"))
    assert len(made["output"]) > 1


# Keep-alive


def test_a_client_is_kept_awake_by_events_with_a_type() -> None:
    writer = Writer(dict(NOTE))
    sent = writer.keep_alive()
    assert names(b"".join(sent)) == BEGUN, "also before anything came"
    sent += writer.keep_alive() + writer.feed(chunk(content="a")) + writer.keep_alive()
    sent += writer.feed(chunk("stop", content="b")) + writer.finish()
    assert names(b"".join(sent)).count("in_progress") == 3
    assert items(event_order.response_in(b"".join(sent))) == [said("ab")]
    assert writer.keep_alive() == []


def test_what_waits_for_long_has_a_keep_alive() -> None:
    writer = Writer(dict(CODEX))
    writer.feed(frame(0, '{"input": "', id="c", name="apply_patch"))
    sent = [writer.feed(frame(0, "x" * 100)) for _ in range(60)]
    assert all(b"response.in_progress" in b"".join(pieces) for pieces in sent if pieces)
    assert 5 <= sum(map(bool, sent)) <= 15


# Errors


def test_an_error_before_and_in_the_middle_of_an_answer() -> None:
    for before in ([], [chunk(content="Hel")], [frame(0, '{"a"', id="c", name="ls")]):
        writer = Writer(dict(NOTE))
        sent = [piece for each in before for piece in writer.feed(each)]
        sent += writer.fail({"message": "It broke.", "type": "server_error"})
        found = event_order.read(b"".join(sent))
        assert found.error == {"code": "server_error", "message": "It broke."}
        assert found.response is not None and found.response["output"] == [], "half an item is none"
        assert writer.fail({"message": "again"}) == writer.finish() == writer.feed(chunk(content="x")) == []


def test_items_that_were_done_stay_in_a_response_that_fails() -> None:
    writer = Writer(dict(NOTE))
    sent = writer.feed(chunk(reasoning_content="Hm.")) + writer.feed(chunk(content="Hel")) + writer.fail({})
    found = event_order.read(b"".join(sent))
    assert found.response is not None
    assert [item["type"] for item in found.response["output"]] == ["reasoning"]


def test_a_turn_of_nameless_calls_alone_fails() -> None:
    assert failed(frame(0, "{}", id="c"), chunk("tool_calls"))["code"] == "server_error"
    made = streamed(frame(0, "{}", id="c"), frame(1, "{}", id="d", name="ls"), chunk("tool_calls"))
    assert [item["call_id"] for item in made["output"]] == ["d"]


def test_more_than_may_be_kept_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hunyuan_fix.dialects.responses.stream.MAX_HELD", 10_000)
    for chunks in (
        [chunk(content="x" * 1000)] * 20,
        [chunk(reasoning_content="x" * 1000)] * 20,
        [chunk(content=" " * 1000)] * 20,
        [frame(0, "x" * 1000, id="a", name="ls")] * 20,
        [frame(0, "{" + "x" * 1000, id="a", name="ls")] * 20,
        [frame(index, "", id=f"a{index}", name="ls") for index in range(100)],
    ):
        assert "16 MiB" in failed(*chunks)["message"]
    assert "16 MiB" in failed(*[chunk(content="x" * 1000)] * 20, compact=True)["message"]
    to_client = WrittenEvents(Writer(dict(NOTE)))
    event = b"data: " + json.dumps(chunk(content="x" * 1000)).encode() + b"\n\n"
    sent = b"".join(piece for _ in range(20) for piece in to_client.feed(event))
    assert event_order.read(sent).error is not None, "also where chunks are not read"


# Compaction


def test_a_compaction_is_one_item_once_it_is_whole() -> None:
    chunks = [chunk(reasoning_content="Hm."), chunk(content="The "), chunk(content="summary."), chunk("stop"), USED]
    note = {**NOTE, "compact": True}
    writer = Writer(note)
    sent = [piece for each in chunks for piece in writer.feed(each)] + writer.finish()
    assert names(b"".join(sent)) == [*BEGUN, "output_item.added", "output_item.done", "completed"]
    made = event_order.response_in(b"".join(sent))
    assert sealing.opened("compaction", made["output"][0]["encrypted_content"]) == "The summary."
    assert note["items"] == made["output"]


def test_no_summary_fails() -> None:
    assert failed(chunk("stop"), compact=True)["code"] == "server_error"


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_a_long_summary_shows_signs_of_life(field: str) -> None:
    writer = Writer({**NOTE, "compact": True})
    sent = [writer.feed(chunk(**{field: "x" * 100})) for _ in range(60)]
    assert 5 <= sum(map(bool, sent)) <= 15


# The note


def test_the_note_keeps_the_id_and_the_output_of_what_is_complete() -> None:
    note = {key: value for key, value in NOTE.items() if key != "id"}
    writer = Writer(note)
    sent = writer.feed(chunk(content="a"))
    assert "items" not in note
    made = event_order.response_in(b"".join([*sent, *writer.finish()]))
    assert (note["id"], note["items"]) == (made["id"], made["output"])
    broken = dict(NOTE)
    writer = Writer(broken)
    writer.feed(chunk(content="a"))
    writer.fail({})
    assert "items" not in broken


def test_a_stream_and_a_whole_answer_are_the_same() -> None:
    calls = [{"id": "c", "function": {"name": "exec", "arguments": '{"input": "await f()"}'}}]
    message = {"reasoning_content": "Hm.", "content": "I look.", "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    whole = response({"created": 1, "choices": [choice], "usage": USED["usage"]}, **CODEX)
    made = streamed(
        chunk(reasoning_content="Hm."),
        chunk(content="I look."),
        frame(0, '{"input": "await f()"}', id="c", name="exec"),
        chunk("tool_calls"),
        USED,
        **CODEX,
    )
    for each in (whole, made):
        each["output"][0]["encrypted_content"] = None
    assert made == whole
