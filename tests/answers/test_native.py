"""Streams in the client's own format: they keep their bytes, end in order, and are counted."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from hunyuan_fix.answers import native, whole_body
from hunyuan_fix.answers.native import NativeStream
from hunyuan_fix.answers.translated import NO_STEPS
from hunyuan_fix.dialects import NATIVE
from hunyuan_fix.exchange import Exchange, Response
from hunyuan_fix.wire import json_body, sse
from tests.dialects.anthropic import event_order

START = {"type": "message_start", "message": {"model": "hy3", "usage": {"input_tokens": 7, "output_tokens": 1}}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 'a "message_stop" \\u00e9'}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
STOP = {"type": "message_stop"}
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}


def event(data: dict[str, Any], end: str = "\n") -> bytes:
    return b"event: %b%bdata: %b%b" % (
        str(data.get("type")).encode(),
        end.encode(),
        json_body.serialise(data),
        (2 * end).encode(),
    )


WHOLE = b"".join(event(data) for data in (START, DELTA, DELTA, END, STOP))


def exchange(**note: Any) -> Exchange:
    made = Exchange(profile="tokenhub", dialect="anthropic-native", spoken="anthropic", streamed=True)
    made.note_of("anthropic").update(note)
    return made


def sent(*pieces: bytes, of: Exchange | None = None, keep: int = 0) -> bytes:
    """What the client gets of a stream that comes in `pieces`."""
    stream = NativeStream(of or exchange(), keep=keep)
    return b"".join(piece for data in (*pieces, b"") for piece in stream(data))


def split(data: bytes, places: list[int]) -> list[bytes]:
    cuts = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[one:other] for one, other in pairwise(cuts)]


@given(st.lists(st.integers(0, 10_000), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_whatever_the_pieces_the_bytes_are_the_same(places: list[int], end: str, mapped: bool) -> None:
    whole = b": hello\n\n" + b"".join(event(data, end) for data in (START, DELTA, END, STOP)) + b"data: [DONE]\n\n"
    note = {"model": "claude-sonnet-5", "answers_as": "hy3"} if mapped else {}
    together = sent(whole, of=exchange(**note))
    assert sent(*split(whole, places), of=exchange(**note)) == together
    if not mapped:
        assert together == whole
    else:
        renamed = START | {"message": {**START["message"], "model": "claude-sonnet-5"}}  # type: ignore[dict-item]
        assert together == whole.replace(event(START, end), event(renamed))


def test_what_the_model_says_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = NativeStream(exchange())
    stream(event(START))
    monkeypatch.setattr(json_body, "parse_object", lambda _: pytest.fail("read"))
    said = event({"type": "content_block_delta", "delta": {"text": "é message"}})
    assert stream(said * 3) == [said * 3]
    assert b"".join(stream(said[:9]) + stream(said[9:])) == said


def test_an_end_that_is_missing_is_made() -> None:
    done = exchange()
    assert sent(WHOLE.removesuffix(event(STOP)), of=done) == WHOLE
    assert done.rules == ["answer-stream-end"]
    cut = sent(event(START), event(DELTA))
    assert cut.startswith(event(START) + event(DELTA) + b'event: error\ndata: {"type":"error"')
    assert sent(event(START), event(ERROR)) == event(START) + event(ERROR)


def test_an_event_that_was_torn_off_goes_before_the_error() -> None:
    torn = sent(event(START), event(DELTA)[:-9])
    assert torn.startswith(event(START) + b"event: error\n")
    assert sent(event(START), event(DELTA)[:-2]).startswith(event(START) + event(DELTA) + b"event: error\n")
    assert sent(WHOLE[:-2]) == WHOLE


def test_errors_get_the_words_that_the_client_knows() -> None:
    long = {"error": {"message": "Range of input length should be [1, 1000]", "type": "invalid_request_error"}}
    said = sent(event(START), sse.event(json_body.serialise(long)))
    assert b'"message":"prompt is too long: 1001 tokens > 1000 maximum"' in said
    assert said.startswith(event(START) + b"event: error\ndata: ")
    assert said.count(b"event: ") == 2
    assert sent(event(ERROR)) == event(ERROR)


def test_a_stream_that_breaks_is_told_so() -> None:
    stream = NativeStream(exchange())
    stream(event(START) + event(DELTA)[:20])
    last = b"".join(stream.broken() or ())
    assert last.startswith(b"event: error\ndata: ")
    assert b"stream_broken" in last
    stream = NativeStream(exchange())
    stream(WHOLE)
    assert not stream.broken()


def test_what_it_used_is_counted() -> None:
    counted = exchange()
    sent(WHOLE, of=counted)
    assert counted.tokens == 12
    cached = {"input_tokens": 2, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 4, "output_tokens": 5}
    sent(event(START), event(END | {"usage": cached}), of=counted)
    assert counted.tokens == 41
    counted.streamed = False
    whole = json_body.serialise({"type": "message", "usage": cached | {"a": None}})
    assert native.repair_answer(counted, whole) is None
    assert counted.tokens == 41
    sent(event(START | {"message": {}}), event(END | {"usage": {"input_tokens": -1, "output_tokens": "5"}}), of=counted)
    assert counted.tokens == 0


def test_what_the_client_gets_is_kept() -> None:
    stream = NativeStream(exchange(), keep=len(WHOLE) + 5)
    for piece in split(WHOLE, [7, 50, 90]):
        stream(piece)
    stream(b"")
    assert (stream.kept, stream.passed, stream.cut) == (WHOLE, len(WHOLE), False)


def test_a_whole_body_in_its_place() -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "hello"},
        {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"path": "/"}},
    ]
    message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "hy3", "content": blocks}
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    usage = {"input_tokens": 7, **cached, "output_tokens": 5}
    message |= {"stop_reason": "tool_use", "stop_sequence": None, "usage": usage}
    whole = json_body.serialise(message)
    answered = exchange()
    got = sent(whole[:5], whole[5:], of=answered)
    assert event_order.message_in(got)["content"] == blocks
    assert answered.tokens == 12
    labelled = native.repair_answer(exchange(), whole)
    assert isinstance(labelled, Response)
    assert labelled.body == got
    failed = sent(json_body.serialise(ERROR))
    assert failed.startswith(b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"')
    assert sent(b"<html>").startswith(b"event: error\ndata: ")
    assert sent(b"[", b"x" * (1 << 24)).startswith(b"event: error\ndata: ")


def test_a_packed_stream_is_unpacked() -> None:
    import gzip

    stream = NativeStream(exchange(), "gzip")
    packed = gzip.compress(WHOLE)
    assert b"".join(piece for data in (packed[:30], packed[30:], b"") for piece in stream(data)) == WHOLE


def test_what_fails_passes_from_there_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = NativeStream(exchange())
    monkeypatch.setattr(NATIVE["anthropic-native"].__class__, "repaired_event", lambda *_: 1 / 0)
    assert b"".join(stream(event(START)) + stream(event(DELTA)) + stream(b"")) == event(START) + event(DELTA)


def test_a_stream_without_its_label() -> None:
    answer = whole_body.repair_answer(exchange(), NO_STEPS, WHOLE, "", 1 << 20)
    assert isinstance(answer, Response)
    assert (answer.headers["content-type"], answer.body) == ("text/event-stream", WHOLE)


@given(st.binary(max_size=60), st.sampled_from(["", "gzip", "odd"]), st.integers(400, 599))
def test_no_error_raises(body: bytes, encoding: str, status: int) -> None:
    told = native.repair_error(exchange(), status, {}, body, encoding)
    assert told is not None
    assert json_body.parse_object(told.body)


def test_an_error_with_the_right_words_keeps_its_bytes() -> None:
    spaced = b'{ "type": "error", "error": {"type": "invalid_request_error", "message": "no"} }'
    assert native.repair_error(exchange(), 400, {}, spaced, "") is None
    told = native.repair_error(exchange(client="claude-code"), 400, {}, spaced, "")
    assert told is not None
    assert (told.status, told.headers["x-should-retry"]) == (402, "false")


def test_a_silent_stream_has_a_keep_alive_between_its_events() -> None:
    stream = NativeStream(exchange())
    assert stream.keep_alive() == [b": keep-alive\n\n"], "before the first event"
    half = event(DELTA)
    got = b"".join(stream(event(START) + half[:20]))
    assert stream.keep_alive() == [event({"type": "ping"})]
    got += b"".join(stream(half[20:])) + b"".join(stream(event(END)))
    assert got == event(START) + half + event(END)
    assert stream.keep_alive() == [], "the client knows the end"


@pytest.mark.parametrize("client", ["codex", ""])
def test_codex_alone_gets_an_event_for_responses(client: str) -> None:
    made = Exchange(profile="tokenhub", dialect="responses-native", spoken="responses", streamed=True)
    made.note_of("responses")["client"] = client
    stream = NativeStream(made)
    created = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}
    assert b"".join(stream(event(created))) == event(created)
    given = stream.keep_alive()
    assert given == [event({"type": "keepalive", "sequence_number": 0}) if client else b": keep-alive\n\n"]


def test_what_a_native_stream_used_is_counted_with_its_cache() -> None:
    made, begins = exchange(), {"input_tokens": 7, "cache_read_input_tokens": 90, "output_tokens": 1}
    sent(event({**START, "message": {"usage": begins}}), event(DELTA), event(END), event(STOP), of=made)
    assert made.usage == {"input": 97, "cached": 90, "output": 5}
    assert made.tokens == 102


def test_cached_tokens_that_a_native_stream_does_not_tell_are_unknown() -> None:
    made = exchange()
    sent(WHOLE, of=made)
    assert made.usage == {"input": 7, "output": 5}


def read(got: bytes) -> list[tuple[str | None, str]]:
    """Names and data of events, as a client's library reads them."""
    return [(one.event, one.data) for one in SSEDecoder().iter_bytes(iter([got]))]


