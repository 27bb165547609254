"""Marks: the bracketed lines that the addon writes into a conversation, and how no other text passes for one.

Text from outside (a person, a tool, an image) may hold what reads like a mark, and would then end an image's
description or speak as the system. So:

1. `tracked` texts carry an invisible sign around each part of a mark. It is random for each process: nobody outside
   can write it.
2. `settled` takes the signs out of texts that are ready to leave. What stood between two signs is the addon's; what
   reads like a mark elsewhere gets the brackets 〔 〕, which no mark has.

A text reads like a mark if it differs from one only in width, case, white space, the kind of square brackets, and
invisible or combining characters. `marks.toml` lists every mark that any version has written, in every language.

One bracket is replaced by one bracket of another kind, and neither stands inside a mark: what is left can't close up to
a new mark, doing it twice changes nothing more, and texts that a model reads without a gap can be looked at as one.
"""

from __future__ import annotations

import re
import secrets
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from . import Texts

TEXTS_WITH_MARKS = (
    "moved_media",
    "image_after",
    "missing_answer",
    "later_system",
    "orphan_tool",
    "unsupported_part",
    "folded",
    "image_description",
    "image_failed",
)
"""The fields of `Texts` that hold a mark."""

SPEAKERS = ("folded_user", "folded_assistant", "folded_call", "folded_tool")
"""The fields of `Texts` that say whose turn a line of a folded conversation is."""

QUOTE = "> "
"""What stands before a line inside a folded turn that would pass for the beginning of another turn."""

_OWN = "".join(chr(0xFDD0 + byte % 32) for byte in secrets.token_bytes(16))
"""The sign: 80 random bits in code points that Unicode gives to no character, so that most texts are searched fast."""

_BETWEEN = "]"
_OPENING = "[［【〖〚⟦﹇"
_CLOSING = "]］】〗〛⟧﹈"
_REPLACED = {**dict.fromkeys(map(ord, _OPENING), "〔"), **dict.fromkeys(map(ord, _CLOSING), "〕")}
_ESCAPED = {ord(bracket): f"\\u{ord(bracket):04x}" for bracket in _OPENING + _CLOSING}
_ROUND = {**dict.fromkeys(map(ord, _OPENING + "〔"), "("), **dict.fromkeys(map(ord, _CLOSING + "〕"), ")")}
_ANGLES = str.maketrans("<>＜＞", "‹›‹›")

_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Where `str.splitlines` ends a line."""
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"})
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # shown as nothing, though Unicode counts them as letters and symbols
_MARK = re.compile(r"\[[^\[\]]*\]")
_HOLE = re.compile(r"\{(\w+)\}")
_HEAD = 40
"""Characters of a line that are looked at first."""
_NUMBERS = frozenset({"number", "total", "count"})


def tracked(texts: Texts) -> Texts:
    """`texts` whose marks are known for the addon's own until `settled` has seen them. `str.format` works as before."""
    return texts if _OWN in texts.moved_media else _tracked(texts)


def is_tracked(text: str) -> bool:
    """Whether `text` holds a mark from `tracked` texts."""
    return _OWN in text


def settled(texts: Sequence[str]) -> list[str]:
    """Texts that follow each other without a gap, ready to leave: without signs, every mark in them the addon's own."""
    cut = [text.split(_OWN) for text in texts]  # in each, every second piece is the addon's
    # Nothing reads like a mark across one of the addon's pieces, nor across the bracket that stands for it here.
    foreign = "".join(_BETWEEN.join(pieces[::2]) for pieces in cut)
    safe = defused(foreign)
    if safe != foreign:
        start = 0
        for pieces in cut:
            for number in range(0, len(pieces), 2):
                end = start + len(pieces[number])
                pieces[number] = safe[start:end]
                start = end + len(_BETWEEN)
            start -= len(_BETWEEN)
    return ["".join(pieces) for pieces in cut]


def without_signs(text: str) -> str:
    """`text` as it would leave if nothing but the addon's marks read like marks."""
    return text.replace(_OWN, "")


def defused(text: str) -> str:
    """`text` in which nothing reads like a mark: the brackets of what did are 〔 and 〕. As long as before."""
    return _with_brackets(text, _patterns().mark, _REPLACED)


def defused_json(text: str) -> str:
    """JSON text in which nothing reads like a mark. Its value is the same: the brackets become escapes.

    In valid JSON what reads like a mark can only stand inside a string. Its first words are enough here: with a bracket
    gone, what stood before it and after it could be read as one mark.
    """
    return _with_brackets(text, _patterns().first_words, _ESCAPED)


def inline(value: str) -> str:
    """`value` as it may stand inside a mark or a turn's heading: on one line, with round brackets for square ones."""
    if value.isascii() and value.isprintable() and "[" not in value and "]" not in value:
        return value
    return _patterns().line_end.sub(" ", value).translate(_ROUND)


def quoted_turns(text: str) -> str:
    """`text` whose lines can't be taken for the beginning of another turn of a folded conversation."""
    patterns = _patterns()
    lines = text.splitlines(keepends=True)
    if not any(map(patterns.speaking_line.match, lines)):
        return text  # as most
    return "".join(
        QUOTE + line if patterns.speaking_line.match(line) and patterns.begins_turn(line) else line for line in lines
    )


def unquotable(question: str) -> str:
    """`question` as it may stand between `<<<` and `>>>` in the vision prompt: it holds neither."""
    return _patterns().quotes.sub(lambda found: found[0].translate(_ANGLES), question)


@cache
def _tracked(texts: Texts) -> Texts:
    signed: dict[str, Any] = {name: _MARK.sub(_signed, getattr(texts, name)) for name in TEXTS_WITH_MARKS}
    return replace(texts, **signed)


def _signed(mark: re.Match[str]) -> str:
    """A mark with a sign before and after each of its own words. What fills its holes comes from outside."""
    pieces = re.split(r"(\{\w+\})", mark[0])
    return "".join(piece if number % 2 else f"{_OWN}{piece}{_OWN}" for number, piece in enumerate(pieces))


def _with_brackets(text: str, mark: re.Pattern[str], brackets: dict[int, str]) -> str:
    # As most texts: no bracket opens. The search for one letter is many times faster than the pattern's.
    if "[" not in text and (text.isascii() or not any(bracket in text for bracket in _OPENING)):
        return text
    patterns = _patterns()

    def replaced(found: re.Match[str]) -> str:
        if not mark.match(found[2].translate(patterns.plain)):
            return found[0]
        return found[1].translate(brackets) + found[2] + found[3].translate(brackets)

    return patterns.bracketed.sub(replaced, text)


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Compiled from `marks.toml`. Each is linear in the text: no two tries read the same stretch."""

    plain: dict[int, str | None]
    """For `str.translate`: a text in one case and width, without white space and what can't be seen."""
    bracketed: re.Pattern[str]
    """An opening bracket, what follows it as far as the next bracket, a closing bracket if that is the next."""
    mark: re.Pattern[str]
    """Beginnings of marks, without their bracket, in plain text: as much as tells a mark from other text."""
    first_words: re.Pattern[str]
    """The same, as far as the first hole."""
    speaking_line: re.Pattern[str]
    """The beginning of a line that may be the beginning of a turn: its first three letters."""
    speaker: re.Pattern[str]
    """Beginnings of turns in plain text."""
    longest_speaker: int
    line_end: re.Pattern[str]
    quotes: re.Pattern[str]

    def begins_turn(self, line: str) -> bool:
        """Whether `line` would pass for the beginning of a turn. Of a long line its first visible characters say so."""
        plain = line[:_HEAD].translate(self.plain)
        if len(plain) < self.longest_speaker and len(line) > _HEAD:
            plain = line.translate(self.plain)
        return self.speaker.match(plain) is not None


@cache
def _patterns() -> _Patterns:
    data = tomllib.loads(resources.files(__package__).joinpath("marks.toml").read_text(encoding="utf-8"))
    invisible = list(_invisible())
    plain = _plain(invisible)
    marks = [_beginning(mark[1:-1], plain) for mark in data["marks"]]
    speakers = [re.escape(_HOLE.split(speaker)[0].translate(plain)) for speaker in data["speakers"]]
    unseen = _class(invisible)
    unseen_in_line = _class(character for character in invisible if character not in _LINE_ENDS)
    brackets = re.escape(_OPENING + _CLOSING + "〔〕")
    return _Patterns(
        plain=plain,
        bracketed=re.compile(
            f"([{re.escape(_OPENING)}])({unseen}*+{_initials(marks)}[^{brackets}]*+)([{re.escape(_CLOSING)}]?)"
        ),
        mark=re.compile("|".join(marks), re.DOTALL),
        first_words=re.compile(
            "|".join(re.escape(_HOLE.split(mark[1:-1])[0].translate(plain)) for mark in data["marks"])
        ),
        speaking_line=re.compile("|".join(_first_letters(speaker, unseen_in_line) for speaker in speakers)),
        speaker=re.compile("|".join(speakers)),
        longest_speaker=max(map(len, speakers)),
        line_end=re.compile(f"[{_LINE_ENDS}]+"),
        quotes=re.compile(f"[<＜](?:{unseen}*+[<＜]){{2,}}|[>＞](?:{unseen}*+[>＞]){{2,}}"),
    )


def _beginning(mark: str, plain: dict[int, str | None]) -> str:
    """A pattern for a mark from its first word to the end of its longest piece: what follows says nothing more."""
    pieces = _HOLE.split(mark)
    words = [piece.translate(plain) for piece in pieces[::2]]
    last = max(range(len(words)), key=lambda number: len(words[number]))
    holes = [r"\d*+" if name in _NUMBERS else ".*?" for name in pieces[1::2]]
    return "".join(re.escape(word) + hole for word, hole in zip(words, [*holes[:last], ""], strict=False))


def _invisible() -> Iterator[str]:
    """White space and characters that show nothing: of the basic plane, and the tags and selectors of plane 14."""
    for code in (*range(0x10000), *range(0xE0000, 0xE01F0)):
        character = chr(code)
        if unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _FILLERS or code >= 0xE0000:
            yield character


def _plain(invisible: Iterable[str]) -> dict[int, str | None]:
    table: dict[int, str | None] = dict.fromkeys(map(ord, invisible))
    table |= {code + 0xFEE0: chr(code).lower() for code in range(0x21, 0x7F)}
    table |= {code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}
    return table


def _initials(patterns: Iterable[str]) -> str:
    """A class of the first characters of `patterns`, in both cases and widths."""
    first = {pattern[0] for pattern in patterns}
    cases = first | {character.upper() for character in first}
    return _class(cases | {chr(ord(character) + 0xFEE0) for character in cases if character.isascii()})


def _first_letters(speaker: str, unseen: str) -> str:
    """A pattern for the first three letters of `speaker`, with `unseen` characters before each."""
    return "".join(f"{unseen}*+{_initials([letter])}" for letter in re.findall(r"\\?(.)", speaker)[:3])


def _class(characters: Iterable[str]) -> str:
    """A regular expression's class of `characters`, as ranges."""
    codes = sorted(map(ord, characters))
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "]"
