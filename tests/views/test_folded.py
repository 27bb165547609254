"""Changes as a person reads them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.columns import width
from hunyuan_fix.exchange import Change
from hunyuan_fix.texts import terminal
from hunyuan_fix.views import folded
from hunyuan_fix.views.places import Place

STRICT = [Change("tools", f"/tools/{number}/function/strict", "strict: removed") for number in range(12)]


def listed(*changes: Change) -> list[str]:
    return folded.listing(changes).splitlines()


def test_alike_changes_are_one_line_and_the_others_keep_their_order() -> None:
    shapes = [Change("tools", f"/tools/{number}", "brought into shape") for number in range(12)]
    alternating = [change for pair in zip(shapes, STRICT, strict=True) for change in pair]
    lines = listed(Change("roles", "/messages/0/role", "a"), *alternating, Change("parameters", "/user", "b"))
    assert [line.split() for line in lines] == [
        ["26", "changes"],
        ["roles", "/messages/0/role", "a"],
        ["tools", "/tools/0…11", "brought", "into", "shape", "(12)"],
        ["tools", "/tools/0…11/function/strict", "strict:", "removed", "(12)"],
        ["parameters", "/user", "b"],
    ]


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ([3], "3"),
        ([0, 1], "0…1"),
        ([0, 2], "0,2"),
        ([5, 0, 1, 2, 9], "0…2,5,9"),
        (list(range(0, 99, 2)), "0,2,4,6,8,10,12,14,16,18,…"),
    ],
)
def test_numbers_are_spans(numbers: list[int], shown: str) -> None:
    lines = listed(*[Change("tools", f"/tools/{number}/x", "y") for number in numbers])
    assert f"/tools/{shown}/x" in lines[1]


def test_places_that_differ_in_more_than_one_number_are_named_by_the_first() -> None:
    lines = listed(Change("a", "/messages/1/content/2", "y"), Change("a", "/messages/3/content/0", "y"))
    assert lines[1] == "a  /messages/1/content/2 …  y (2)"


def test_other_reasons_and_other_rules_stay_apart() -> None:
    assert (
        len(listed(*STRICT[:2], Change("tools", "/tools/0/function/strict", "other"), Change("b", "/tools/1", ""))) == 4
    )


@pytest.mark.parametrize(
    ("pointer", "place", "shown"),
    [
        ("/messages/2/role", Place("/messages/2/role", "/messages/2/role"), "/messages/2/role"),
        ("/messages/2", Place("/messages/3", "/messages/1"), "/messages/3 → /messages/1"),
        ("/messages/4", Place("/messages/5", "/messages/5"), "/messages/5"),
        ("/messages/4", Place(None, "/messages/5"), "→ /messages/5"),
        ("/messages/4", Place(None, "/messages/4"), "→ /messages/4"),
        ("/user", Place("/user", None), "/user"),
        (
            "/tools/0/function/parameters",
            Place("/tools/0/function", "/tools/0/function/parameters"),
            "/tools/0/function/parameters",
        ),
        ("/tools/1/x", Place("/tools/1/x", "/tools/0"), "/tools/1/x → /tools/0"),
        ("/choices/0", Place(None, None), "/choices/0"),
        ("", Place("", ""), "/"),
    ],
)
def test_the_place_as_it_was_sent_and_as_it_left(pointer: str, place: Place, shown: str) -> None:
    assert folded.listing([Change("r", pointer, "why")], [place]).splitlines()[1].split("  ")[1] == shown


def test_the_full_list_has_a_line_for_each_change() -> None:
    assert folded.has_folds(STRICT)
    assert not folded.has_folds(STRICT[:1])
    assert len(folded.each(STRICT).splitlines()) == 12


long_words = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=300)


@given(
    st.lists(st.builds(Change, st.sampled_from(["merge", "cascade"]), st.just("/messages/1"), long_words), max_size=4)
)
def test_no_line_of_a_reason_is_wider_than_a_page(changes: list[Change]) -> None:
    assert all(width(line) <= folded.COLUMNS for line in folded.listing(changes).splitlines())


def test_a_long_reason_stands_below_its_place() -> None:
    why = "word " * 40
    lines = listed(Change("merge", "/messages/1", why.strip()), Change("x", "/y", "short"))
    assert lines[1] == "merge  /messages/1"
    assert lines[2].startswith(" " * 9 + "word word")
    assert lines[-1] == "x      /y           short"


def test_it_is_said_in_the_terminals_language() -> None:
    terminal.use("zh")
    try:
        assert listed(*STRICT)[0] == "12 处改动"
    finally:
        terminal.use("en")


def test_the_time_grows_with_the_number_of_changes() -> None:
    def seconds(count: int) -> float:
        changes = [
            Change("a", f"/messages/{number}/content/{number % 7}", f"why {number % 3}") for number in range(count)
        ]
        best = 9e9
        for _ in range(5):
            began = time.process_time()
            folded.listing(changes)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(20_000) < 10 * seconds(5_000)
