"""Images inside a text: data URLs and bare base64, in prose, in Markdown, in the strings of JSON.

1. A text without any of `_HINTS` holds no image: most texts are read no further.
2. A text that is JSON is cut at its strings. Each string is decoded and searched as a text of its own. The text that
   replaces an image is written as JSON; everything else stays byte for byte.
3. Any other text is searched for places where an image may begin: the `base64,` of a data URL, or base64 letters that
   an image's first bytes give. The image ends where the alphabet of base64 ends. It counts if its bytes are those of a
   PNG, JPEG, GIF, WebP or BMP, or if its data URL calls it an image; other base64 stays.

Agents put screenshots into results that way (QwenLM/qwen-code#3616, whoz-oss/coday#554). Every step is linear: no two
tries read the same stretch. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import data

LEAST = 48
"""Base64 characters that bare data must have: a text about images may quote the first letters of one."""

_DEPTH = 8
"""Levels of JSON inside strings of JSON that are searched. Each level reads the rest of the text once more."""

_HINTS = ("64,", "64%2", "iVBORw0KGg", "R0lGOD", "UklGR", "9j", "Qk")
"""Every text with an image contains one of these words."""
_RARE = "6G9Q"
"""Letters that are rare in prose and code; each of `_HINTS` has one. Searching one letter is several times as fast."""
_SEARCHES = tuple(
    (
        letter,
        tuple(word[: word.index(letter)] for word in words),
        tuple(word[word.index(letter) :] for word in words),
        words,
    )
    for letter in _RARE
    for words in [tuple(word for word in _HINTS if letter in word)]
)
"""Each letter, the parts of its words before it, their parts from it on, and the words."""
_LONGEST = max(map(len, _HINTS))
_LETTER_COST = 256
"""Characters that a search for a word passes in the time that checking one rare letter takes."""
_SHORTEST = 3
"""Characters that a JSON string, with its quotation marks, must have to hold one of `_HINTS`."""

_BEGINNING = re.compile(
    r"64(?:,|%2[cC])|iVBORw0KGg[opqr]|R0lGOD[dl]h|UklGR|/9j\\*+[/_]|_9j\\*+[/_]|Qk[0-3][A-Za-z0-9+/_-]{5}AAAA"
)
_URL_HEAD = 256
"""Characters of a data URL before its data that are looked at."""
_HEADER = re.compile(r"""data(?::|%3[aA])(?:[^\s"'<>(),\\]|\\++/)*+""", re.IGNORECASE)
_LETTERS = re.compile(r"(?:[A-Za-z0-9+/_-]++|%2[BbFf]|\\++(?:/|u002[BbFf]))*+")
_PADDING = re.compile(r"(?:=|%3[dD]|\\++u003[dD]){0,2}+")
_LINE_BREAK = re.compile(r"[ \t]*+(?:\r\n?|\n|(?:\\++r)?+\\++n|%0[dD]%0[aA]|%0[aA])[ \t]*+")
_AFTER_LINE = re.compile(r"""[ \t]*+(?:\Z|[\r\n"'`<>)\]},\\%])""")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_WIDEST = 128
"""Characters of a line of wrapped base64 (76 in MIME, 64 in PEM): what follows a longer one is other text."""
_JSON = re.compile(r'\s*+(?=[\[{"])(?:[\s\w{}\[\]:,.+\-]++|"(?:[^"\\]++|\\.)*+")*+\Z', re.DOTALL | re.ASCII)
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")


@dataclass(frozen=True, slots=True)
class Hole:
    """The place of an image in a text. `quoted`: it stands between double quotes, as in a piece of JSON."""

    source: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Quoted:
    """A string of JSON with images in it."""

    pieces: list[Piece]


type Piece = str | Hole | Quoted


def suspected(text: str) -> bool:
    """Whether `text` may hold an image: a few searches for fixed words, by a rare letter of each."""
    for letter, before, rest, words in _SEARCHES:
        at = text.find(letter)
        if at < 0:
            continue
        for _ in range(len(text) // _LETTER_COST + 1):
            if text.startswith(rest, at) and text.endswith(before, 0, at):
                around = text[max(at - _LONGEST, 0) : at + _LONGEST]
                if any(word in around for word in words):
                    return True
            at = text.find(letter, at + 1)
            if at < 0:
                break
        else:  # the letter isn't rare here
            if any(text.find(word, max(at - _LONGEST, 0)) >= 0 for word in words):
                return True
    return False


def apart(text: str, depth: int = _DEPTH) -> list[Piece] | None:
    """`text` cut at its images, which `join` puts together again; `None` if there are none."""
    if not suspected(text):
        return None
    if depth and _JSON.match(text):
        return _from_json(text, depth - 1)
    pieces: list[Piece] = []
    done = 0
    for start, end in _places(text):
        quoted = text[start - 1 : start] == '"' == text[end : end + 1]
        pieces += (text[done:start], Hole(text[start:end], quoted))
        done = end
    return [*pieces, text[done:]] if pieces else None


def join(pieces: list[Piece], written: Callable[[str], str]) -> str:
    """The text with `written(source)` in the place of each image, in order."""

    def piece_text(piece: Piece) -> str:
        if isinstance(piece, str):
            return piece
        if isinstance(piece, Quoted):
            return _string(join(piece.pieces, written))
        return _string(written(piece.source))[1:-1] if piece.quoted else written(piece.source)

    return "".join(map(piece_text, pieces))


def _string(text: str) -> str:
    """A JSON string without escapes that it doesn't need: signs of marks (texts/marks.py) stay what they are."""
    return json.dumps(text, ensure_ascii=False)


def _from_json(text: str, depth: int) -> list[Piece] | None:
    pieces: list[Piece] = []
    done = 0
    for token in _STRING.finditer(text):
        if token.end() - token.start() < _SHORTEST or not suspected(token[0]):
            continue
        try:
            value = json.loads(token[0], strict=False)
        except ValueError:
            continue
        if inner := apart(value, depth):
            pieces += (text[done : token.start()], Quoted(inner))
            done = token.end()
    return [*pieces, text[done:]] if pieces else None


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Where images begin and end, in a text that is not JSON."""
    position = 0
    while found := _BEGINNING.search(text, position):
        position = found.end()
        in_url = found[0].startswith("64")
        begin = position if in_url else found.start()
        start = _url_start(text, found.start()) if in_url else _bare_start(text, begin)
        if start is None:
            continue
        end = _end(text, begin)
        known = data.kind(text[begin : min(end, begin + LEAST)])
        enough = end - begin >= LEAST
        if (known and (in_url or enough)) or (in_url and enough and data.is_labelled(text[start:begin])):
            yield start, end
            position = end


def _bare_start(text: str, start: int) -> int | None:
    """`start`, if no letter of base64 stands before it. The letter of an escaped line break (`\\n`) doesn't count."""
    before = text[max(start - 2, 0) : start]
    return start if before[-1:] not in _ALPHABET or before in ("\\n", "\\r", "\\t") else None


def _url_start(text: str, at: int) -> int | None:
    """The start of the data URL whose word `base64` ends with the two digits at `at`; `None` if there is none."""
    if text[max(at - 4, 0) : at].lower() != "base":
        return None
    window_start = max(at - _URL_HEAD, 0)
    window = text[window_start:at].encode("ascii", "replace").lower()  # as long as before
    start = window_start + max(window.rfind(b"data:"), window.rfind(b"data%3a"))
    if start < window_start or not _HEADER.fullmatch(text, start, at):
        return None
    return start


def _end(text: str, start: int) -> int:
    """The end of the base64 that begins at `start`, also where it is wrapped in lines."""
    end = _letters_end(text, start)
    width = end - start
    if not LEAST <= width <= _WIDEST:
        return _padding_end(text, end)
    while broken := _LINE_BREAK.match(text, end):
        line = _letters_end(text, broken.end())
        length, padded = line - broken.end(), _padding_end(text, line)
        if not (0 < length <= width and _AFTER_LINE.match(text, padded)):
            break
        if padded == line and length < width and _WORD.fullmatch(text, broken.end(), line):
            break  # "Done", on a line of its own
        end = line
        if length < width:
            break
    return _padding_end(text, end)


def _letters_end(text: str, start: int) -> int:
    found = _LETTERS.match(text, start)
    return found.end() if found else start


def _padding_end(text: str, start: int) -> int:
    found = _PADDING.match(text, start)
    return found.end() if found else start
