"""What was changed in a text, word by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.page.changed_words import AROUND, MOST, Compared, compared
from tests.page.timing import seconds

TEXTS = st.lists(st.sampled_from(["one", "two", " ", "\n", ".", "九点", "é", "_", "\ud800"]), max_size=40).map("".join)


def side(found: Compared, kind: str) -> str:
    return "".join(piece["text"] for piece in found["pieces"] if piece["kind"] in ("same", kind))


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_both_texts_are_there_around_what_differs(begin: str, old: str, new: str, end: str) -> None:
    before, now = begin + old + end, begin + new + end
    found = compared(before, now)
    start = found["left_out"]
    assert before[:start] == now[:start]
    for text, kind in ((before, "removed"), (now, "added")):
        shown = side(found, kind)
        assert text[start : start + len(shown)] == shown
        assert len(text) - start - len(shown) <= found["more"]
    longest = max(len(side(found, "removed")), len(side(found, "added")))
    assert found["more"] == max(len(before), len(now)) - start - longest


def test_one_word_in_a_long_text_is_all_that_is_marked() -> None:
    text = "please look at this file. " * 4000
    found = compared(f"{text}It is 9:01. {text}", f"{text}It is 9:02. {text}")
    assert [piece["text"] for piece in found["pieces"] if piece["kind"] != "same"] == ["01", "02"]
    assert found["left_out"] == len(text) + len("It is 9:0") - AROUND
    assert found["more"] == len(text) + len(". ") - AROUND


def test_of_chinese_each_character_is_compared() -> None:
    found = compared("今天九点开会", "今天十点开会")
    assert [(piece["kind"], piece["text"]) for piece in found["pieces"]] == [
        ("same", "今天"),
        ("removed", "九"),
        ("added", "十"),
        ("same", "点开会"),
    ]


def test_it_is_bounded_whatever_texts_are() -> None:
    found = compared("a " * 500_000, "b " * 600_000)
    assert len(side(found, "removed")) <= MOST and len(side(found, "added")) <= MOST
    assert found["more"] == 1_200_000 - MOST


def test_twice_the_text_takes_twice_the_time() -> None:
    def run(count: int) -> float:
        text = "some words, " * count
        return seconds(lambda: compared(f"{text}x{text}", f"{text}y{text}"))

    assert run(200_000) < 4 * run(100_000) + 0.01
