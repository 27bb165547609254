from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hunyuan_fix.answers.rounds.overlap import WINDOW, Overlap, overlap

WORDS = st.lists(
    st.sampled_from(["abide", "bracket", "candle", "docks", "eleven", "今天", "我们", "看到", "结果"]), min_size=6
)


@pytest.mark.parametrize(
    ("before", "after", "repeated"),
    [
        ("The quick brown fox", "brown fox jumps", 9),
        ("The quick brown fox", "fox jumps", 3),
        ("The quick brown fox", " jumps", 0),
        ("今天我们可以看到结果", "看到结果，而且", 4),
        ("今天我们可以看到", "看到结果", 0),  # two characters may be chance
        ("it is at", "at the end", 0),
        ("all that", "hat and coat", 0),  # in the middle of a word
        ("misunderstanding", "understanding is", 13),  # too long for chance
        ("x = 100000", "000001", 0),  # a run
        ("    ", "    return", 0),
        ("|---|-", "---|", 0),
        ("3.14159", "159265", 0),
        ("the same", "the same", 8),
        ("", "anything", 0),
        ("anything", "", 0),
        ("abc abc abc", "abc abc abc abc", 11),
    ],
)
def test_what_is_a_repetition(before: str, after: str, repeated: int) -> None:
    assert overlap(before, after) == repeated


def longest(before: str, after: str) -> list[int]:
    """All lengths that fit, by trying each."""
    tail = before[-WINDOW:]
    return [length for length in range(min(len(tail), len(after)), 0, -1) if tail.endswith(after[:length])]


@given(st.text(alphabet="ab cd看到", max_size=40), st.text(alphabet="ab cd看到", max_size=40))
@example("a", "a")
def test_it_is_one_of_those_that_fit(before: str, after: str) -> None:
    found = overlap(before, after)
    assert found == 0 or found in longest(before, after)
    assert found == 0 or found >= 3


@given(WORDS, st.data())
def test_a_text_cut_anywhere_with_any_overlap_is_whole_again(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    cut = data.draw(st.integers(1, len(text)))
    again = data.draw(st.integers(0, cut))
    before, after = text[:cut], text[cut - again :]
    fits = [length for length in longest(before, after) if length != again]
    if any(length > again for length in fits):
        return  # a longer one fits by chance: nobody could tell
    if 0 < again < 8:
        assert overlap(before, after) in (again, 0)
        return
    assert before + after[overlap(before, after) :] == text if again else overlap(before, after) in (0, *fits)


@given(st.text(alphabet="ab cd看到", max_size=30), st.lists(st.text(alphabet="ab cd看到", max_size=9)))
def test_pieces_are_cut_as_the_whole_is(before: str, pieces: list[str]) -> None:
    found = Overlap(before)
    passed = "".join(found.feed(piece) for piece in pieces) + found.finish()
    after = "".join(pieces)
    assert passed == after[overlap(before, after) :]


def test_nothing_waits_once_it_is_decided() -> None:
    found = Overlap("The quick brown fox")
    assert found.feed("brown") == ""
    assert not found.is_decided
    assert found.feed(" fox jumps") == " jumps"
    assert found.is_decided
    assert found.feed("brown") == "brown"


def test_no_more_is_held_back_than_the_window() -> None:
    found = Overlap("a" * 3 * WINDOW)
    passed = sum(len(found.feed("a")) for _ in range(WINDOW + 1))
    assert passed == WINDOW + 1


def test_twice_the_text_takes_twice_the_time_at_most() -> None:
    def seconds(size: int) -> float:
        began = time.process_time()
        overlap("ab" * size, "ab" * size + "c")
        return time.process_time() - began

    seconds(2000)
    assert min(seconds(1 << 20) for _ in range(3)) < 20 * max(min(seconds(1 << 11) for _ in range(5)), 1e-4)
