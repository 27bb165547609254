"""Marks: the bracketed lines that the addon writes into a conversation, and how no other text passes for one.

Text from outside (a person, a tool, an image) may hold what reads like a mark, and would then end an image's
description or speak as the system. So:

1. `tracked` texts carry an invisible sign around each part of a mark. It is random for each process, so
   no text from outside holds it.
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
    "document",
    "document_failed",
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
_OTHER_OPENING = _OPENING[1:]
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
_NUMBERS = frozenset({"number", "total", "count", "pages"})


def tracked(texts: Texts) -> Texts:
    """`texts` whose marks are known for the addon's own until `settled` has seen them. `str.format` works as before."""
    return texts if _OWN in texts.moved_media else _tracked(texts)


def is_tracked(text: str) -> bool:
    """Whether `text` holds a mark from `tracked` texts."""
    return _OWN[0] in text and _OWN in text  # one character is found several times as fast


def settled(texts: Sequence[str]) -> tuple[list[str], bool]:
    """Texts that follow each other without a gap, ready to leave: without signs, every mark in them the addon's own.

    And whether anything else in them read like a mark.
    """
    cut = [text.split(_OWN) for text in texts]  # in each, every second piece is the addon's
    # Nothing reads like a mark across one of the addon's pieces, nor across the bracket that stands for it here.
    foreign = "".join(_BETWEEN.join(pieces[::2]) for pieces in cut)
    safe = defused(foreign)
    read_like_one = safe is not foreign
    if read_like_one:
        start = 0
        for pieces in cut:
            for number in range(0, len(pieces), 2):
                end = start + len(pieces[number])
                pieces[number] = safe[start:end]
                start = end + len(_BETWEEN)
            start -= len(_BETWEEN)
    return ["".join(pieces) for pieces in cut], read_like_one


def defused(text: str) -> str:
    """`text` in which nothing reads like a mark: the brackets of what did are 〔 and 〕. As long as before.

    `text` itself where nothing did, here and in `defused_json`.
    """
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


def inlined(values: list[str]) -> list[str]:
    """Each of `values` as `inline` gives it. One look at all is cheaper than one at each."""
    together = "".join(values)
    return values if inline(together) is together else list(map(inline, values))


def quoted_turns(text: str) -> str:
    """`text` whose lines can't be taken for the beginning of another turn of a folded conversation."""
    pieces: list[str] = []
    done = 0
    for start in _turns("\n" + text):
        pieces += (text[done:start], QUOTE)
        done = start
    return "".join([*pieces, text[done:]]) if pieces else text


def any_turn(texts: Iterable[str]) -> bool:
    """Whether `quoted_turns` would change any of `texts`. One search over all is cheaper than one over each."""
    return next(_turns("\n".join(["", *texts])), None) is not None


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


def _turns(text: str) -> Iterator[int]:
    """Where the lines of `text` begin that read like the beginning of a turn; its first line break isn't counted."""
    patterns = _patterns()
    looked = text  # with one kind of line ends, for which a search is fast; as long as before
    for end in _LINE_ENDS[1:]:
        if end in looked:
            looked = looked.replace(end, "\n")
    for found in patterns.line.finditer(looked):
        if patterns.begins_turn(found[0]):
            yield found.start()


def _with_brackets(text: str, mark: re.Pattern[str], brackets: dict[int, str]) -> str:
    # The search for one letter is many times faster than the pattern's.
    looked = text  # with one kind of opening brackets; as long as before
    if not text.isascii():
        for bracket in _OTHER_OPENING:
            if bracket in looked:
                looked = looked.replace(bracket, _OPENING[0])
    if _OPENING[0] not in looked:
        return text  # as most texts
    patterns = _patterns()
    pieces: list[str] = []
    done = 0
    for found in patterns.bracketed.finditer(looked):
        if mark.match(found[1].translate(patterns.plain)):
            start, last = found.start(), found.end(1)
            pieces += (text[done:start], text[start].translate(brackets), text[start + 1 : last])
            pieces.append(text[last : found.end()].translate(brackets))
            done = found.end()
    return "".join([*pieces, text[done:]]) if pieces else text


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Compiled from `marks.toml`. Each is linear in the text: no two tries read the same stretch."""

    plain: dict[int, str | None]
    """For `str.translate`: a text in one case and width, without white space and what can't be seen."""
    bracketed: re.Pattern[str]
    """`[`, the first letters of a mark, what follows as far as the next bracket, a closing bracket if that is next."""
    mark: re.Pattern[str]
    """Beginnings of marks, without their bracket, in plain text: as much as tells a mark from other text."""
    first_words: re.Pattern[str]
    """The same, as far as the first hole."""
    line: re.Pattern[str]
    """A line break and the line after it, if that begins with the first letters of a turn."""
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
    first_words = [_HOLE.split(mark[1:-1])[0].translate(plain) for mark in data["marks"]]
    speakers = [_HOLE.split(speaker)[0].translate(plain) for speaker in data["speakers"]]
    unseen = _class(invisible)
    unseen_in_line = _class(character for character in invisible if character not in _LINE_ENDS)
    brackets = re.escape(_OPENING + _CLOSING + "〔〕")
    between = f"(?:[^\\w{{}}]|[{_FILLERS}])*+"  # more than what can't be seen, in a class that is small
    return _Patterns(
        plain=plain,
        bracketed=re.compile(
            rf"\[({unseen}*+{_spelt(first_words, between.format(brackets))}[^{brackets}]*+)[{re.escape(_CLOSING)}]?"
        ),
        mark=re.compile("|".join(marks), re.DOTALL),
        first_words=re.compile("|".join(map(re.escape, first_words))),
        line=re.compile(rf"\n{unseen_in_line}*+{_spelt(speakers, between.format(r'\n'))}[^\n]*+"),
        speaker=re.compile("|".join(map(re.escape, speakers))),
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


def _spelt(words: Iterable[str], between: str) -> str:
    """A pattern for one of `words`, as far as its letters go, in any case and width, with `between` between them."""
    by_first: dict[str, list[str]] = {}
    for word in sorted(set(words)):
        if not word[:1].isalnum():
            return ""  # the word ends here: it stands for every longer one
        by_first.setdefault(word[0], []).append(word[1:])
    letters = [f"{_cases(first)}{between}{_spelt(rest, between)}" for first, rest in by_first.items()]
    if len(letters) == 1:
        return letters[0]
    return f"(?={_cases(*by_first)})(?:{'|'.join(letters)})"  # one look where none of them follows


def _cases(*characters: str) -> str:
    """A class of what is one of `characters` in plain text."""
    cases = {case for character in characters for case in (character, character.upper())}
    return _class(cases | {chr(ord(case) + 0xFEE0) for case in cases if case.isascii()})


def _class(characters: Iterable[str]) -> str:
    """A regular expression's class of `characters`, as ranges."""
    codes = sorted(map(ord, characters))
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return (
        "["
        + "".join(f"\\U{first:08x}-\\U{last:08x}" if first < last else f"\\U{first:08x}" for first, last in ranges)
        + "]"
    )
