from __future__ import annotations

import gzip
import json
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.relay import commitment
from hunyuan_fix.relay.reading import Reading
from hunyuan_fix.wire import flaws, json_body, sse
from hunyuan_fix.wire.flaws import Flaw

LIMIT = 1 << 20
HOUSE = Reading()
ANSWER = json.dumps({"choices": [{"message": {"role": "assistant", "content": "你好"}}]}).encode()
ERROR = json.dumps({"error": {"code": "2003", "message": "请求限频，请稍后重试"}}).encode()
CODINGS = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def opens(event: sse.Event) -> bool | Flaw:
    value = json_body.parse_object(event.data) if event.data else None
    return commitment.opens(event, None if value is None else HOUSE.chunks(value), HOUSE)


@pytest.mark.parametrize("encoding", CODINGS)
def test_whole_answer_is_good(encoding: str) -> None:
    assert commitment.flaw(CODINGS[encoding](ANSWER), encoding, LIMIT, HOUSE) is None


@pytest.mark.parametrize("encoding", CODINGS)
@given(st.integers(0, len(ANSWER)))
def test_no_cut_answer_is_good(encoding: str, cut: int) -> None:
    packed = CODINGS[encoding](ANSWER)
    assert commitment.flaw(packed[: min(cut, len(packed) - 1)], encoding, LIMIT, HOUSE) is not None


@pytest.mark.parametrize("encoding", CODINGS)
def test_error_in_a_success_is_found_under_any_coding(encoding: str) -> None:
    flaw = commitment.flaw(CODINGS[encoding](ERROR), encoding, LIMIT, HOUSE)
    assert flaw is not None
    assert flaw.error == ERROR


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[]", b"null", b'"text"', b"{", b"{} {}"])
def test_what_is_no_object_is_no_answer(body: bytes) -> None:
    assert commitment.flaw(body, "", LIMIT, HOUSE) == flaws.NO_JSON


def test_empty_error_is_none() -> None:
    assert commitment.flaw(b'{"error": null, "data": []}', "", LIMIT, HOUSE) is None


def test_what_cannot_be_looked_at_passes() -> None:
    assert commitment.flaw(b"anything", "compress", LIMIT, HOUSE) is None
    assert commitment.flaw(b"anything", "gzip, compress", LIMIT, HOUSE) is None
    assert commitment.flaw(gzip.compress(b"{}" + b" " * 100), "gzip", 10, HOUSE) is None


@given(st.binary(max_size=200), st.sampled_from([*CODINGS, "compress"]))
def test_flaw_never_raises(body: bytes, encoding: str) -> None:
    commitment.flaw(body, encoding, LIMIT, HOUSE)


@pytest.mark.parametrize(
    "raw", [b": keep-alive\n", b"\n", b"event: ping\n\n", b"data:\n\n", b"data: \n\n", b"id: 1\nretry: 100\n\n"]
)
def test_comments_and_empty_events_open_nothing(raw: bytes) -> None:
    assert opens(sse.Event(raw)) is False


@pytest.mark.parametrize(
    "raw", [b'data: {"choices":[]}\n\n', b"data: {}\r\n\r\n", b"data: [DONE]\n\n", b"data:[DONE] \n\n"]
)
def test_first_event_opens(raw: bytes) -> None:
    assert opens(sse.Event(raw)) is True


def test_part_of_an_oversized_event_opens() -> None:
    assert opens(sse.Event(b"data: {", opaque=True)) is True


@pytest.mark.parametrize("data", [b"<html>", b"null", b"[1]", b"{", b"1"])
def test_unreadable_event_is_a_flaw(data: bytes) -> None:
    assert opens(sse.Event(b"data: " + data + b"\n\n")) == flaws.UNREADABLE_EVENT


def test_error_event_is_a_flaw() -> None:
    flaw = opens(sse.Event(b"event: error\ndata: " + ERROR + b"\n\n"))
    assert isinstance(flaw, Flaw)
    assert flaw.error == ERROR


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"choices":[{"delta":{"role":"assistant","content":""}}]}', False),
        (b'{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[]}}]}', False),
        (b'{"choices":[{"delta":{}}]}', False),
        (b'{"choices":[{}]}', False),
        (b'{"choices":[null]}', False),
        (b'{"choices":"x"}', False),
        (b'{"choices":[],"usage":{"total_tokens":1}}', False),
        (b'{"choices":[{"delta":{"content":"a"}}]}', True),
        (b'{"choices":[{"delta":{"role":"assistant"}},{"delta":{"reasoning_content":"a"}}]}', True),
        (b'{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}', True),
        (b'{"choices":[{"delta":{},"finish_reason":"stop"}]}', True),
        (b"[DONE]", True),
    ],
)
def test_what_says_something(data: bytes, says: bool):
    (event,) = sse.Parser(1 << 20).feed(b"data: " + data + b"\n\n")
    value = json_body.parse_object(data)
    assert commitment.says_something(event, value, None if value is None else [value], HOUSE) is says


@pytest.mark.parametrize(
    ("dialect", "kind", "says"),
    [
        ("anthropic-native", "message_start", False),
        ("anthropic-native", "ping", False),
        ("anthropic-native", "content_block_start", False),
        ("anthropic-native", "content_block_delta", True),
        ("anthropic-native", "message_delta", True),
        ("responses-native", "response.created", False),
        ("responses-native", "response.in_progress", False),
        ("responses-native", "response.output_item.added", False),
        ("responses-native", "response.output_text.delta", True),
        ("responses-native", "response.function_call_arguments.delta", True),
        ("responses-native", "response.completed", True),
    ],
)
def test_what_says_something_in_a_format_of_its_own(dialect: str, kind: str, says: bool):
    value = {"type": kind, "response": {"id": "r"}, "delta": "a"}
    (event,) = sse.Parser(1 << 20).feed(b"data: " + json.dumps(value).encode() + b"\n\n")
    reading = Reading(dialect)
    assert commitment.says_something(event, value, reading.chunks(value), reading) is says
