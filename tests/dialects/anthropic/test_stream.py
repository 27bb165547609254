"""Streamed chat answers as Anthropic's events."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hunyuan_fix.answers.translated import WrittenEvents
from hunyuan_fix.dialects import composer
from hunyuan_fix.dialects.anthropic import Anthropic, thinking
from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import (
    COUNTED,
    NOTE,
    USED,
    answer,
    call,
    chunk,
    frame,
    message,
    streamed,
    written,
)
from tests.dialects.chat_answers import USAGE

PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def names_of(data: bytes) -> list[str]:
    return event_order.read(data).names


def deltas(data: bytes) -> list[str]:
    """The pieces of content in the order in which they were sent."""
    found = [event["delta"] for name, event in event_order.events(data) if name == "content_block_delta"]
    return [next(value for key, value in delta.items() if key != "type") for delta in found]


def test_a_text_byte_for_byte() -> None:
    sent = written(
        [chunk(role="assistant", content=""), chunk(content="Hi "), chunk(content="you."), chunk("stop"), USED]
    )
    assert sent.decode() == (
        'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
        '"role":"assistant","model":"claude-hy3","content":[],"stop_reason":null,"stop_sequence":null,"usage":'
        '{"input_tokens":1000,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}\n\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
        '{"type":"text","text":""}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
        '{"type":"text_delta","text":"Hi "}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
        '{"type":"text_delta","text":"you."}}\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        '"usage":{"input_tokens":30,"cache_creation_input_tokens":0,"cache_read_input_tokens":20,"output_tokens":7}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


def test_what_comes_is_sent_at_once() -> None:
    writer = Anthropic().stream(dict(NOTE))
    begun = b"".join(writer.feed(chunk(role="assistant", content="")))
    assert [name for name, _ in event_order.events(begun)] == ["message_start"], "the client sees that it is answered"
    for text in ("Hm", ", so"):
        assert deltas(b"".join(writer.feed(chunk(reasoning_content=text)))) == [text]
    for text in ("A", "b" * 100, "c"):
        assert text in deltas(b"".join(writer.feed(chunk(content=text))))
    opened = b"".join(writer.feed(frame(0, '{"a"', id="c", name="ls")))
    assert event_order.events(opened)[-1][1]["content_block"]["name"] == "ls", "the tool's name is shown at once"


def test_nothing_is_no_piece() -> None:
    """`b""` would end an HTTP/1.1 answer in mitmproxy."""
    writer = Anthropic().stream({})
    sent = [writer.feed(given) for given in ({}, {}, chunk(), chunk(content=""), chunk(tool_calls=[]), USED)]
    assert [len(pieces) for pieces in sent] == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("finish", ["stop", "tool_calls", None])
def test_an_answer_without_content(finish: str | None) -> None:
    sent = written([chunk(finish), USED])
    assert names_of(sent) == ["message_start", "message_delta", "message_stop"]
    made = event_order.message_in(sent)
    assert (made["content"], made["stop_reason"], made["usage"]) == ([], "end_turn", COUNTED)


def test_an_answer_without_a_chunk() -> None:
    assert names_of(written([])) == ["message_start", "message_delta", "message_stop"]


# Order


def test_interleaved_calls_are_held_back() -> None:
    sent = written(
        [
            frame(0, '{"a"', id="call_a", name="ls"),
            frame(1, '{"b"', id="call_b", name="cat"),
            frame(0, ": 1"),
            frame(1, ": 2"),
            frame(1, "}"),
            frame(0, "}"),
            chunk("tool_calls"),
        ]
    )
    calls = event_order.message_in(sent)["content"]
    assert [(block["id"], block["input"]) for block in calls] == [("call_a", {"a": 1}), ("call_b", {"b": 2})]


def test_a_complete_call_ends_where_the_next_begins() -> None:
    """Claude Code runs a tool as soon as its block has ended."""
    writer = Anthropic().stream(dict(NOTE))
    writer.feed(frame(0, '{"a": 1}', id="call_a", name="ls"))
    sent = b"".join(writer.feed(frame(1, "", id="call_b", name="cat")))
    names = [name for name, _ in event_order.events(sent)]
    assert names == ["content_block_delta", "content_block_stop", "content_block_start"]


def test_arguments_wait_until_they_are_an_object() -> None:
    writer = Anthropic().stream(dict(NOTE))
    first = b"".join(writer.feed(frame(0, '{"a"', id="call_a", name="ls")))
    assert deltas(first) == []
    assert writer.feed(frame(0, ": 1}")) == []
    writer.feed(chunk("tool_calls"))
    assert deltas(b"".join(writer.finish())) == ['{"a": 1}']


def test_long_arguments_are_seen_to_grow() -> None:
    """SDKs hide pings from their callers."""
    text = json.dumps({"path": "/", "content": "word " * 200})
    for given in (text, " \n" + text, text[:-2], json.dumps(text)):
        frames = [frame(0, given[start : start + 10]) for start in range(0, len(given), 10)]
        sent = written([frame(0, "", id="a", name="Write"), *frames, chunk("tool_calls")])
        pieces = deltas(sent)
        assert pieces[0] == "{" and set(pieces[1:-1]) == {" "}
        assert len(given) // 80 <= len(pieces) <= len(given) // 40
        wanted = {"arguments": given} if given == text[:-2] else json.loads(text)
        assert event_order.message_in(sent)["content"][0]["input"] == wanted
    assert len(message(answer(tool_calls=[call(arguments=text)]))["content"][0]["input"]["content"]) == 1000


def test_short_arguments_come_in_one_piece() -> None:
    frames = [frame(0, piece) for piece in ('{"a"', ": 1", "}")]
    assert deltas(written([frame(0, "", id="a", name="ls"), *frames])) == ['{"a": 1}']


@pytest.mark.parametrize("text", ["behind", "behind it\n"])
def test_text_and_thinking_behind_an_open_call_wait(text: str) -> None:
    made = streamed(
        frame(0, '{"a"', id="call_a", name="ls"),
        chunk(content=text),
        chunk(reasoning_content="Hm."),
        frame(0, ": 1}"),
        chunk("tool_calls"),
    )
    assert [block["type"] for block in made["content"]] == ["tool_use", "text", "thinking"]
    assert (made["content"][0]["input"], made["content"][1]["text"]) == ({"a": 1}, text)


def test_thinking_between_texts_has_blocks_of_its_own() -> None:
    made = streamed(
        chunk(reasoning_content="1"),
        chunk(content="2"),
        chunk(reasoning_content="3"),
        frame(0, "{}", id="c", name="ls"),
        chunk(reasoning_content="4"),
        chunk("tool_calls"),
    )
    assert [block["type"] for block in made["content"]] == ["thinking", "text", "thinking", "tool_use", "thinking"]


def test_one_chunk_with_everything() -> None:
    sent = written(
        [
            {
                "id": "chatcmpl-1",
                "choices": [
                    {
                        "delta": {
                            "reasoning_content": "Hm.",
                            "content": "I look.",
                            "tool_calls": [
                                {"index": 0, "id": "a", "function": {"name": "ls", "arguments": "{}"}},
                                {"index": 1, "id": "b", "function": {"name": "cat", "arguments": "{}"}},
                            ],
                        },
                        "finish_reason": "tool_calls",
                    }
                ],
                "usage": USAGE,
            }
        ]
    )
    made = event_order.message_in(sent)
    assert [block["type"] for block in made["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert made["usage"] == COUNTED


def test_frames_without_an_index_go_by_id_or_to_the_last_call() -> None:
    def bare(**given: Any) -> dict[str, Any]:
        return chunk(tool_calls=[given])

    made = streamed(
        bare(id="a", function={"name": "ls", "arguments": '{"a"'}),
        bare(function={"arguments": ": 1"}),
        bare(id="a", function={"arguments": "}"}),
        bare(id="b", function={"name": "ls", "arguments": "{}"}),
        bare(function={"name": "cat"}),
        bare(function={"name": "cat", "arguments": "{}"}),
    )
    inputs = [(block["name"], block["input"]) for block in made["content"]]
    assert inputs == [("ls", {"a": 1}), ("ls", {}), ("cat", {}), ("cat", {})]


def test_frames_without_an_index_find_their_call_by_its_id() -> None:
    first = {"id": "a", "function": {"name": "ls", "arguments": '{"a"'}}
    second = {"id": "b", "function": {"name": "cat", "arguments": "{}"}}
    rest = {"id": "a", "function": {"arguments": ": 1}"}}
    made = streamed(*(chunk(tool_calls=[one]) for one in (first, second, rest)))
    assert [(block["id"], block["input"]) for block in made["content"]] == [("a", {"a": 1}), ("b", {})]


def test_a_call_that_waits_has_the_name_once_though_it_is_repeated() -> None:
    made = streamed(
        frame(0, "{", id="a", name="ls"), frame(1, "", id="b", name="cat"), frame(1, "{}", name="cat"), frame(0, "}")
    )
    assert [block["name"] for block in made["content"]] == ["ls", "cat"]


def test_arguments_of_null_are_none_yet() -> None:
    nothing = chunk(tool_calls=[{"index": 0, "id": "a", "function": {"name": "ls", "arguments": None}}])
    assert streamed(nothing, frame(0, '{"a": 1}'))["content"][0]["input"] == {"a": 1}


def test_a_second_index_is_a_second_call_though_its_id_is_the_first_ones() -> None:
    made = streamed(frame(0, "{}", id="a", name="ls"), frame(1, "{}", id="a", name="cat"), chunk("tool_calls"))
    assert [block["name"] for block in made["content"]] == ["ls", "cat"]


def test_a_call_whose_name_comes_late_begins_with_it() -> None:
    sent = written([frame(0, '{"a"', id="a"), frame(0, "", name="ls"), frame(0, ": 1}"), chunk("tool_calls")])
    assert event_order.message_in(sent)["content"] == [{"type": "tool_use", "id": "a", "name": "ls", "input": {"a": 1}}]


def test_a_call_without_a_name_is_not_lost() -> None:
    assert streamed(frame(0, '{"a": 1}', id="a"))["content"][0]["input"] == {"a": 1}


def test_what_comes_behind_the_end_of_a_call_doesnt_spoil_it() -> None:
    made = streamed(
        frame(0, "{}", id="a", name="ls"), frame(1, '{"b": 1}', id="b", name="cat"), frame(0, " \n"), chunk("stop")
    )
    assert [block["input"] for block in made["content"]] == [{}, {"b": 1}]


# Thinking


def test_omitted_thinking_comes_in_the_signature_alone() -> None:
    sent = written(
        [chunk(reasoning_content="Hm. "), chunk(reasoning_content="So."), chunk(content="a")], thinking="omitted"
    )
    assert [event["delta"]["type"] for name, event in event_order.events(sent) if name == "content_block_delta"] == [
        "signature_delta",
        "text_delta",
    ]
    block = event_order.message_in(sent)["content"][0]
    assert (block["thinking"], thinking.carried(block["signature"])) == ("", "Hm. So.")


def test_thinking_that_nobody_asked_for_is_not_sent() -> None:
    assert names_of(written([chunk(reasoning_content="Hm.")], thinking="off")) == [
        "message_start",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_pieces_of_thinking_by_either_name(field: str) -> None:
    made = streamed(*(chunk(**{field: text}) for text in ("a", "b", "c")), chunk(content="d"))
    assert made["content"][0]["thinking"] == "abc"


def test_blank_thinking_before_more_of_it() -> None:
    made = streamed(
        chunk(reasoning_content=""),
        chunk(reasoning_content="\n"),
        chunk(reasoning_content="Hm."),
        chunk(content="a"),
        chunk(reasoning_content="So."),
    )
    assert [block[block["type"]] for block in made["content"]] == ["\nHm.", "a", "So."]


@pytest.mark.parametrize("mode", ["shown", "omitted"])
def test_an_empty_thought_is_told_before_the_first_call_alone(mode: str) -> None:
    calls = [frame(0, "{}", id="a", name="ls"), frame(1, "{}", id="b", name="ls")]
    made = streamed(chunk(reasoning_content=""), *calls, thinking=mode)
    assert [block["type"] for block in made["content"]] == ["thinking", "tool_use", "tool_use"]
    made = streamed(chunk(reasoning_content="Hm."), chunk(content="a"), chunk(reasoning_content=""), *calls)
    assert [block["type"] for block in made["content"]] == ["thinking", "text", "tool_use", "tool_use"]


# Text


def test_white_space_before_a_text_is_sent_once() -> None:
    made = streamed(chunk(content="\n"), chunk(content="a"), chunk(reasoning_content="Hm."), chunk(content="b"))
    assert [block[block["type"]] for block in made["content"]] == ["\na", "Hm.", "b"]


def test_an_empty_text_in_the_middle() -> None:
    made = streamed(chunk(content="a" * 70), chunk(content=""), chunk(content="b"))
    assert made["content"][0]["text"] == "a" * 70 + "b"


def test_white_space_waits_for_text() -> None:
    made = streamed(chunk(content="\n"), chunk(content="\n"), chunk(reasoning_content="Hm."), chunk(content=" a"))
    assert [block[block["type"]] for block in made["content"]] == ["Hm.", "\n\n a"]
    assert streamed(chunk(content="\n"), frame(0, "{}", id="a", name="ls"))["content"][0]["type"] == "tool_use"


def test_fields_of_null_beside_the_text() -> None:
    nulls = {"reasoning_content": None, "tool_calls": None, "refusal": None, "function_call": None}
    made = streamed(*(chunk(role="assistant", content=text * 70, **nulls) for text in "abc"))
    assert made["content"] == [{"type": "text", "text": "a" * 70 + "b" * 70 + "c" * 70}]


@pytest.mark.parametrize(
    "beside",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "ls", "arguments": "{}"}}]},
        {"function_call": {"name": "ls", "arguments": "{}"}},
        {"refusal": "No."},
    ],
)
def test_what_stands_beside_a_text_is_not_lost(beside: dict[str, Any]) -> None:
    made = streamed(chunk(content="a" * 70), chunk(content="b", **beside), chunk(content="c"))
    said = json.dumps(made["content"])
    assert all(text in said for text in ("aaa", "b", "c"))
    assert ("Hm." if "Hm." in json.dumps(beside) else "No." if "refusal" in beside else "ls") in said


def test_a_text_in_a_last_chunk_with_its_reason() -> None:
    made = streamed(chunk(content="a" * 70), chunk("length", content="b"), USED)
    assert (made["content"][0]["text"], made["stop_reason"]) == ("a" * 70 + "b", "max_tokens")


def test_other_choices_are_left_out() -> None:
    second = chunk(content="second")
    second["choices"][0]["index"] = 1
    both = chunk(content="b")
    both["choices"] = [*second["choices"], *both["choices"]]
    made = streamed(chunk(content="a" * 70), second, both)
    assert made["content"][0]["text"] == "a" * 70 + "b"


def test_half_a_character_is_one_that_strict_readers_take() -> None:
    made = streamed(chunk(content="\ud83d"), chunk(content="x" * 70), chunk(content="\ud83dy"))
    assert made["content"][0]["text"] == "\ufffd" + "x" * 70 + "\ufffdy"


# Why it stopped


@pytest.mark.parametrize(
    "pieces", [["one END two"], ["one E", "ND two"], list("one END two"), ["one ", "END", "", "t"]]
)
def test_a_stop_sequence_is_found_however_it_is_cut(pieces: list[str]) -> None:
    made = streamed(
        *(chunk(content=piece) for piece in pieces), frame(0, "{}", id="a", name="ls"), stop_sequences=["END"]
    )
    assert made["content"] == [{"type": "text", "text": "one "}]
    assert (made["stop_reason"], made["stop_sequence"]) == ("stop_sequence", "END")


def test_the_beginning_of_a_stop_sequence_is_held_back_and_no_more() -> None:
    sent = written([chunk(content="one E"), chunk(content="N"), chunk(content="O")], stop_sequences=["END"])
    assert deltas(sent) == ["one ", "ENO"]
    made = streamed(chunk(content="one EN"), frame(0, "{}", id="a", name="ls"), stop_sequences=["END"])
    assert [block.get("text") for block in made["content"]] == ["one EN", None], "it stands before the call"
    thought = streamed(chunk(content="EN"), chunk(reasoning_content="Hm."), chunk(content="D"), stop_sequences=["END"])
    assert [block[block["type"]] for block in thought["content"]] == ["EN", "Hm.", "D"]


def test_a_stop_sequence_is_found_in_a_long_text_and_ends_all() -> None:
    made = streamed(
        *(chunk(content="word ") for _ in range(50)),
        chunk(content="END"),
        chunk(reasoning_content="Hm."),
        chunk(content="more"),
        stop_sequences=["END"],
    )
    assert made["content"] == [{"type": "text", "text": "word " * 50}]
    assert made["stop_reason"] == "stop_sequence"


def test_the_sequence_that_the_endpoint_names() -> None:
    last = chunk("stop")
    last["choices"][0]["stop_reason"] = "END"
    made = streamed(chunk(content="one "), last, USED, stop_sequences=["END"])
    assert (made["stop_reason"], made["stop_sequence"]) == ("stop_sequence", "END")


@pytest.mark.parametrize("finish", ["content_filter", "sensitive"])
def test_a_filtered_stream_says_so(finish: str) -> None:
    made = streamed(chunk(content="Some"), chunk(finish))
    assert made["content"] == [{"type": "text", "text": "Some\n\n(The endpoint's moderation ended this answer here.)"}]
    assert made["stop_reason"] == "end_turn"


def test_the_notice_is_in_the_language_of_the_text_however_it_is_cut() -> None:
    text = "OK. " + "这是一个回答。" * 20
    whole = message(answer("sensitive", content=text))["content"]
    assert "内容审核" in whole[0]["text"]
    for size in (1, 3, 40, 500):
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        assert streamed(*(chunk(content=piece) for piece in pieces), chunk("sensitive"))["content"] == whole


def test_an_empty_reason_is_none() -> None:
    """The native API says "" until the end."""
    made = streamed(chunk("", content="a" * 70), chunk("", content="b"), chunk("length"), chunk(""), USED)
    assert (made["content"][0]["text"], made["stop_reason"]) == ("a" * 70 + "b", "max_tokens")


# Usage


def test_usage_in_the_first_chunk_is_told_at_the_start() -> None:
    sent = written([{**chunk(content="a"), "usage": USAGE}])
    start = event_order.events(sent)[0][1]["message"]["usage"]
    assert start == {**COUNTED, "output_tokens": 1}


def test_the_last_usage_counts() -> None:
    early = {**USAGE, "completion_tokens": 1, "total_tokens": 51}
    for last in ({**chunk(content="c"), "usage": USAGE}, {**chunk("stop"), "usage": USAGE}, USED):
        made = streamed({**chunk(content="a" * 70), "usage": early}, {**chunk(content="b"), "usage": early}, last)
        assert made["usage"] == COUNTED
    assert streamed(USED, chunk(content="a" * 70), {**chunk(content="b"), "usage": {}})["usage"] == COUNTED


def test_without_usage_the_output_is_estimated_by_all_that_was_written() -> None:
    texts = ["a" * 70, "b" * 70, "c" * 70]
    usage = streamed(*(chunk(content=text) for text in texts))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (1000, 70)
    rest = [chunk(reasoning_content="r" * 30), frame(0, '"' + "a" * 29, id="a", name="ls")]
    assert streamed(*(chunk(content=text) for text in texts), *rest)["usage"]["output_tokens"] == 90


# Errors, pings, the end


def test_an_error_ends_the_stream() -> None:
    writer = Anthropic().stream(dict(NOTE))
    sent = [
        *writer.feed(chunk(content="a" * 70)),
        *writer.fail({"message": "The endpoint broke off.", "type": "server_error"}),
    ]
    found = event_order.read(b"".join(sent))
    assert found.error == {
        "type": "api_error",
        "message": "The endpoint broke off.",
        "details": {"original": {"message": "The endpoint broke off.", "type": "server_error"}},
    }
    late = (writer.feed(chunk(content="b")), writer.finish(), writer.fail({}), writer.keep_alive(), writer.feed({}))
    assert late == ([], [], [], [], [])


def test_an_error_may_come_first() -> None:
    writer = Anthropic().stream({})
    assert names_of(b"".join(writer.fail({}))) == ["error"]


def test_nothing_follows_the_end() -> None:
    writer = Anthropic().stream(dict(NOTE))
    sent = [*writer.feed(chunk(content="a" * 70)), *writer.finish()]
    late = (writer.feed(chunk(content="b")), writer.finish(), writer.fail({}), writer.keep_alive())
    assert late == ([], [], [], [])
    event_order.message_in(b"".join(sent))


def test_keep_alives_are_pings_once_the_message_has_begun() -> None:
    writer = Anthropic().stream(dict(NOTE))
    assert writer.keep_alive() == [b": keep-alive\n\n"]
    writer.feed(chunk())
    assert writer.keep_alive() == [PING]


@pytest.mark.parametrize(
    ("mode", "given"), [("shown", frame(1, "x" * 100)), ("omitted", chunk(reasoning_content="x" * 100))]
)
def test_what_is_held_back_for_long_is_told_by_pings(mode: str, given: dict[str, Any]) -> None:
    writer = Anthropic().stream({**NOTE, "thinking": mode})
    writer.feed(frame(0, "{", id="a", name="ls") if mode == "shown" else given)
    sent = [writer.feed(given) for _ in range(60)]
    assert all(pieces in ([], [PING]) for pieces in sent)
    assert 5 <= sent.count([PING]) <= 15


def test_too_much_that_waits_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hunyuan_fix.dialects.anthropic.stream.MAX_HELD", 10_000)
    for chunks in (
        [frame(0, "x" * 1000, id="a", name="ls")] * 20,
        [frame(index, "", id=f"a{index}", name="ls") for index in range(100)],
        [chunk(content=" " * 1000)] * 20,
        [frame(0, "{", id="a", name="ls"), *[chunk(content="x" * 1000)] * 20],
        [frame(0, "{", id="a", name="ls"), *[chunk(content="x"), chunk(reasoning_content="x")] * 50],
    ):
        found = event_order.read(written(chunks))
        assert found.error is not None and found.error["details"]["error_code"] == "stream_answer_too_large"
    omitted = written([chunk(reasoning_content="x" * 1000)] * 20, thinking="omitted")
    assert event_order.read(omitted).error is not None
    assert event_order.read(written([chunk(content="x" * 1000)] * 20)).complete, "what is sent at once doesn't wait"
    assert composer.MAX_HELD < 2**25


def test_whole_answers_may_be_of_any_size() -> None:
    made = message(answer(tool_calls=[call(arguments=json.dumps({"a": "x" * composer.MAX_HELD}))]))
    assert len(made["content"][0]["input"]["a"]) == composer.MAX_HELD


@pytest.mark.parametrize(
    "given",
    [
        {"choices": 5},
        {"choices": [5]},
        {"choices": [{"delta": 5}]},
        {"choices": [{"delta": None, "finish_reason": {}}]},
        {"choices": [{"delta": {"content": 5, "reasoning_content": [], "tool_calls": {"a": 1}}}]},
        {"choices": [{"delta": {"content": [{"deep": [1]}, 5, None]}}]},
        {"choices": [{"delta": {"tool_calls": [5, {}, {"index": "0"}, {"index": None, "function": 5}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": {}, "id": [], "function": {"name": 5, "arguments": {}}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"id": 7, "function": {"name": "f", "arguments": 5}}]}}]},
        {"choices": [{"index": -1, "delta": {"content": "x"}}]},
        {"choices": [{"finish_reason": "stop", "stop_reason": []}], "usage": {"prompt_tokens": "x"}},
        {"id": {}, "model": [], "usage": 5},
    ],
)
def test_a_hostile_chunk_raises_nothing(given: dict[str, Any]) -> None:
    made = streamed(given, chunk(content="a" * 70), given, chunk(content="b"), given)
    assert re.search("a{70}.*b", "".join(block.get("text", "") for block in made["content"]))


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_events_that_are_not_read_are_written_like_those_that_are(field: str, separators: tuple[str, str]) -> None:
    """An event that differs from the last one in its text alone is not parsed."""
    texts = ["word " * 20, "a", "b", 'quote"', "back\\slash", "c", "\n", "\x7f", "世界", "😀", "é", "d", " ", "e", "ß"]
    chunks = [chunk(**{field: text}) for text in texts * 3]
    odd: list[dict[str, Any]] = [
        chunk(content="f", refusal="No."),
        {**chunk(content="g"), "usage": USAGE},
        chunk(**{field: "h", "role": "assistant"}),
        chunk(**{field: "i", "role": "assistant"}),
        chunk(content="", reasoning_content=""),
        {"choices": [], "usage": USAGE},
        chunk(content="j", reasoning_content="k"),
        chunk(content="l", reasoning_content="k"),
    ]
    for place, one in enumerate(odd):
        chunks[5 * place + 4 : 5 * place + 4] = [one, one]
    to_client = WrittenEvents(Anthropic().stream(dict(NOTE)))
    events = [
        b"data: " + json.dumps(one, ensure_ascii=False, separators=separators).encode() + b"\n\n" for one in chunks
    ]
    sent = [piece for event in [*events, b"data: [DONE]\n\n"] for piece in to_client.feed(event)]
    assert b"".join(sent) == written(chunks)
    # An event whose beginning has come already is not taken for one of them.
    cut = WrittenEvents(Anthropic().stream(dict(NOTE)))
    for event in events[:3]:
        cut.feed(event)
    assert cut.feed(b"data: {") + cut.feed(events[2]) == []


def test_what_differs_beside_the_text_is_read() -> None:
    fewer = {**USAGE, "completion_tokens": 6, "total_tokens": 56}
    for chunks in (
        [chunk(reasoning_content=text) for text in "abcdefghi"],
        [{**chunk(reasoning_content="a"), "usage": usage} for usage in (fewer, fewer, USAGE)],
        [{"extra": {"reasoning_content": text}, **chunk(reasoning_content="a")} for text in "bcd"],
    ):
        to_client = WrittenEvents(Anthropic().stream(dict(NOTE)))
        events = [f"data: {json.dumps(one)}\n\n".encode() for one in chunks]
        sent = [piece for event in [*events, b"data: [DONE]\n\n"] for piece in to_client.feed(event)]
        assert b"".join(sent) == written(chunks)
