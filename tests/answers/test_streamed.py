from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import options
from hunyuan_fix.answers import streamed as module
from hunyuan_fix.answers import translated
from hunyuan_fix.answers.streamed import KeptStream, RepairedStream
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.exchange import AnswerPlan, Exchange, tokens_used
from hunyuan_fix.pipeline import Pipeline
from hunyuan_fix.runtime import Runtime
from hunyuan_fix.wire.content_coding import CodingError, TooLarge
from tests.answers.streamed import text

LIMIT = 1 << 20
EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
STREAM = (EVENT % ("你好", "null") + EVENT % ("", '"stop"') + "data: [DONE]\n\n").encode()
FENCED = (EVENT % ("```json\\n{}\\n```", "null") + EVENT % ("", '"stop"') + "data: [DONE]\n\n").encode()
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


STEPS = Pipeline(options.parse({}), Runtime(options.parse({})))


def exchange(dialect: str = "chat", **plan: Any) -> Exchange:
    return Exchange(profile="hunyuan", dialect=dialect, base_url="https://h", plan=AnswerPlan(**plan))


def streamed(stream: RepairedStream, *pieces: bytes) -> bytes:
    """What comes out, as mitmproxy calls it; held to what a stream callable may return."""
    out = []
    for piece in (*pieces, b""):
        chunks = stream(piece)
        assert isinstance(chunks, list)
        assert b"" not in chunks
        out += chunks
    return b"".join(out)


@given(
    text=st.lists(
        st.sampled_from([b"sk-lent-key", b"sk-other-key", b"sk-lent-", b"s", b"key", b"\n", b"xx"]), max_size=12
    ),
    data=st.data(),
)
def test_the_proxys_keys_are_hidden_wherever_a_stream_is_split(text: list[bytes], data: st.DataObject):
    whole = b"".join(text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    given = exchange()
    for key in ("sk-lent-key", "sk-other-key", "short"):
        given.use_key(key)
    assert given.secrets == [b"sk-lent-key", b"sk-other-key"], "a short one tells nothing"
    stream = KeptStream(LIMIT, given, tells=False)
    sent = b"".join(chunk for piece in (*filter(None, pieces), b"") for chunk in stream(piece))
    assert sent == given.masked(whole) and len(sent) == len(whole)
    assert not any(secret in sent for secret in given.secrets)
    assert stream.kept == sent and stream.passed == len(sent)


def test_an_event_with_the_proxys_key_is_hidden_and_none_is_held_back():
    given = exchange()
    given.use_key("sk-lent-key")
    stream = RepairedStream(given, STEPS)
    first = (EVENT % ("say sk-lent-key", "null")).encode()
    assert b"".join(stream(first)) == first.replace(b"sk-lent-key", b"*" * 11), "at once"


@pytest.mark.parametrize("encoding", PACKERS)
@given(data=st.data())
def test_a_good_stream_keeps_its_bytes_wherever_it_is_split(encoding: str, data: st.DataObject):
    packed = PACKERS[encoding](STREAM)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(packed)), max_size=6)))
    pieces = [packed[start:end] for start, end in zip([0, *cuts], [*cuts, len(packed)], strict=True)]
    assert streamed(RepairedStream(exchange(), STEPS, encoding), *filter(None, pieces)) == STREAM


def test_a_stream_is_repaired_and_its_rules_are_noted():
    begun = exchange(json_fence=True)
    assert b"```" not in streamed(RepairedStream(begun, STEPS), FENCED)
    assert begun.rules == ["answer-json-fence"]


def test_rules_are_noted_while_the_stream_runs():
    """Some clients close at [DONE], so that the end is never seen."""
    begun = exchange(json_fence=True)
    stream = RepairedStream(begun, STEPS)
    stream(FENCED)
    assert begun.rules
    assert streamed(stream) == b""
    assert [change.rule for change in begun.changes] == begun.rules


