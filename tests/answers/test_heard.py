"""Listeners to a stream: told every event from the first that they need, and never in its way."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hunyuan_fix.answers.heard import Listener, Listeners


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_each_event_is_told_however_it_is_cut(size: int) -> None:
    told: list[Any] = []
    heard = Listeners([Listener(told.append)])
    stream = (
        b": comment\n\n" + event(a=1) + b"event: x\r\ndata: {\r\ndata: }\r\n\r\n" + event(b=2) + b"data: no json\n\n"
    )
    for start in range(0, len(stream), size):
        heard.feed(stream[start : start + size])
    heard.finish()
    assert told == [{"a": 1}, {}, {"b": 2}]


def test_the_last_event_needs_no_blank_line() -> None:
    told: list[Any] = []
    heard = Listeners([Listener(told.append)])
    heard.feed(b'data: {"a": 1}')
    assert told == []
    heard.finish()
    assert told == [{"a": 1}]


def test_a_listener_is_told_nothing_before_what_it_waits_for() -> None:
    early: list[Any] = []
    late: list[Any] = []
    heard = Listeners([Listener(late.append, re.compile(b"thought")), Listener(early.append)])
    for data in (event(a=1), event(thought=2), event(a=3)):
        heard.feed(data)
    assert early == [{"a": 1}, {"thought": 2}, {"a": 3}]
    assert late == [{"thought": 2}, {"a": 3}]


def test_nothing_is_read_while_all_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Listeners([Listener(lambda _: None, re.compile(b"thought"))])
    monkeypatch.setattr("hunyuan_fix.wire.json_body.parse_object", lambda _: pytest.fail("read"))
    heard.feed(event(a=1))


@pytest.mark.parametrize(
    ("data", "over"),
    [
        (event(choices=[{"finish_reason": None}, {"finish_reason": "stop"}]), True),
        (b"data: [DONE]\n\n", True),
        (event(choices=[{"finish_reason": None}, 7]), False),
        (event(choices={"finish_reason": "stop"}), False),
    ],
)
def test_the_end(data: bytes, over: bool) -> None:
    heard = Listeners([Listener(lambda _: None)])
    heard.feed(data)
    assert heard.is_over == over


def test_an_exception_ends_the_telling() -> None:
    told: list[Any] = []

    def fails(given: Any) -> None:
        told.append(given)
        raise ValueError

    heard = Listeners([Listener(fails)])
    heard.feed(event(a=1))
    heard.feed(event(a=2))
    heard.finish()
    assert isinstance(heard.failure, ValueError) and told == [{"a": 1}]
