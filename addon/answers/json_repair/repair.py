"""The JSON that was asked for out of what a model has written: what wraps it is cut off, and what is spelt otherwise is
respelt. Text that isn't JSON without doubt stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from .scan import Failed, Found, Respelt, Why, is_json, scan

type Wanted = Literal["object", "array", "any"]
"""What was asked for; `any`: an object is preferred."""
type Cut = Literal["bom", "think", "fence", "prose", "string"]
"""What wrapped the JSON: a byte order mark, reasoning, a fence, sentences, or it was the content of a JSON string."""

_BLANK: Final = " \t\n\r"
_NOTHING: Final = " \t\n\r\ufeff\u200b\u2060\xa0\u3000"
_THINK: Final = re.compile(r"\s*+<(think|thinking|thought)>", re.IGNORECASE)
_UNTHINK: Final = re.compile(r"</(?:think|thinking|thought)>", re.IGNORECASE)
_BRACKET: Final = re.compile(r"[{\[]")
_OPENING: Final = re.compile(r"(?:```+|~~~+)[ \t]*([^\s`~{\[]*)[^\n`~{\[]*\s*\Z")
"""What opens a fence right before a place."""
_CLOSING: Final = re.compile(r"\s*(?:```+|~~~+)")
_LONGEST_OPENING: Final = 200
"""Characters before a value in which the opening of its fence is looked for."""
_MOST_BRACKETS: Final = 1000
"""Brackets at which a value is looked for: sentences have fewer."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of a text."""

    text: str
    """The JSON; where it is invalid all of the text, unchanged."""
    cut: tuple[Cut, ...] = ()
    respelt: tuple[Respelt, ...] = ()
    why: Why | None = None
    """Why there is no JSON; `None`: there is."""

    @property
    def is_changed(self) -> bool:
        """Whether the text isn't the one that was given."""
        return bool(self.cut or self.respelt)


def repair(text: str, wanted: Wanted = "any") -> Repaired:
    """The JSON in `text`, in time that grows with its length alone."""
    # 1. It is JSON as it stands.
    if is_json(text):
        return _whole(text, wanted)
    # 2. What may stand before it.
    cut: list[Cut] = []
    bare = text.lstrip(_NOTHING)
    if "\ufeff" in text[: len(text) - len(bare)]:
        cut.append("bom")
    begin = len(text) - len(bare)
    thought = _after_thinking(text, begin)
    if thought is None:
        return Repaired(text, why="none")
    if thought > begin:
        cut.append("think")
        begin = thought
    # 3. All objects and arrays behind that, and the one that was meant.
    found = list(_values(text, begin))
    chosen = _chosen(text, begin, found, wanted)
    if not isinstance(chosen, _Placed):
        return Repaired(text, why=chosen)
    value = chosen.value
    if chosen.is_fenced:
        cut.append("fence")
    if chosen.has_prose:
        cut.append("prose")
    if value.respelt and not is_json(value.text):
        return Repaired(text, why="syntax")
    if not cut and not value.respelt:
        cut.append("prose")  # white space that isn't JSON's
    return Repaired(value.text, tuple(cut), value.respelt)


def _whole(text: str, wanted: Wanted) -> Repaired:
    """`text`, which is JSON, if it is what was wanted."""
    first = text.lstrip(_BLANK)[:1]
    kind: Wanted = "object" if first == "{" else "array" if first == "[" else "any"
    if wanted == kind or (wanted == "any" and first != '"'):
        return Repaired(text)
    if first == '"':
        try:
            inside = orjson.loads(text)
        except orjson.JSONDecodeError:
            inside = ""
        opening = inside.lstrip(_BLANK)[:1]
        fits = opening in ("{", "[") if wanted == "any" else opening == ("{" if wanted == "object" else "[")
        if fits and is_json(inside):
            return Repaired(inside, ("string",))
        if wanted == "any":
            return Repaired(text)
    return Repaired(text, why="kind")


def _after_thinking(text: str, begin: int) -> int | None:
    """Where reasoning that stands at `begin` ends; `begin` if there is none, `None` if it has no end."""
    place = begin
    while opening := _THINK.match(text, place):
        closing = _UNTHINK.search(text, opening.end())
        if closing is None:
            return None
        place = closing.end()
    if place == begin and (closing := _UNTHINK.search(text, begin)):  # some endpoints leave the opening tag out
        bracket = _BRACKET.search(text, begin)
        if bracket is None or closing.start() < bracket.start():
            place = closing.end()
    return place


@dataclass(frozen=True, slots=True)
class _Placed:
    value: Found
    is_fenced: bool
    has_prose: bool
    """Something stands beside it but its fence."""


def _values(text: str, begin: int) -> Iterator[Found | Failed]:
    """The objects and arrays from `begin` on, none within another. One that is broken without doubt is the last."""
    place = begin
    for _ in range(_MOST_BRACKETS):
        bracket = _BRACKET.search(text, place)
        if bracket is None:
            return
        value = scan(text, bracket.start())
        if isinstance(value, Found):
            yield value
            place = value.end
        elif value.is_json or value.why == "deep":
            yield value
            return
        else:
            if value.why in ("cut", "nan"):
                yield value
            place = max(value.at, bracket.end())
    yield Failed(place, "syntax", is_json=False)


def _chosen(text: str, begin: int, found: list[Found | Failed], wanted: Wanted) -> _Placed | Why:
    """The value that was meant, or why there is none."""
    broken = [value for value in found if isinstance(value, Failed)]
    placed = [_placed(text, begin, value) for value in found if isinstance(value, Found)]
    fitting = [one for one in placed if wanted == "any" or one.value.is_object == (wanted == "object")]
    certain = next((value for value in broken if value.is_json or value.why == "deep"), None)
    # 1. One in a fence with keys, whatever stands in sentences beside it.
    keyed = [one for one in fitting if one.value.has_keys]
    fenced = [one for one in keyed if one.is_fenced]
    if fenced:
        return fenced[0] if _are_alike(fenced) else "two"
    # 2. One with keys. Two that differ, or one that is broken beside it: nobody knows which was meant.
    if certain is not None:
        return "two" if keyed else certain.why
    if keyed:
        return keyed[0] if _are_alike(keyed) else "two"
    # 3. One without keys, which may be a bracket of a sentence.
    alone = [one for one in fitting if one.is_fenced or not one.has_prose or wanted == "array" or one.value.is_object]
    alone = [one for one in alone if one.value.is_object] or alone
    if alone:
        return alone[0] if _are_alike(alone) else "two"
    if broken:
        return broken[0].why
    return "kind" if placed and wanted != "any" else "none"


def _are_alike(placed: list[_Placed]) -> bool:
    return len({one.value.text for one in placed}) == 1


def _placed(text: str, begin: int, value: Found) -> _Placed:
    """`value` with what stands beside it."""
    from_ = max(begin, value.start - _LONGEST_OPENING)
    opening = _OPENING.search(text[from_ : value.start])
    before_end = value.start if opening is None else from_ + opening.start()
    after = value.end
    if opening is not None and (closing := _CLOSING.match(text, after)):
        after = closing.end()
    has_before = not _is_blank(text, begin, before_end)
    return _Placed(value, opening is not None, has_before or not _is_blank(text, after, len(text)))


_BLANKS: Final = re.compile(f"[{_NOTHING}]*+")


def _is_blank(text: str, begin: int, end: int) -> bool:
    blank = _BLANKS.match(text, begin, end)
    return blank is not None and blank.end() >= end
