"""Texts without what differs from time to time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire.volatile import emptied, without


def test_spans_go() -> None:
    assert without("a <b>c</b> d <b>e</b>", [("<b>", "</b>")]) == "a  d "
    assert without("Time: 1\nx\nTime: 2", [("Time:", "\n")]) == "x\n"
    assert without("x", [("Time:", "\n")]) == "x"


@given(st.text("<b/>x"), st.lists(st.tuples(st.text("<b>", min_size=1), st.text("</b>", min_size=1))))
def test_what_is_left_was_there(text: str, spans: list[tuple[str, str]]) -> None:
    left = iter(text)
    assert all(character in left for character in without(text, spans)), "in the same order"


def test_it_is_linear() -> None:
    """100,000 spans in a megabyte: in quadratic time a minute."""
    assert without("Time: 1234\n" * 100_000, [("Time:", "\n")]) == ""
    assert without("<b>" * 300_000, [("<b>", "</b>")]) == ""


def test_what_stands_between_goes_where_it_is_short() -> None:
    assert emptied("a <b>c</b> d <b>e</b>", "<b>", "</b>", 5) == "a <b></b> d <b></b>"
    assert emptied("<b>123456</b> <b>1</b>", "<b>", "</b>", 5) == "<b>123456</b> <b></b>"
    assert emptied("<b>12345", "<b>", "</b>", 5) == "<b>12345"
    assert emptied("a: 123456", "a: ", "", 4) == "a: 56"
    assert emptied("a: 12", "a: ", "", 4) == "a: "


def test_that_is_linear_too() -> None:
    assert emptied("<b>" * 300_000, "<b>", "</b>", 300) == "<b>" * 300_000
    assert emptied("a:1" * 300_000, "a:", "1", 300) == "a:1" * 300_000
