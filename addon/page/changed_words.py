"""What was changed in a text, word by word, within bounds."""

from __future__ import annotations

import difflib
import re
from typing import Final, Literal, TypedDict

BEFORE: Final = 240
"""Characters that are shown before the first change."""
MOST: Final = 1600
"""Characters of either text that are shown from there on."""
_SQUARE: Final = 250_000
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
    """Characters behind them, of the longer text."""


def compared(before: str, now: str) -> Compared:
    """The words that `now` has in the place of those of `before`, from shortly before the first on."""
    first = _shared(before, now)
    start = max(0, first - BEFORE)
    end = first + MOST
    old, new = _WORD.findall(before[start:end]), _WORD.findall(now[start:end])
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    old_rest, new_rest = old[same:], new[same:]
    pieces: list[Piece] = []
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
    return {"pieces": pieces, "left_out": start, "more": max(0, max(len(before), len(now)) - end)}


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
