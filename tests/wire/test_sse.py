from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire import sse
from hunyuan_fix.wire.sse import Event, Parser
from tests.answers.streamed import cut

LINES = st.sampled_from(
    [
        "data: a",
        "data:b",
        "data",
        "data: 图",
        "data:  c",
        "event: x",
        ": ping",
        ":",
        "id:1",
        "",
        "",
        "nonsense",
        "data : d",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=12).flatmap(
    lambda lines: st.sampled_from(["", "\ufeff"]).flatmap(
        lambda bom: st.sampled_from(["", "data: end", ": end", "\r"]).map(
            lambda rest: (bom + "".join(line + end for line, end in lines) + rest).encode()
        )
    )
)


def events(chunks: Iterable[bytes], max_event: int = sse.MAX_EVENT, *, blanks: bool = False) -> list[Event]:
    parser = Parser(max_event, blanks=blanks)
    found = [event for chunk in chunks for event in parser.feed(chunk)]
    last = parser.finish()
    return found + ([last] if last else [])


def joined(found: list[Event]) -> list[Event]:
    """Comments and blank lines that stand together as one piece, however many they came in."""
    together: list[Event] = []
    for event in found:
        idle = event.raw[:1] in (b":", b"\r", b"\n")
        if idle and together and together[-1].raw[:1] in (b":", b"\r", b"\n"):
            together[-1] = Event(together[-1].raw + event.raw)
        else:
            together.append(event)
    return together


def reference(data: bytes) -> list[bytes]:
    """The data of every event, straight from the standard's algorithm, the unfinished last one included."""
    text = data.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found: list[bytes] = []
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        if not line:
            if lines:
                found.append("\n".join(lines).encode())
            lines = []
        name, _, value = line.partition(":")
        if name == "data":
            lines.append(value.removeprefix(" "))
    return found


@given(STREAMS, st.lists(st.integers(0, 200)))
def test_events_are_those_of_the_standard_and_keep_all_bytes(stream: bytes, cuts: list[int]) -> None:
    found = events(cut(stream, cuts))
    assert b"".join(event.raw for event in found) == stream
    assert [event.data for event in found if event.data is not None] == reference(stream)


@given(STREAMS)
def test_cutting_between_any_two_bytes_gives_the_same_events(stream: bytes) -> None:
    assert joined(events([bytes([byte]) for byte in stream])) == joined(events([stream]))


def test_an_event_is_given_out_with_its_blank_line() -> None:
    parser = Parser()
    assert list(parser.feed(b"data: a\n")) == []
    assert list(parser.feed(b"\ndata: b")) == [Event(b"data: a\n\n")]
    assert parser.finish() == Event(b"data: b")
    assert parser.finish() is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_keep_alive_does_not_wait_for_a_blank_line(end: bytes) -> None:
    assert [event.raw for event in Parser().feed(b": ping" + end)] == [b": ping" + end]


def test_what_was_not_asked_for_can_be_had_as_it_came() -> None:
    parser = Parser()
    assert next(parser.feed(b"data: a\n\ndata: b\n\ndata: c")).data == b"a"
    assert parser.rest() == b"data: b\n\ndata: c"
    assert parser.rest() == b""


@given(
    st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]),
    st.integers(20, 200),
    st.lists(st.integers(0, 300)),
)
def test_an_oversized_event_passes_unread_in_bounded_memory(end: bytes, size: int, cuts: list[int]) -> None:
    stream = b"data: " + b"x" * size + end + b"data: after" + end
    parser = Parser(max_event=16)
    found: list[Event] = []
    for chunk in cut(stream, cuts):
        found += parser.feed(chunk)
        assert parser.held <= 16 + len(chunk)
    found += filter(None, [parser.finish()])
    assert b"".join(event.raw for event in found) == stream
    assert [event.data for event in found if event.data is not None][-1:] == [b"after"]