KEPT_ALIVE = (b": keep-alive\n\n", b'event: ping\ndata: {"type":"ping"}\n\n')
RESPONSES: list[dict[str, Any]] = [
    {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "model": "hy3"}},
    {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "m", "delta": "图 \n: keep-alive\n\n"},
    {"type": "response.completed", "sequence_number": 2, "response": {"id": "resp_1", "status": "completed"}},
]


@given(
    st.sampled_from(["anthropic", "responses"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 3000), max_size=12),
    st.booleans(),
)
def test_what_keeps_a_client_falls_between_events_wherever_bytes_are_cut(
    spoken: str, end: str, places: list[int], large: bool
) -> None:
    told: list[dict[str, Any]] = [START, DELTA, END, STOP] if spoken == "anthropic" else RESPONSES
    whole = b"".join(event(data, end) for data in told)
    pieces = split(whole, places)
    if large:  # an event that is too large to be read passes piece by piece
        begun = f"event: x{end}data: ".encode() + b"y" * sse.MAX_EVENT
        pieces = [begun, b"y" * 10, f"{end}{end}".encode(), *pieces]
    made = Exchange(profile="tokenhub", dialect=f"{spoken}-native", spoken=spoken, streamed=True)
    kept, plainly = NativeStream(made), NativeStream(made)
    got, alone = b"", b""
    for piece in (*pieces, b""):
        told_now = b"".join(kept.keep_alive())
        assert told_now in (b"", *KEPT_ALIVE)
        got += told_now
        got += b"".join(kept(piece))
        alone += b"".join(plainly(piece))
    assert kept.keep_alive() == []
    assert [one for one in read(got) if one[0] != "ping"] == read(alone)
    for one in KEPT_ALIVE:
        got = got.replace(one, b"")
    assert got == alone


@pytest.mark.parametrize("client_asked", [True, False])
def test_a_client_that_asked_for_no_stream_gets_no_comment_before_it_is_sure_that_it_is_one(client_asked: bool) -> None:
    made = exchange()
    made.streamed = client_asked
    stream = NativeStream(made)
    assert bool(stream.keep_alive()) == client_asked
    body = json_body.serialise({"type": "message", "content": []})
    got = b""
    for piece in (body[:5], body[5:10], body[10:]):
        got += b"".join(stream(piece))
        assert client_asked or stream.keep_alive() == []
    got += b"".join(stream(b""))
    assert stream.keep_alive() == []
    assert client_asked or got == body
