"""What was changed in a text, word by word, within bounds."""

from __future__ import annotations

import difflib
import re
from typing import Final, Literal, TypedDict

AROUND: Final = 240
"""Characters that are shown before the first change and behind the last."""
MOST: Final = 1600
"""Characters of either text that are shown."""
_SQUARE: Final = 100_000
"""Words times words that are compared each with each."""
_WORD: Final = re.compile(r"[^\W_一-鿿]+|\s+|[\W_]|[一-鿿]")
"""A word, white space, or one character: of Chinese each by itself."""


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
    first = _shared(before, now)
    last = _shared_end(before, now, first)
    last -= min(last, AROUND)
    start = max(0, first - AROUND)
    old, new = before[start : len(before) - last], now[start : len(now) - last]
    more = max(len(old), len(new)) - MOST
    pieces: list[Piece] = []
    _compare(pieces, _WORD.findall(old[:MOST]), _WORD.findall(new[:MOST]))
    return {"pieces": pieces, "left_out": start, "more": last + max(0, more)}


def _compare(pieces: list[Piece], old: list[str], new: list[str]) -> None:
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    end = 0
    while end < min(len(old), len(new)) - same and old[len(old) - end - 1] == new[len(new) - end - 1]:
        end += 1
    old_rest, new_rest = old[same : len(old) - end], new[same : len(new) - end]
    _add(pieces, "same", old[:same])
    if len(old_rest) * len(new_rest) > _SQUARE:
        _add(pieces, "removed", old_rest)
        _add(pieces, "added", new_rest)
    else:
        for tag, a, b, c, d in difflib.SequenceMatcher(None, old_rest, new_rest, autojunk=False).get_opcodes():
            if tag == "equal":
                _add(pieces, "same", old_rest[a:b])
            else:
                _add(pieces, "removed", old_rest[a:b])
                _add(pieces, "added", new_rest[c:d])
    _add(pieces, "same", old[len(old) - end :])


def _add(pieces: list[Piece], kind: Literal["same", "removed", "added"], words: list[str]) -> None:
    if words:
        pieces.append({"kind": kind, "text": "".join(words)})


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _shared_end(one: str, other: str, first: int) -> int:
    """How many characters two texts end with in common, without the `first` ones that they begin with."""
    low, high = 0, min(len(one), len(other)) - first
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low
