from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.answers import streams, tool_placing
from hunyuan_fix.answers.event_shape import Shape
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.exchange import AnswerPlan, JsonObject
from hunyuan_fix.wire import sse
from hunyuan_fix.wire.sse import Event
from tests.answers.streamed import (
    DONE,
    HEAD,
    chunk,
    content,
    cut,
    frame,
    read_everything,
    run,
    tool_frames,
    usage,
)
from tests.looped import each


def test_another_text_has_the_shape_and_nothing_else_has() -> None:
    shape = Shape.of_text(content("字"))
    assert shape is not None
    for text in ("字词", "x", '"', "\\", "\n", "\u0000", "😀", '","x":"y', ""):
        assert shape.sent_for(content(text)) == content(text)
    whole = content("字")
    for other in (
        whole.replace("字".encode(), b'a","x":"b'),
        whole.replace("字".encode(), b"a\nb"),
        whole.replace("字".encode(), b"a\\"),
        whole.replace("字".encode(), b"\xff"),
        whole.replace('"字"'.encode(), b' "a"'),
        whole.replace('"字"'.encode(), b'\n"a"'),
        whole.replace('"字"'.encode(), b'"'),
        whole.replace('"字"'.encode(), b"1"),
        whole.replace(b'"m"', b'"n"'),
        whole + whole,
        whole[:-1],
        b"",
        DONE,
    ):
        assert shape.sent_for(other) is None


def test_reasoning_is_text_too() -> None:
    shape = Shape.of_text(chunk({"reasoning_content": "x"}))
    assert shape is not None
    assert shape.sent_for(chunk({"reasoning_content": "字"})) == chunk({"reasoning_content": "字"})


@pytest.mark.parametrize(
    "raw",
    [
        b": ping\n\n",
        DONE,
        chunk({"role": "assistant"}),
        content(""),
        content("x")[:-2],
        b'data: {"content":"a\ndata: b"}\n\n',
    ],
)
def test_what_has_no_text_or_no_end_has_no_shape(raw: bytes) -> None:
    assert Shape.of_text(raw) is None


def test_what_is_sent_differs_as_the_event_that_was_read_did() -> None:
    raw, sent = tool_frames(frame(0, "c", "", "{")), tool_frames(frame(0, arguments="{"))
    taken: list[str] = []

    def take(text: str) -> bool:
        taken.append(text)
        return text != "no"

    shape = Shape.of_arguments(raw, sent, take)
    assert shape is not None
    assert shape.sent_for(tool_frames(frame(0, "c", "", '"字\n'))) == tool_frames(frame(0, arguments='"字\n'))
    assert shape.sent_for(tool_frames(frame(0, "c", "", "no"))) is None
    assert taken == ['"字\n', "no"]


def test_an_event_that_is_sent_unchanged_keeps_how_its_string_is_spelt() -> None:
    raw = tool_frames(frame(0, arguments="{"))
    shape = Shape.of_arguments(raw, raw, lambda _: True)
    assert shape is not None
    spelt = raw.replace(b'"{"', b'"\\u5b57\\/"')
    assert shape.sent_for(spelt) == spelt


@pytest.mark.parametrize(
    "raw",
    [
        tool_frames(frame(0, arguments="{"))[:-2],
        tool_frames(frame(0, arguments="{"), frame(1, arguments="{")),
        tool_frames(frame(0, arguments="\u00e9")).replace("\u00e9".encode(), b"\\u00e9"),
        tool_frames(frame(0, arguments={})),
        b': "arguments":"x"\n' + tool_frames(frame(0, arguments="{")),
        tool_frames(frame(0, arguments="{")).replace(b'"arguments":', b'"arguments":\n'),
    ],
)
def test_a_string_that_is_not_told_from_others_makes_no_shape(raw: bytes) -> None:
    assert Shape.of_arguments(raw, raw, lambda _: True) is None


# -- against reading every event