def test_only_the_oversized_event_is_opaque() -> None:
    stream = b"data: " + b"x" * 40 + b"\n\ndata: after\n\n"
    found = events([bytes([byte]) for byte in stream], max_event=16)
    assert b"".join(event.raw for event in found if event.opaque) == stream[:48]
    assert [event for event in found if not event.opaque] == [Event(b"data: after\n\n")]


@given(STREAMS)
def test_new_data_leaves_the_rest_of_an_event(stream: bytes) -> None:
    for event in events([stream]):
        if event.data is None:
            continue
        (rewritten,) = [new for new in events([event.with_data(b'{"a":1}')]) if new.data is not None]
        assert rewritten.data == b'{"a":1}'

        def others(raw: bytes) -> list[bytes]:
            return [line for line in raw.splitlines() if line and not line.lstrip(b"\xef\xbb\xbf").startswith(b"data")]

        assert others(rewritten.raw) == others(event.raw)


@pytest.mark.parametrize(
    ("raw", "new"),
    [
        (b"data: a\n\n", b"data: X\n\n"),
        (b"data:a\r\n\r\n", b"data:X\r\n\r\n"),
        (b"id: 1\ndata: a\ndata: b\nevent: e\n\n", b"id: 1\ndata: X\nevent: e\n\n"),
        (b"data\n\n", b"data: X\n\n"),
        (b"data: a", b"data: X\n\n"),
        (b"\xef\xbb\xbfdata: a\n\n", b"\xef\xbb\xbfdata: X\n\n"),
    ],
)
def test_rewritten_events(raw: bytes, new: bytes) -> None:
    assert Event(raw).with_data(b"X") == new


@given(STREAMS)
def test_a_completed_event_ends_before_the_next(stream: bytes) -> None:
    for event in events([stream]):
        following = events([sse.complete(event.raw) + sse.event(b"next")])
        assert following[-1] == Event(b"data: next\n\n")
        assert [new.data for new in following[:-1] if new.data is not None] == (
            [] if event.data is None else [event.data]
        )


def test_empty_means_that_the_next_byte_begins_an_event() -> None:
    parser = Parser(max_event=8)
    filled = [(len(list(parser.feed(piece))), parser.is_empty) for piece in (b"data: 1\n", b"\n", b"data: " + b"1" * 9)]
    assert filled == [(0, False), (1, True), (1, False)]
    assert [event.opaque for event in parser.feed(b"\n\n")] == [True]
    assert parser.is_empty


@pytest.mark.parametrize("idle", [b"\r\n", b"\n", b": x\n", b":\r\n\n"])
def test_comments_and_blank_lines_in_a_row_are_one_piece(idle: bytes) -> None:
    assert [event.raw for event in Parser().feed(idle * 1000)] == [idle * 1000]


@pytest.mark.parametrize(
    ("body", "whole"),
    [(b"{", True), (b" \r\n[1]", True), (b"\xef\xbb\xbf <html>", True), (b"data: {", False), (b": x\n{", False)],
)
def test_the_first_bytes_tell_a_stream_from_a_whole_body(body: bytes, whole: bool) -> None:
    opening = sse.Opening()
    assert b"".join(opening.feed(bytes([byte])) for byte in body) == body
    assert opening.whole == whole
    assert opening.finish() == b""


def test_a_body_of_blanks_is_given_out_at_its_end() -> None:
    opening = sse.Opening()
    assert opening.feed(b"\n\n") == b""
    assert opening.finish() == b"\n\n"
    assert len(opening.feed(b"x")) == 1


@given(
    st.lists(st.sampled_from([b"data: ", b"data:", b"\n", b"\n\n", b"\r", b"x", b"id: 1", b": c", b"{}"]), max_size=12)
)
def test_plain_data_is_what_the_parser_finds(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    found = sse.plain_data(raw)
    if found is not None:
        assert found == [event.data for event in sse.Parser().feed(raw)]
    assert sse.plain_data(b"data: a\n\ndata: b\n\n") == [b"a", b"b"]
    assert sse.plain_data(b"data: a\n\n\n\n") is None
