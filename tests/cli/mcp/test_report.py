"""What a tool answers is bounded, and says what it has no room for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.cli.mcp.report import MOST_DATA, MOST_TEXT, Report
from tests.strategies import json_values


def test_what_fits_is_whole() -> None:
    report = Report(["a", "b"], {"x": [1, 2]}, more="Ask for less.")
    assert report.text() == "a\nb"
    assert report.bounded_data() == {"x": [1, 2]}


def test_what_has_no_room_is_counted_with_the_way_to_it() -> None:
    report = Report([f"{number:0100d}" for number in range(100)], more="Ask for less.")
    text = report.text()
    assert len(text) <= MOST_TEXT
    kept = text.splitlines()
    assert kept[0] == report.lines[0]
    assert kept[-1] == f"({100 - len(kept) + 1} more lines left out. Ask for less.)"


def test_a_first_line_without_end_is_cut() -> None:
    text = Report(["x" * 100_000, "second"]).text()
    assert text.startswith("xxx") and len(text) <= MOST_TEXT
    assert text.endswith("(1 more lines.)")


def test_sentences_stand_in_the_data_too_and_what_is_only_shown_does_not() -> None:
    report = Report(data={"x": 1})
    report.say("A sentence.", "", "Another.")
    report.show("a row")
    assert report.text() == "A sentence.\nAnother.\na row"
    assert report.bounded_data() == {"summary": "A sentence. Another.", "x": 1}
    report.say("y" * 100_000)
    assert len(report.bounded_data()["summary"]) <= 2000


def test_lists_are_cut_before_anything_goes() -> None:
    data = Report(data={"small": 1, "rows": [{"text": "y" * 100} for _ in range(1000)]}).bounded_data()
    assert data["small"] == 1
    assert 10 < len(data["rows"]) < 1000
    assert data["left_out"] == ["rows"]


def test_the_data_themselves_stay_as_they_are() -> None:
    rows = ["y" * 100] * 1000
    report = Report(data={"rows": rows})
    report.bounded_data()
    assert report.data["rows"] is rows and len(rows) == 1000


@given(st.dictionaries(st.text(max_size=20), json_values, max_size=5), st.integers(1, 3000))
def test_data_are_always_within_bounds(data: dict[str, object], times: int) -> None:
    bounded = Report(data={**data, "many": [data] * times}).bounded_data()
    assert len(json.dumps(bounded, ensure_ascii=False)) <= MOST_DATA


@pytest.mark.parametrize("size", [10, 1000, 100_000])
@given(st.lists(st.text(max_size=50), max_size=30))
def test_a_text_is_always_within_bounds(size: int, lines: list[str]) -> None:
    assert len(Report([line * (size // 10) for line in lines], more="more").text()) <= MOST_TEXT
