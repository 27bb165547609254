from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.exchange import AnswerPlan
from hunyuan_fix.relay import event_stream
from hunyuan_fix.relay.event_stream import EventStream
from hunyuan_fix.relay.reading import Reading
from hunyuan_fix.wire import flaws, json_body, sse
from hunyuan_fix.wire.content_coding import CodingError


def stream_of(encoding: str = "") -> EventStream:
    return EventStream(encoding, Reading())


FAILED = b'{"error":{"message":"broke off","code":"stream_broken"}}'


def chunk(text: str = "", finish_reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return json.dumps({"id": "1", "choices": [choice], **more}, ensure_ascii=False).encode()


def error(code: str = "2003") -> bytes:
    return json.dumps({"error": {"code": code, "message": "x"}}).encode()


WORDS = [sse.event(chunk("一")), b": keep-alive\n\n", sse.event(chunk("二"))]
WHOLE = b"".join([*WORDS, sse.event(chunk(finish_reason="stop")), sse.event(b"[DONE]")])


def fed(stream: EventStream, data: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return b"".join(stream.feed(data[start:end]) for start, end in pairwise(edges))


def events_of(data: bytes) -> list[bytes]:
    """What a client's parser dispatches: events with a blank line after them."""
    return [event.data for event in sse.Parser().feed(data) if event.data is not None]


cuts = st.lists(st.integers(0, len(WHOLE)), max_size=6)


@given(cuts, st.booleans())
def test_good_stream_passes_byte_for_byte(where: list[int], packed: bool) -> None:
    stream = stream_of("gzip" if packed else "")
    passed = fed(stream, gzip.compress(WHOLE) if packed else WHOLE, where) + stream.finish()
    assert passed == WHOLE
    assert stream.begun
    assert stream.settled
    assert stream.flaw is None


@given(cuts)
def test_whole_events_are_passed_on_at_once(where: list[int]) -> None:
    stream, passed, fed_so_far = stream_of(), b"", b""
    for start, end in zip([0, *sorted(where)], [*sorted(where), len(WHOLE)], strict=True):
        fed_so_far += WHOLE[start:end]
        passed += stream.feed(WHOLE[start:end])
        assert events_of(passed) == events_of(fed_so_far)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@given(st.data())
def test_error_event_first_is_a_flaw_however_it_is_cut(end: bytes, data: st.DataObject) -> None:
    raw = b": wait" + end + b"data: " + error() + end + WHOLE
    stream = stream_of()
    fed(stream, raw, data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    assert not stream.begun
    assert stream.flaw is not None
    assert stream.flaw.error == error()


def test_nothing_has_begun_before_the_first_event_is_complete() -> None:
    stream = stream_of()
    stream.feed(b": keep-alive\n\n\n")
    stream.feed(sse.event(chunk("a"))[:-1])
    assert not stream.begun
    assert stream.feed(b"\n") == sse.event(chunk("a"))
    assert stream.begun


@pytest.mark.parametrize("raw", [b"", b": keep-alive\n\n", b"data:\n\n"])
def test_stream_that_ends_without_an_event_is_empty(raw: bytes) -> None:
    stream = stream_of()
    assert stream.feed(raw) + stream.finish() == raw
    assert stream.flaw == flaws.EMPTY_STREAM


def test_last_event_without_its_blank_line_counts() -> None:
    stream = stream_of()
    assert stream.feed(b"data: " + chunk("a")) == b""
    assert stream.finish() == b"data: " + chunk("a")
    assert stream.begun


def test_what_is_held_is_bounded() -> None:
    stream = stream_of()
    comment = b": " + b"x" * 1000 + b"\n"
    for _ in range(event_stream.MAX_HELD // len(comment)):
        stream.feed(comment)
    assert not stream.begun
    stream.feed(comment)
    assert stream.begun


def test_oversized_event_passes_and_is_closed_when_it_breaks() -> None:
    stream = stream_of()
    raw = b"data: " + b"x" * (event_stream.MAX_HELD + 10)
    passed = stream.feed(raw)
    assert stream.begun
    passed += stream.broken(FAILED)
    assert passed == raw + b"\n\n" + sse.event(FAILED)


@given(st.integers(0, len(WHOLE)), cuts)
def test_a_client_can_read_all_of_a_broken_stream(end: int, where: list[int]) -> None:
    """Wherever it breaks: whole events in front, one error at the end, unless the answer's end was told by then."""
    stream = stream_of()
    passed = fed(stream, WHOLE[:end], where) + stream.broken(FAILED)
    told = events_of(passed)
    whole = events_of(WHOLE)
    if stream.settled:
        assert told == whole[: len(told)]
        assert len(told) >= 3
    else:
        assert told[:-1] == whole[: len(told) - 1]
        assert told[-1] == FAILED
    assert passed.endswith((b"\n\n", b"\n")) or not passed


@given(st.integers(0, len(WHOLE)), cuts)
def test_one_error_reaches_the_client_behind_the_repair(end: int, where: list[int]) -> None:
    relayed = stream_of()
    passed = fed(relayed, WHOLE[:end], where) + relayed.broken(FAILED)
    repair = ChatStream(AnswerPlan())
    told = events_of(b"".join([*repair.feed(passed), *repair.finish()]))
    errors = [data for data in told if data != b"[DONE]" and "error" in json_body.parse(data)]
    finished = any(b'"stop"' in data for data in told)
    assert len(errors) == (0 if finished else 1)
    assert not finished or told[-1] == b"[DONE]"


def test_error_of_the_endpoint_is_the_only_one() -> None:
    stream = stream_of()
    passed = stream.feed(sse.event(chunk("a")) + sse.event(error())) + stream.broken(FAILED)
    assert events_of(passed) == [chunk("a"), error()]


def test_null_finish_reason_settles_nothing() -> None:
    stream = stream_of()
    stream.feed(sse.event(chunk("finish_reason, error, [DONE]", error=None)))
    assert not stream.settled


def test_unknown_coding() -> None:
    with pytest.raises(CodingError):
        stream_of("compress")


def test_damaged_coding() -> None:
    with pytest.raises(CodingError):
        stream_of("gzip").feed(b"no gzip at all")


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_pass_as_they_came(data: bytes, where: list[int]) -> None:
    stream = stream_of()
    assert fed(stream, data, where) + stream.finish() == data


@pytest.mark.parametrize("body", [b'{"choices":[]}', b" \n[1]", b"\xef\xbb\xbf<html>"])
def test_a_whole_body_is_known_by_its_first_bytes(body: bytes) -> None:
    for cuts in ([], list(range(1, len(body)))):
        stream = stream_of()
        marks = [0, *cuts, len(body)]
        out = b"".join(stream.feed(body[start:end]) for start, end in pairwise(marks))
        assert out == body
        assert stream.whole
        assert not stream.begun
    assert not stream_of().whole
