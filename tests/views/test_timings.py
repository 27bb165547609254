"""When what happened, as bars."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow

from hunyuan_fix.columns import width
from hunyuan_fix.exchange import DESCRIBED, QUEUED, Exchange
from hunyuan_fix.texts import terminal
from hunyuan_fix.views import timings
from hunyuan_fix.views.timings import ANSWER, CAME, FIRST_BYTE, REPAIRED
from hunyuan_fix.vision.record import waited_ms

START = 1_700_000_000.0


def flow(came: float | None = 0.1, first: float | None = None, last: float | None = None, **more: Any) -> http.HTTPFlow:
    """A flow whose request began to come in at `START`; moments in seconds after that."""
    made = tflow.tflow(resp=first is not None, **more)
    made.request.timestamp_start = START
    made.request.timestamp_end = None if came is None else START + came
    if made.response is not None and first is not None:
        made.response.timestamp_start = START + first
        made.response.timestamp_end = None if last is None else START + last
    return made


def kinds(flow: http.HTTPFlow, exchange: Exchange, now: float = 100.0) -> list[tuple[str, int, bool]]:
    found = timings.parts(flow, exchange, START + now)
    return [(part.kind, round(part.ms), part.under_way) for part in found]


def test_all_that_may_happen_one_after_the_other() -> None:
    exchange = Exchange(milliseconds=2150.0, queued=4800.0, tries=2, rules=["mended"])
    exchange.notes["vision"] = {"ms": 2140.0}
    ended = flow(0.012, first=7.262, last=7.412)
    assert kinds(ended, exchange) == [
        (CAME, 12, False),
        (DESCRIBED, 2140, False),
        (REPAIRED, 10, False),
        (QUEUED, 4800, False),
        (FIRST_BYTE, 300, False),
        (ANSWER, 150, False),
    ]
    assert timings.lines(ended, exchange, START + 9) == [
        "─── timings: 7,412 ms, 2 tries, mended and sent once more ───",
        "came           12 ms  ▏",
        "described   2,140 ms  ███████████▌",
        "repaired       10 ms              ▏",
        "queued      4,800 ms              █████████████████████████▉",
        "first byte    300 ms                                        █▋",
        "answer        150 ms                                         ▊",
    ]


def test_the_bars_stand_in_their_places() -> None:
    lines = timings.lines(flow(1.0, first=3.0, last=4.0), Exchange(), START + 9)
    bars = [line.partition(" ms  ")[2] for line in lines[1:]]
    assert bars == ["█" * 10, " " * 10 + "█" * 20, " " * 30 + "█" * 10]


def test_what_took_less_than_a_millisecond_is_left_out() -> None:
    assert [kind for kind, _, _ in kinds(flow(0.0, 0.1, 0.2), Exchange(milliseconds=0.4, queued=0.2))] == [
        CAME,
        FIRST_BYTE,
        ANSWER,
    ]


@pytest.mark.parametrize("kind", [DESCRIBED, QUEUED])
def test_what_a_request_waits_for_is_the_last_bar(kind: str) -> None:
    exchange = Exchange(doing=kind, since=START + 2)
    waiting = flow(0.5)
    waiting.live = True
    assert kinds(waiting, exchange, now=5.0) == [(CAME, 500, False), (kind, 3000, True)]
    lines = timings.lines(waiting, exchange, START + 5)
    assert lines[0] == "─── timings: 5,000 ms, under way ───"
    assert lines[-1].endswith("█…")


def test_a_request_that_was_sent_waits_for_its_first_byte_and_a_stream_for_its_end() -> None:
    sent = flow(0.5)
    sent.live = True
    assert kinds(sent, Exchange(), now=2.0)[-1] == (FIRST_BYTE, 1500, True)
    streaming = flow(0.5, first=2.0)
    streaming.live = True
    assert kinds(streaming, Exchange(), now=6.0)[-1] == (ANSWER, 4000, True)


def test_an_answer_of_the_proxys_own_has_no_first_byte() -> None:
    exchange = Exchange(answered=True)
    assert [kind for kind, _, _ in kinds(flow(0.5, 0.6, 0.6), exchange)] == [CAME]
    assert "answered by the proxy" in timings.lines(flow(0.5, 0.6, 0.6), exchange, START + 1)[0]


def test_a_call_that_failed_ends_with_its_error() -> None:
    failed = flow(0.5, err=True)
    assert failed.error
    failed.error.timestamp = START + 3
    assert kinds(failed, Exchange()) == [(CAME, 500, False), (FIRST_BYTE, 2500, False)]


moments = st.floats(0, 1e6)


@given(*[moments] * 6)
def test_every_line_is_narrow_and_no_bar_begins_before_the_one_above(
    came: float, described: float, repaired: float, queued: float, first: float, last: float
) -> None:
    came, first, last = sorted([came, first, last])
    exchange = Exchange(milliseconds=described + repaired, queued=queued)
    exchange.notes["vision"] = {"ms": described}
    lines = timings.lines(flow(came, first, last), exchange, START + last)[1:]
    assert all(width(line) <= 70 for line in lines)
    assert all(line.rstrip()[-1] in "▏▎▍▌▋▊▉█" for line in lines)
    places = {line.index(" ms  ") for line in lines}
    assert len(places) == 1
    begins = [len(bar) - len(bar.lstrip()) for line in lines for bar in [line.partition(" ms  ")[2]]]
    if came + described + repaired + queued <= first:
        assert begins == sorted(begins)


@pytest.mark.parametrize("note", [None, [], {"ms": "1"}, {"ms": -5}, {"ms": float("nan")}, {"ms": 1e300}, {}])
def test_a_note_from_a_file_may_say_anything(note: Any) -> None:
    exchange = Exchange()
    exchange.notes["vision"] = note
    assert waited_ms(exchange) == 0.0


def test_they_are_said_in_chinese() -> None:
    terminal.use("zh")
    try:
        lines = timings.lines(flow(1.0, 3.0, 4.0), Exchange(), START + 9)
    finally:
        terminal.use("en")
    assert lines[0] == "─── 耗时：4,000 ms ───"
    assert [line.split()[0] for line in lines[1:]] == ["收到请求", "首字节", "响应"]
    assert len({width(line.partition(" ms  ")[0]) for line in lines[1:]}) == 1


def test_chinese_names_are_filled_up_with_spaces_of_their_own_width() -> None:
    """Whatever font draws them: the characters before the bar are as many of each width in each line."""
    exchange = Exchange(milliseconds=2150.0, queued=4800.0, tries=2, rules=["mended"])
    exchange.notes["vision"] = {"ms": 2140.0}
    terminal.use("zh")
    try:
        _, *bars = timings.lines(flow(0.012, first=7.262, last=7.412), exchange, START + 9)
    finally:
        terminal.use("en")
    before = [re.split(r"\d", line, maxsplit=1)[0].rstrip(" ") for line in bars]
    assert len(before) > 2
    assert {len(name) for name in before} == {max(map(len, before))}
    assert all(width(character) == 2 for name in before for character in name)
