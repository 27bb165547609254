"""Text in columns, where a Chinese character is as wide as two Latin ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_RESET = "\x1b[0m"
_SPAN = re.compile(r"((?:\x1b\[[1-9][0-9;]*m)+)(.*?)\x1b\[0m", re.DOTALL)
# Blanks and a mark at the beginning of a line. A continuation line begins below the first word after them.
_HEAD = re.compile(r"\s*(?:[✓✗] )?")
# What a line may be broken after: a Latin word with its blanks, or one wide character.
_UNIT = re.compile(r"[^\s\u2e80-\u9fff\uff00-\uffef]+\s*|\s+|.")


def width(text: str) -> int:
    """Columns that `text` takes on a terminal, colour codes aside."""
    plain = _ESCAPE.sub("", text) if "\x1b" in text else text
    return len(plain) if plain.isascii() else sum(map(_width, plain))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(text: str, columns: int) -> list[str]:
    """The lines of `text` in at most `columns` columns; continuation lines keep the indentation.

    A colour of the whole text is repeated on each line; one of a part stays with it where a line holds all of it.
    """
    if width(text) <= columns:
        return [text]
    plain = _ESCAPE.sub("", text)
    spans = _SPAN.findall(text)
    opening = spans[0][0] if spans and spans[0][1] == plain else ""
    head = _HEAD.match(plain)
    indent = " " * min(head.end() if head else 0, columns // 2)
    lines, line, taken = [], "", 0
    for unit in _units(plain, columns - len(indent)):
        if line.strip() and taken + width(unit.rstrip()) > columns:
            lines.append(line.rstrip())
            line = indent + unit.lstrip()
            taken = width(line)
        else:
            line += unit
            taken += width(unit)
    lines.append(line.rstrip())
    if opening:
        return [f"{opening}{line}{_RESET}" for line in lines]
    return _coloured(lines, spans)


def _coloured(lines: list[str], spans: Sequence[tuple[str, str]]) -> list[str]:
    """`lines` with the parts of `spans` (escape codes and text), which stand there in this order, in their colours."""
    at, place = 0, 0
    for codes, part in spans:
        for number in range(at, len(lines)):
            found = lines[number].find(part, place if number == at else 0)
            if found >= 0:
                coloured = f"{codes}{part}{_RESET}"
                lines[number] = lines[number][:found] + coloured + lines[number][found + len(part) :]
                at, place = number, found + len(coloured)
                break
    return lines


def _units(text: str, columns: int) -> Iterator[str]:
    for unit in _UNIT.findall(text):
        yield from _pieces(unit, columns) if unit.strip() and width(unit) > columns else (unit,)


def _pieces(word: str, columns: int) -> Iterator[str]:
    piece, taken = "", 0
    for character in word:
        wide = _width(character)
        if taken + wide > columns:
            yield piece
            piece, taken = "", 0
        piece += character
        taken += wide
    yield piece


def shorten(text: str, columns: int) -> str:
    """`text` on one line, with an ellipsis where it is longer than `columns`."""
    text = " ".join(text.split())
    if width(text) <= columns:
        return text
    text, taken = text[:columns], width(text[:columns])
    while taken > columns - 1:
        taken -= _width(text[-1])
        text = text[:-1]
    return text + "…"


def beside(left: Sequence[str], right: Sequence[str], columns: int, divider: str = "│") -> Iterator[str]:
    """The lines of two texts side by side, `columns` wide in all."""
    each = half(columns)
    for one, other in zip_longest(_wrapped(left, each), _wrapped(right, each), fillvalue=""):
        yield f"{one}{' ' * (each - width(one))} {divider} {other}".rstrip()


def half(columns: int) -> int:
    """The width of each text of `beside`, out of `columns` in all."""
    return (columns - 3) // 2


def _wrapped(lines: Iterable[str], columns: int) -> list[str]:
    return [piece for line in lines for piece in wrap(line, columns)]
