"""Which words of two texts differ, in time that grows with their length, whatever they hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypedDict

from ..views.diff import Matched

type Ranges = list[tuple[int, int]]
"""Parts of a text, as positions of characters: in order, apart from each other."""
type _Change = tuple[int, int, int, int]
"""Where a part of one text begins and ends, and where what stands in its place in the other."""

AROUND: Final = 240
"""Characters that `compared` shows before the first change and behind the last."""
MOST: Final = 1600
"""Characters of either text that it shows."""
_WORD: Final = re.compile(r"[^\W_一-鿿]+|\s+|[\W_]|[一-鿿]")
"""A word, white space, or one character: of Chinese each by itself."""
_MOST_PAIRS: Final = 40_000
"""Words times words of a part that are compared each with each; a larger part is marked as a whole."""
_MOST_LINES: Final = 20_000
"""Lines of one text. In a longer one all between what both begin and end with is marked."""
_LONGEST_WORD: Final = 64
_ISLAND: Final = 3
"""Characters that are the same between two differences: so few, and they are marked, too."""


class Work:
    """How many pairs of words may still be compared, for all texts of one story."""

    def __init__(self, pairs: int = 3_000_000) -> None:
        self.pairs = pairs


def differences(old: str, new: str, work: Work) -> tuple[Ranges, Ranges]:
    """The parts of `old` that are gone, and those of `new` that are new."""
    found = _changes(old, new, work)
    return _joined(old, [(a, b) for a, b, _, _ in found]), _joined(new, [(c, d) for _, _, c, d in found])


class Piece(TypedDict):
    """Some words. `kind`: in both texts, in the first alone, or in the second alone."""

    kind: Literal["same", "removed", "added"]
    text: str


class Compared(TypedDict):
    """Two texts: the part in which they differ first."""

    pieces: list[Piece]
    left_out: int
    """Characters before them, the same in both."""
    more: int
    """Characters behind them that aren't shown, of the longer text."""


def compared(before: str, now: str) -> Compared:
    """The words that `now` has in the place of those of `before`: from shortly before the first to shortly behind the
    last, or as many of them as are shown.
    """
    first = _common(before, now)
    last = _common(before[first:][::-1], now[first:][::-1])
    last -= min(last, AROUND)
    start = max(0, first - AROUND)
    old, new = before[start : len(before) - last], now[start : len(now) - last]
    more = max(0, max(len(old), len(new)) - MOST)
    old, new = old[:MOST], new[:MOST]
    pieces: list[Piece] = []
    reached = 0
    for a, b, c, d in [*_changes(old, new, Work()), (len(old), len(old), len(new), len(new))]:
        for kind, text in (("same", old[reached:a]), ("removed", old[a:b]), ("added", new[c:d])):
            if text:
                pieces.append(Piece(kind=kind, text=text))  # type: ignore[typeddict-item]
        reached = b
    return {"pieces": pieces, "left_out": start, "more": last + more}


def _changes(old: str, new: str, work: Work) -> list[_Change]:
    # 1. What both begin and end with: all of most texts.
    first = _word_edge(old, new, _common(old, new))
    last = _common(old[first:][::-1], new[first:][::-1])
    last = _word_edge(old[first:][::-1], new[first:][::-1], last)
    gone, came = old[first : len(old) - last], new[first : len(new) - last]
    # 2. Line by line, then word by word within lines that differ.
    return [(first + a, first + b, first + c, first + d) for a, b, c, d in _changed(gone, came, work)]


def _changed(old: str, new: str, work: Work) -> Iterator[_Change]:
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


def _changed_words(old: str, new: str, work: Work) -> Iterator[_Change]:
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