@pytest.mark.parametrize("method", ["feed", "finish"])
def test_a_failure_lets_everything_pass(method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    def fails(*_: object) -> list[bytes]:
        raise RuntimeError("secret words")

    monkeypatch.setattr(ChatStream, method, fails)
    assert streamed(RepairedStream(exchange(), STEPS), STREAM[:50], STREAM[50:]) == STREAM
    assert caplog.text.count("could not be repaired") == 1
    assert "secret" not in caplog.text


def test_a_stream_whose_compression_is_damaged_ends_with_an_error_that_a_client_can_read():
    packed = gzip.compress(STREAM * 50)
    damaged = packed[:60] + b"\xff" * 60
    out = streamed(RepairedStream(exchange(), STEPS, "gzip"), damaged, b"more")
    assert b'"error"' in out


def test_a_stream_that_unpacks_without_end_ends_with_an_error(monkeypatch: pytest.MonkeyPatch):
    def unpacks(data: bytes) -> bytes:
        if data == b"bomb":
            raise TooLarge
        return data

    monkeypatch.setattr(module, "unpacker", lambda _: unpacks)
    stream = RepairedStream(exchange(), STEPS, "gzip")
    assert stream(STREAM[:60]) == []
    assert b"".join(stream(b"bomb")).count(b'"error"') == 1
    assert streamed(stream, b"more", b"bomb") == b""


@given(st.data())
def test_a_whole_answer_in_a_streams_place_becomes_one_wherever_it_is_split(data: st.DataObject):
    begun = exchange(json_fence=True)
    begun.streamed = True
    body = b" \n" + chat("```json\n{}\n```")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    out = streamed(RepairedStream(begun, STEPS), *filter(None, pieces))
    assert text(out) == "{}"
    assert out.endswith(b"data: [DONE]\n\n")
    assert begun.rules == ["answer-json-fence", "answer-stream"]


def test_a_body_in_a_streams_place_has_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_WHOLE", 100)
    begun = exchange()
    begun.streamed = True
    stream = RepairedStream(begun, STEPS)
    out = streamed(stream, b"{" * 60, b" " * 60, b"{" * 60)
    assert out.count(b'"error"') == 1
    assert b"too large" in out
    assert not stream._whole


def test_blanks_and_a_byte_order_mark_begin_a_stream_too():
    for before in (b"\xef\xbb\xbf", b"\n", b"\r\n \n"[:2], b"\n" * 2000):
        for size in (1, 5000):
            data = before + STREAM
            pieces = [data[start : start + size] for start in range(0, len(data), size)]
            assert streamed(RepairedStream(exchange(), STEPS), *pieces) == data


def test_nothing_comes_after_the_end():
    stream = RepairedStream(exchange(), STEPS)
    assert streamed(stream, STREAM) == STREAM
    assert stream(b"late") == []


@given(st.integers(1, len(STREAM)))
def test_a_stream_that_breaks_anywhere_ends_in_order(cut: int):
    stream = RepairedStream(exchange(), STEPS)
    out = b"".join(stream(STREAM[:cut]))
    last = stream.broken()
    assert last is not None
    assert b"" not in last
    out += b"".join(last)
    events = [event.removeprefix(b"data: ") for event in out.split(b"\n\n")]
    assert events.pop() == b""
    finished = any(b'"stop"' in event for event in events)
    assert (events[-1] == b"[DONE]") == finished
    assert (b"stream_broken" in events[-1]) != finished
    assert out.count(b'"error"') == (not finished)


@pytest.mark.parametrize("encoding", [encoding for encoding in PACKERS if encoding])
def test_of_a_packed_stream_that_breaks_the_client_gets_what_came(encoding: str, caplog: pytest.LogCaptureFixture):
    packed = PACKERS[encoding](STREAM)
    stream = RepairedStream(exchange(), STEPS, encoding)
    out = b"".join(stream(packed[:-6]) + (stream.broken() or []))
    assert b"stream_broken" in out or out == STREAM
    assert "can't be unpacked" not in caplog.text


@pytest.mark.parametrize("streamed", [True, False])
def test_a_whole_body_that_breaks_in_a_streams_place(streamed: bool):
    begun = exchange()
    begun.streamed = streamed
    stream = RepairedStream(begun, STEPS)
    stream(b'{"choices": [')
    last = stream.broken()
    assert (last is None) != streamed
    assert last is None or b"".join(last).count(b'"error"') == 1


def test_an_unknown_coding():
    with pytest.raises(CodingError):
        RepairedStream(exchange(), STEPS, "compress")


def chat(content: str, reason: str = "stop") -> bytes:
    message = {"role": "assistant", "content": content}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": reason}]}).encode()


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=6), st.integers(0, 20))
def test_the_first_bytes_of_a_stream_are_kept(pieces: list[bytes], limit: int):
    stream = KeptStream(limit)
    assert [stream(piece) for piece in (*pieces, b"")] == [*([piece] for piece in pieces), []]
    data = b"".join(pieces)
    assert stream.kept == (data[:limit] if limit else None)
    assert stream.cut == (len(data) > limit)


def test_what_the_client_gets_is_kept_and_not_what_the_endpoint_sent():
    stream = RepairedStream(exchange(json_fence=True), STEPS, keep=LIMIT)
    assert streamed(stream, FENCED) == stream.kept
    assert b"```" not in (stream.kept or b"")


def test_a_whole_body_passes_where_its_repair_fails(monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(translated, "answer_in", fails)
    begun = exchange()
    begun.streamed = True
    body = chat("x")
    assert streamed(RepairedStream(begun, STEPS), body[:9], body[9:]) == body


def test_a_body_of_blanks_is_sent_before_the_error_that_tells_its_missing_end():
    out = streamed(RepairedStream(exchange(), STEPS), b"\n", b"\n")
    assert out.startswith(b"\n\ndata: ")
    assert b'"error"' in out


def test_a_whole_body_passes_where_no_stream_was_asked_for():
    body = chat("```json\n{}\n```")
    assert streamed(RepairedStream(exchange(json_fence=True), STEPS), body[:9], body[9:]) == body


def test_the_tokens_of_a_stream_are_noted():
    begun = exchange()
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}\n\n'
    assert (
        streamed(RepairedStream(begun, STEPS), STREAM[:-14], usage, STREAM[-14:]) == STREAM[:-14] + usage + STREAM[-14:]
    )
    assert begun.tokens == tokens_used({"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5})
    assert begun.tokens
