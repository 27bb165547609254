"""Texts found in a text that comes in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire.text_search import ROOT, SearchTree

PIECES = st.lists(st.text("ab#", max_size=6), max_size=6)
WANTED = st.lists(st.text("ab#", max_size=4), max_size=4)


def simply(text: str, wanted: list[str]) -> tuple[int, str]:
    """Where the first of `wanted` ends in `text`, and the longest that ends there."""
    for end in range(1, len(text) + 1):
        ending = [one for one in wanted if one and text[:end].endswith(one)]
        if ending:
            return end, max(ending, key=len)
    return len(text), ""


def found_in(pieces: list[str], wanted: list[str]) -> tuple[int, str]:
    tree, node, before = SearchTree(wanted), ROOT, 0
    for piece in pieces:
        node, place, found = tree.find(node, piece)
        before += place
        if found:
            return before, found
    return before, ""


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        ("one END two", ["END"], (7, "END")),
        ("aab", ["b", "ab"], (3, "ab")),
        ("abcd", ["abcde", "bc"], (3, "bc")),
        ("abab", ["abc"], (4, "")),
        ("a^b", ["^"], (2, "^")),
        ("ab", [""], (2, "")),
        ("ab", [], (2, "")),
        ("", ["a"], (0, "")),
    ],
)
def test_the_first_that_ends_is_found(text: str, wanted: list[str], found: tuple[int, str]) -> None:
    assert found_in([text], wanted) == simply(text, wanted) == found


@given(PIECES, WANTED)
def test_it_is_found_however_the_text_is_cut(pieces: list[str], wanted: list[str]) -> None:
    assert found_in(pieces, wanted) == simply("".join(pieces), wanted)


@given(PIECES, WANTED)
def test_the_depth_is_the_longest_end_that_may_become_one(pieces: list[str], wanted: list[str]) -> None:
    tree, node = SearchTree(wanted), ROOT
    for piece in pieces:
        node = tree.after(node, piece)
    text = "".join(pieces)
    begun = [one[:length] for one in wanted for length in range(1, len(one) + 1)]
    assert tree.depth[node] == max((len(one) for one in begun if text.endswith(one)), default=0)
