"""The reader that judges streams refuses each deviation that a client stumbles over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.anthropic.answering import CLAUDE_CODE, USED, chunk, frame, written
from tests.dialects.anthropic.event_order import OutOfOrder, events, message_in, read

GOOD = written(
    [
        chunk(reasoning_content="Hm."),
        chunk(content="I look."),
        frame(0, '{"a"', id="call_1", name="ls"),
        frame(0, ": 1}"),
        chunk("tool_calls"),
        USED,
    ]
)
EVENTS = events(GOOD)


def joined(listed: list[tuple[str, dict[str, Any]]]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(data).encode()) for name, data in listed)


def test_a_good_stream_is_read() -> None:
    assert [block["type"] for block in message_in(GOOD)["content"]] == ["thinking", "text", "tool_use"]
    assert message_in(joined(EVENTS)) == message_in(GOOD)


@pytest.mark.parametrize("place", range(len(EVENTS)))
def test_no_event_but_a_piece_of_content_may_be_missing(place: int) -> None:
    name, data = EVENTS[place]
    bad = joined(EVENTS[:place] + EVENTS[place + 1 :])
    if name == "content_block_delta" and data["delta"]["type"] == "thinking_delta":
        message_in(bad)
    else:
        with pytest.raises((OutOfOrder, ValueError)):
            message_in(bad)


@pytest.mark.parametrize("place", range(len(EVENTS)))
def test_no_event_but_a_piece_of_content_may_come_twice(place: int) -> None:
    name, data = EVENTS[place]
    bad = joined([*EVENTS[: place + 1], *EVENTS[place:]])
    if name == "content_block_delta" and data["delta"]["type"] in ("thinking_delta", "text_delta"):
        message_in(bad)
    else:
        with pytest.raises((OutOfOrder, ValueError)):
            message_in(bad)


@pytest.mark.parametrize("place", range(len(EVENTS) - 1))
def test_no_two_events_may_change_places(place: int) -> None:
    swapped = list(EVENTS)
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    with pytest.raises((OutOfOrder, ValueError)):
        message_in(joined(swapped))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"event: message_start\n", b""),
        (b'"type":"message_stop"', b'"kind":"message_stop"'),
        (b'"index":1', b'"index":2'),
        (b'"id":"msg_1"', b'"id":""'),
        (b'"content":[],', b""),
        (b'"signature_delta"', b'"signed_delta"'),
        (b'"tool_use","id":"call_1"', b'"tool_use","id":""'),
        (b'"stop_reason":"tool_use"', b'"stop_reason":"tool_calls"'),
        (b'"stop_sequence":null},"usage"', b'"stop_sequence":"x"},"usage"'),
        (b'"output_tokens":7', b'"output_tokens":-7'),
        (b'"output_tokens":7', b'"completion_tokens":7'),
        (b'{\\"a\\": 1}', b'[\\"a\\"]'),
        (b'"text":"I look."', b'"text":" "'),
        (b'"text":"I look."', b'"text":"\\ud83d"'),
        (b'"text":"I look."', b'"text":""'),
        (b'"content_block":{"type":"text","text":""}', b'"content_block":{"type":"text","text":"I"}'),
        (b"event: message_stop", b"data: [DONE]\n\nevent: message_stop"),
    ],
)
def test_a_detail_may_not_be_wrong(old: bytes, new: bytes) -> None:
    assert old in GOOD
    with pytest.raises((OutOfOrder, ValueError)):
        message_in(GOOD.replace(old, new))


def test_nothing_may_follow_the_end_or_an_error() -> None:
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    error = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n'
    assert read(error).error is not None
    for bad in (GOOD + ping, GOOD + error, error + ping, ping + GOOD, error + GOOD):
        with pytest.raises(OutOfOrder):
            read(bad)


def test_thinking_has_its_signature() -> None:
    thought = events(written([chunk(reasoning_content="Hm.")], **CLAUDE_CODE))
    assert read(joined(thought)).complete
    with pytest.raises(OutOfOrder):
        read(joined([pair for pair in thought if pair[0] != "content_block_delta"]))
