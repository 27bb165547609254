"""Hostile streams cost time in proportion to their size, whatever they are made of: n against 4n."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hunyuan_fix.answers import streams
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.exchange import AnswerPlan
from hunyuan_fix.wire import sse
from tests.answers.streamed import DONE, chunk, content, frame, tool_frames

PLAIN, FENCE = AnswerPlan(), AnswerPlan(json_fence=True)
CALL = tool_frames(frame(0, "c", "f", '{"a":"'))
type Made = Callable[[int], tuple[AnswerPlan, bytes]]

STREAMS: dict[str, tuple[int, Made]] = {
    "stop texts": (65536, lambda n: (AnswerPlan(stop=[f"{i} stop" for i in range(500 * n)]), content("1 sto") * 500)),
    "one long stop text": (65536, lambda n: (AnswerPlan(stop=["a" * 500 * n]), content("a") * 500 * n)),
    "bare CR": (65536, lambda n: (PLAIN, b"\r" * 200_000 * n)),
    "comments": (65536, lambda n: (PLAIN, b":\n" * 100_000 * n)),
    "one long comment": (1, lambda n: (PLAIN, b":" * 20_000 * n)),
    "bare CR, byte by byte": (1, lambda n: (PLAIN, b"\r" * 10_000 * n)),
    "an answer, byte by byte": (1, lambda n: (PLAIN, content("hello") * 50 * n)),
    "data lines of one event": (65536, lambda n: (PLAIN, b"data:\n" * 30_000 * n + b"\n")),
    "rewritten data lines": (65536, lambda n: (PLAIN, _in_lines(tool_frames(*_calls(100 * n))))),
    "empty events": (65536, lambda n: (PLAIN, b"data:\n\n" * 5_000 * n + b"data")),
    "ends": (65536, lambda n: (PLAIN, DONE * 2_000 * n)),
    "calls without index in one event": (65536, lambda n: (PLAIN, tool_frames(*_calls(200 * n)))),
    "calls without index": (65536, lambda n: (PLAIN, b"".join(map(tool_frames, _calls(200 * n))))),
    "frames of one call": (65536, lambda n: (PLAIN, CALL + tool_frames(frame(0, arguments='[]{}\\"')) * 500 * n)),
    "brackets": (65536, lambda n: (PLAIN, CALL + tool_frames(frame(0, arguments='\\"{' * 50_000 * n)))),
    "white space in a fence": (65536, lambda n: (FENCE, content("```\n") + content("\n ") * 500 * n)),
    "finish reasons": (65536, lambda n: (PLAIN, tool_frames(*_calls(200)) + chunk(finish="stop") * 300 * n)),
}  # fmt: skip


def _calls(count: int) -> list[dict[str, object]]:
    return [frame(None, f"c{number}", "f", "{}") for number in range(count)]


def _in_lines(event: bytes) -> bytes:
    return event.replace(b",", b",\ndata: ").replace(b"\ndata: \ndata: ", b"\ndata: ")


def seconds(plan: AnswerPlan, data: bytes, size: int) -> float:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    taken = []
    for _ in range(3):
        begun = time.thread_time()
        stream = ChatStream(plan)
        for piece in pieces:
            stream.feed(piece)
        stream.finish()
        taken.append(time.thread_time() - begun)
        assert not stream.broken
    return min(taken)


@pytest.mark.parametrize("name", STREAMS)
def test_four_times_the_stream_takes_about_four_times_the_time(name: str) -> None:
    size, made = STREAMS[name]
    assert seconds(*made(4), size) < 8 * max(seconds(*made(1), size), 0.001)


@pytest.mark.parametrize("name", ["choices", "calls"])
def test_more_choices_or_calls_than_are_kept_track_of_pass_as_they_come(name: str) -> None:
    made = {
        "choices": b"".join(chunk({"content": "x"}, "stop", number) for number in range(streams.MAX_CHOICES + 2)),
        "calls": tool_frames(*_calls(2000)),
    }[name]
    stream = ChatStream(PLAIN)
    assert b"".join(stream.feed(made)) == made
    assert stream.broken


def test_an_event_past_the_bound_passes_unread() -> None:
    data = content("x" * 2 * sse.MAX_EVENT, "sensitive")
    stream = ChatStream(AnswerPlan(stop=["x"]))
    pieces = [data[start : start + 65536] for start in range(0, len(data), 65536)]
    assert b"".join(sent for piece in pieces for sent in stream.feed(piece)) == data
