"""Which words of two texts differ, in time that grows with their length, whatever they hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from ..views.diff import Matched

type Ranges = list[tuple[int, int]]
"""Parts of a text, as positions of characters: in order, apart from each other."""

_WORD = re.compile(r"[A-Za-z0-9_]+|\s+|.", re.DOTALL)
_MOST_PAIRS = 40_000
"""Words times words of a part that are compared each with each; a larger part is marked as a whole."""
_MOST_LINES = 20_000
"""Lines of one text. In a longer one all between what both begin and end with is marked."""
_LONGEST_WORD = 64
_ISLAND = 3
"""Characters that are the same between two differences: so few, and they are marked, too."""


class Work:
    """How many pairs of words may still be compared, for all texts of one story."""

    def __init__(self, pairs: int = 3_000_000) -> None:
        self.pairs = pairs


def differences(old: str, new: str, work: Work) -> tuple[Ranges, Ranges]:
    """The parts of `old` that are gone, and those of `new` that are new."""
    # 1. What both begin and end with: all of most texts.
    first = _word_edge(old, new, _common(old, new))
    last = _common(old[first:][::-1], new[first:][::-1])
    last = _word_edge(old[first:][::-1], new[first:][::-1], last)
    gone, came = old[first : len(old) - last], new[first : len(new) - last]
    # 2. Line by line, then word by word within lines that differ.
    found = list(_changed(gone, came, work))
    return (
        _joined(old, [(first + a, first + b) for a, b, _, _ in found]),
        _joined(new, [(first + c, first + d) for _, _, c, d in found]),
    )


def _changed(old: str, new: str, work: Work) -> Iterator[tuple[int, int, int, int]]:
    if not (old and new):
        if old or new:
            yield 0, len(old), 0, len(new)
        return
    lines, others = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(lines), len(others)) > _MOST_LINES:
        yield 0, len(old), 0, len(new)
        return
    if min(len(lines), len(others)) <= 1:
        yield from _changed_words(old, new, work)
        return
    at, there = _starts(lines), _starts(others)
    for tag, a, b, c, d in Matched(lines, others).get_opcodes():
        if tag == "equal":
            continue
        for e, f, g, h in _changed_words(old[at[a] : at[b]], new[there[c] : there[d]], work):
            yield at[a] + e, at[a] + f, there[c] + g, there[c] + h


def _changed_words(old: str, new: str, work: Work) -> Iterator[tuple[int, int, int, int]]:
    if max(len(old), len(new)) <= _MOST_PAIRS:
        words, others = _WORD.findall(old), _WORD.findall(new)
        pairs = len(words) * len(others)
        if pairs <= min(_MOST_PAIRS, work.pairs):
            work.pairs -= pairs
            at, there = _starts(words), _starts(others)
            for tag, a, b, c, d in difflib.SequenceMatcher(None, words, others, autojunk=False).get_opcodes():
                if tag != "equal":
                    yield at[a], at[b], there[c], there[d]
            return
    yield 0, len(old), 0, len(new)


def _starts(pieces: Sequence[str]) -> list[int]:
    """Where each piece begins, and where the last one ends."""
    starts = [0]
    for piece in pieces:
        starts.append(starts[-1] + len(piece))
    return starts


def _common(one: str, other: str) -> int:
    """Characters that two texts begin with in common."""
    least, most = 0, min(len(one), len(other))
    if one[:most] == other[:most]:
        return most
    while most - least > 1:
        middle = (least + most) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle
    return least


def _word_edge(one: str, other: str, common: int) -> int:
    """`common`, or less where that is within a word of one of them."""
    for at in range(common, max(0, common - _LONGEST_WORD), -1):
        is_within = any(_is_word(text[at - 1]) and _is_word(text[at : at + 1]) for text in (one, other))
        if not is_within:
            return at
    return 0 if common <= _LONGEST_WORD else common


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _joined(text: str, ranges: Ranges) -> Ranges:
    """`ranges` without the empty ones; those that hardly anything stands between are one."""
    joined: Ranges = []
    for begin, end in ranges:
        if begin == end:
            continue
        if joined and begin - joined[-1][1] <= _ISLAND and "\n" not in text[joined[-1][1] : begin]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined
