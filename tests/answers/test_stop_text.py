from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.stop_text import StopText, cut

TEXT = st.text("ab#", max_size=12)
STOPS = st.lists(st.text("ab#", max_size=4), max_size=3)


def fed(pieces: list[str], stops: list[str], reason: str | None) -> tuple[str, StopText]:
    stop_text = StopText(stops)
    return "".join([*map(stop_text.feed, pieces), stop_text.end(reason)]), stop_text


@pytest.mark.parametrize(
    ("text", "stops", "left"),
    [
        ("我是一个AI助手", ["助手"], "我是一个AI"),
        ("xcab", ["ab", "cab"], "x"),
        ("ab ", ["ab"], "ab "),
        ("abab", ["ab"], "ab"),
        ("ab", [""], "ab"),
        ("ab", [], "ab"),
    ],
)
def test_the_longest_stop_text_at_the_end_is_cut(text: str, stops: list[str], left: str) -> None:
    assert cut(text, stops) == left


@given(st.lists(TEXT), STOPS)
def test_pieces_are_cut_like_the_whole(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    text, stop_text = fed(pieces, stops, "stop")
    assert text == cut(whole, stops)
    assert stop_text.changed == (text != whole)


@given(st.lists(TEXT), STOPS, st.sampled_from(["length", "tool_calls", None]))
def test_nothing_is_cut_unless_the_model_stopped(pieces: list[str], stops: list[str], reason: str | None) -> None:
    text, stop_text = fed(pieces, stops, reason)
    assert text == "".join(pieces)
    assert not stop_text.changed


@given(st.lists(TEXT), STOPS)
def test_no_more_is_held_than_a_stop_text_may_need(pieces: list[str], stops: list[str]) -> None:
    stop_text, given_out = StopText(stops), ""
    for piece in pieces:
        given_out += stop_text.feed(piece)
        assert stop_text.held == "" or any(stop.startswith(stop_text.held) for stop in stops)
    assert given_out + stop_text.held == "".join(pieces)


def test_text_after_the_end_passes() -> None:
    stop_text = StopText(["ab"])
    stop_text.end("stop")
    assert stop_text.feed("ab") == "ab"