TEXTS = st.sampled_from(["{", "}", '"', "{}", '{"a":', "1", " ", "", "\n", "字", "\\", "\\u00e9", '"]', '{"a":1}', "E"])
NAMES = st.sampled_from([None, "", "f_1", "f", "_1", "g"])
FRAMES = st.builds(
    frame, st.sampled_from([0, 0, 0, 1, None, "0", 0.0, False, 7]), st.sampled_from([None, "a", "b", ""]), NAMES, TEXTS
)


def spelt(data: bytes, how: int) -> bytes:
    """The same chunk, spelt in one of several ways."""
    body = data.removeprefix(b"data: ").removesuffix(b"\n\n")
    value = json.loads(body)
    return (
        data,
        b"data: " + json.dumps(value).encode() + b"\n\n",
        b"id: 1\r\ndata:" + body + b"\r\n\r\n",
        b"data: " + json.dumps(value, indent=1).encode().replace(b"\n", b"\ndata: ") + b"\n\n",
        data.replace(b'"choices"', b'"choices":[{"delta":{"tool_calls":[{"index":0}]}}],"choices"', 1),
        data.replace(b'"choices"', b'"ch\\u006fices"', 1),
        data.replace(b'"arguments"', b'"arg\\u0075ments"', 1),
        b': "arguments":"x"\n\n' + data,
        b'event: "arguments":"x"\n' + data,
    )[how]


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Frames that differ in the text of their arguments alone, sometimes with another chunk between them."""
    first, how = draw(FRAMES), draw(st.integers(0, 8))
    fields: JsonObject = draw(st.sampled_from([{}, {"usage": {"total_tokens": 1}}, {"usage": None}, {"id": "other"}]))
    delta: JsonObject = draw(st.sampled_from([{}, {"content": None}, {"content": "x"}, {"content": ""}]))
    events = []
    for text in draw(st.lists(TEXTS, min_size=1, max_size=5)):
        function: Any = {**first["function"], "arguments": text}
        events.append(spelt(chunk({**delta, "tool_calls": [{**first, "function": function}]}, **fields), how))
    between = draw(st.sampled_from([b"", b"", b": ping\n\n", content("x"), usage(), b"data: no\n\n", DONE]))
    return [*events, between]


SPOKEN = st.lists(st.tuples(TEXTS, st.integers(0, 8)), max_size=4).map(
    lambda texts: [spelt(content(text), how) for text, how in texts]
)
BEGUN = st.sampled_from(
    [
        [],
        [tool_frames(frame(0, "a", "f_1", "{"))],
        [tool_frames(frame(0, "a", "f_1", "{")), tool_frames(frame(1, "b", "f_1", '{"'))],
        [tool_frames(frame(1, "b", "f_1", "{}")), tool_frames(frame(0, "a", "f_1", '["'))],
    ]
)
STREAMS = st.tuples(BEGUN, st.lists(st.one_of(alike(), alike(), SPOKEN), min_size=1, max_size=5)).map(
    lambda both: b"".join(event for part in (both[0], *both[1]) for event in part)
)
ENDS = st.sampled_from([b"", DONE, chunk(finish="tool_calls") + DONE, chunk(finish="length"), content("", "stop")])
PLANS = st.builds(
    AnswerPlan,
    tools=st.sampled_from([[], ["f_1"]]),
    tool_names=st.sampled_from([{}, {"f_1": "f.1"}]),
    function_call=st.booleans(),
    stop=st.sampled_from([[], [], ["END"]]),
)


@settings(max_examples=300)
@given(STREAMS, ENDS, PLANS, st.lists(st.integers(0, 4000), max_size=4))
def test_what_is_recognised_comes_out_as_if_it_was_read(
    events: bytes, end: bytes, plan: AnswerPlan, cuts: list[int]
) -> None:
    data = events + end
    with pytest.MonkeyPatch.context() as patch:
        read_everything(patch)
        every, read = run(plan, [data])
    for pieces in (cut(data, cuts), re.findall(rb".+?\n\n|.+\Z", data, re.DOTALL)):
        sent, stream = run(plan, pieces)
        assert sent == every
        assert (stream.finish_reason, stream.usage, stream.first_error) == (
            read.finish_reason,
            read.usage,
            read.first_error,
        )
        assert stream.changes == read.changes
        assert not stream.broken


@each(
    "frames",
    [
        [frame(0, "a", "f_1", "{"), frame(0, "b", "f_1", "{"), frame(0, "b", "f_1", '"x"'), frame(0, "b", "f_1", "}")],
        [frame(0, "a", "f_1", "{"), frame(0, "a", "", '"x":1'), frame(0, "a", "", ""), frame(0, "a", "", "}")],
        [frame(0, "a", "f_1", "{"), frame(0, arguments='"x":1}'), frame(0, arguments="}"), frame(0, arguments="{}")],
        [frame(0, "a", "f_1", "{"), frame(0, arguments='"'), frame(0, arguments=" "), frame(0, arguments='":1}')],
        [frame(0, "a", "f_1", "{"), frame(1, "b", "f_1", "{"), frame(0, arguments='"x":'), frame(0, arguments="1}")],
        [
            frame(0, "a", "f_1", "{"),
            frame(0, "a", "f_1", '"x"'),
            frame(0, "a", "f_1", " "),
            frame(0, "a", "f_1", ":1}"),
        ],
        [frame(0, "a", "f_1", "{}"), frame(1, "b", "f_1", "{"), frame(0, arguments='"'), frame(0, arguments='"}')],
        [
            frame(0, "a", "", "{" * 5000),
            frame(0, "a", "f_1", "{"),
            frame(0, "a", "f_1", "{"),
            frame(0, "a", "f_1", "}"),
        ],
        [frame(0, "a", "f_1", " "), frame(0, arguments=" "), frame(0, arguments="{"), frame(0, arguments="}")],
        [
            frame(0, "a", "f_1", "{"),
            frame(0, "x", arguments="1"),
            frame(0, "x", arguments="2"),
            frame(0, arguments="}"),
        ],
        [frame(0, "a", "f_1", "{"), frame(0, "a", "g", "{"), frame(0, "a", "g", '"'), frame(0, "a", "g", '"}')],
        [frame(0, "a", None, '{"' + "x" * 5000), *(frame(0, arguments=piece) for piece in ("y", "z", '":1}'))],
        # Ids and indexes that aren't remembered any more.
        [frame(0, "a", "f_1", "{"), *(frame(0, "b", arguments=piece) for piece in ('"x"', ":", " ", "1", "}"))],
        [frame(0, "a", "f_1", "{"), *(frame(5, None, "f_1", piece) for piece in ("{", '"x"', ":", "1", "}"))],
        [frame(0, "a", "f_1", "{"), *(frame(5, arguments=piece) for piece in ('"x"', ":", " ", "1", "}"))],
    ],
)
@each("plan", [AnswerPlan(tools=["f_1"], tool_names={"f_1": "f.1"}), AnswerPlan(function_call=True)])
@each("end", [b"", DONE, chunk(finish="tool_calls") + DONE])
@each("marks", [1, tool_placing.MAX_MARKS])
def test_frames_alike_come_out_as_if_they_were_read(
    frames: list[JsonObject], plan: AnswerPlan, end: bytes, marks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_placing, "MAX_MARKS", marks)
    pieces = [*(tool_frames(found) for found in frames), end]
    with pytest.MonkeyPatch.context() as patch:
        read_everything(patch)
        every, read = run(plan, pieces)
    sent, stream = run(plan, pieces)
    assert sent == every
    assert (stream.finish_reason, stream.changes) == (read.finish_reason, read.changes)


def beside(choice: JsonObject, call: JsonObject) -> bytes:
    """A chunk with a frame in choice 0, and another entry of `choices`."""
    event = tool_frames(call)
    return event.replace(b"}],", b"}," + json.dumps(choice).encode() + b"],", 1)


BEGUN_CALL = tool_frames(frame(0, "a", "f_1", "{"))
PIECES = ('"x"', ":", "1", "}")


@pytest.mark.parametrize(
    "events",
    [
        [chunk({"content": "E", "tool_calls": [frame(0, arguments=piece)]}) for piece in PIECES],
        [chunk({"content": "x", "tool_calls": [frame(0, arguments=piece)]}) for piece in PIECES],
        [chunk({"tool_calls": [frame(0, arguments=piece)]}, "stop") for piece in PIECES],
        [chunk({"tool_calls": [frame(0, arguments=piece), frame(1)]}) for piece in PIECES],
        [beside({"index": 0, "delta": {}, "finish_reason": "stop"}, frame(0, arguments=p)) for p in PIECES],
        [beside({"index": 1, "delta": {}, "finish_reason": "stop"}, frame(0, arguments=p)) for p in PIECES],
        [
            tool_frames(frame(0, arguments=piece))
            for piece in ('"' + "x" * sse.MAX_EVENT, '"', "y" * sse.MAX_EVENT, "}")
        ],
        [tool_frames(frame(0, arguments=piece)) for piece in ('"', "x", "y" * sse.MAX_EVENT + '"}', ":1}")],
        [chunk({"tool_calls": [{"index": 0, "function": {}}]}, arguments=piece) for piece in PIECES],
        [content("x"), b": ping\n\n", chunk({"role": "assistant"})],
        [content("x"), content("y") + b"data: [1]\n\n", content("z")],
    ],
)
@pytest.mark.parametrize("plan", [AnswerPlan(), AnswerPlan(stop=["END"]), AnswerPlan(function_call=True)])
def test_events_alike_come_out_as_if_they_were_read(events: list[bytes], plan: AnswerPlan) -> None:
    calls = b"arguments" in events[0]
    pieces = [*([BEGUN_CALL] if calls else []), *events, DONE]
    with pytest.MonkeyPatch.context() as patch:
        read_everything(patch)
        every, read = run(plan, pieces)
    halves = [half for piece in pieces for half in (piece[: len(piece) // 2], piece[len(piece) // 2 :])]
    for cut_up in (pieces, halves, [b"".join(pieces)]):
        sent, stream = run(plan, cut_up)
        assert sent == every
        assert (stream.finish_reason, stream.changes) == (read.finish_reason, read.changes)


def test_most_chunks_of_a_stream_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Event] = []
    read = ChatStream._read

    def counted(stream: ChatStream, event: Event) -> bytes:
        reads.append(event)
        return read(stream, event)

    monkeypatch.setattr(ChatStream, "_read", counted)
    argued = [tool_frames(frame(0, "a", "", "word")) for _ in range(50)]
    sent, _ = run(AnswerPlan(), [*[content("x")] * 50, tool_frames(frame(0, "a", "f", "{")), *argued])
    assert len(reads) <= 3
    assert sent.count(HEAD["id"].encode() if isinstance(HEAD["id"], str) else b"") == 101


def counted(monkeypatch: pytest.MonkeyPatch, holder: object, name: str) -> list[object]:
    """The arguments of all calls of `holder.name` from now on."""
    calls: list[object] = []
    called = getattr(holder, name)

    def count(*given: object) -> object:
        calls.append(given)
        return called(*given)

    monkeypatch.setattr(holder, name, count)
    return calls


@pytest.mark.parametrize(
    "pieces", [[usage()], [content("a") + content("b") + content("c"), content("d"), content("e")]]
)
def test_bytes_are_searched_once(monkeypatch: pytest.MonkeyPatch, pieces: list[bytes]) -> None:
    searched = counted(monkeypatch, streams, "_needs_nothing")
    run(AnswerPlan(), pieces, end=False)
    assert searched == [(pieces[0],)]


def test_whole_events_need_no_parser_even_after_one_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = counted(monkeypatch, sse.Parser, "feed")
    run(AnswerPlan(), [content("a")[:9], content("a")[9:], content("b"), b": ping\n\n", content("c")], end=False)
    assert len(parsed) == 2
