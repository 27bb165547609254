"""Changes as a person reads them: alike ones on one line, in the order of the first, with their places.

    15 changes
    tools       /tools/0…11/function/strict  strict is not accepted in a function: removed (12)
    merge       /messages/2 → /messages/1  joined to the user message before
    bridge      → /messages/5  an assistant message between tool and user

What stands before an arrow is the place in the request as its client sent it, what stands behind it the place in the
one that left. Where both are the same, or the second holds the first, there is one pointer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..columns import width, wrap
from ..exchange import Change
from ..rules.places import message_of
from ..texts import sentences, terminal
from ..texts.terminal import say
from .places import Place

COLUMNS = 80
"""The width of a line: mitmweb wraps none, and shows about 85 columns in a window of 1400 pixels."""
_RULES, _POINTERS = 24, 32
"""The widest columns of rules and of pointers."""
_NUMBERS = 24
"""Characters of the numbers of alike changes, at most."""

_NUMBER = re.compile(r"(?<=/)\d+(?=/|$)")


@dataclass(slots=True)
class Fold:
    """Changes of one rule, for one reason, at places that differ in one number at most."""

    rule: str
    why: str
    pointers: list[tuple[str, str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """The places of these changes among all."""


def listing(changes: Sequence[Change], places: Sequence[Place] = ()) -> str:
    """The changes, alike ones folded: how many they are, then a line for each kind, wrapped."""
    if not changes:
        return say("Nothing was changed.")
    return "\n".join([_count(len(changes)), *_table(rows(changes, places))])


def rows(changes: Sequence[Change], places: Sequence[Place] = ()) -> list[tuple[str, str, str]]:
    """Rule, place and reason, in the terminal's language, of each kind of change."""
    return [(fold.rule, _shown(fold.pointers), _counted(fold)) for fold in folds(changes, places)]


def each(changes: Sequence[Change], places: Sequence[Place] = ()) -> str:
    """Every change on lines of its own."""
    pairs = zip(changes, _pointers(changes, places), strict=True)
    return "\n".join(_table([(change.rule, _arrow(*pointers), _why(change.why)) for change, pointers in pairs]))


def has_folds(changes: Sequence[Change], places: Sequence[Place] = ()) -> bool:
    """Whether `listing` shows fewer lines than there are changes."""
    return len(folds(changes, places)) < len(changes)


def folds(changes: Sequence[Change], places: Sequence[Place] = ()) -> list[Fold]:
    """The changes by rule, reason and shape of their places, in the order of the first of each."""
    found: dict[tuple[str, ...], Fold] = {}
    for number, (change, pointers) in enumerate(zip(changes, _pointers(changes, places), strict=True)):
        shapes = [_NUMBER.sub("#", pointer) for pointer in pointers]
        fold = found.setdefault((change.rule, change.why, *shapes), Fold(change.rule, change.why))
        fold.pointers.append(pointers)
        fold.numbers.append(number)
    return list(found.values())


def _pointers(changes: Sequence[Change], places: Sequence[Place]) -> Iterator[tuple[str, str]]:
    """For each change its place as it was sent and as it left; the second is `""` where the first says it all."""
    for number, change in enumerate(changes):
        place = places[number] if number < len(places) else Place(None, None)
        original, final = place.original, place.final
        if change.pointer.startswith(original or "") and change.pointer.startswith(final or ""):
            # It has not moved, or isn't in a request. What it leads to is gone in one of the two, or in both.
            is_new = original is None and final is not None and message_of(change.pointer) is not None
            yield ("", final or "/") if is_new else (change.pointer or "/", "")
        elif original is None:
            yield "", final or "/"
        elif final is None or original == final or original.startswith(f"{final}/"):
            yield original or "/", ""
        else:
            yield original or "/", "" if original == final else final


def _arrow(original: str, final: str) -> str:
    return f"{original} → {final}".strip() if final else original


def _shown(pointers: Sequence[tuple[str, str]]) -> str:
    """The places of one fold as one text: what differs is a list of numbers."""
    if len(pointers) == 1:
        return _arrow(*pointers[0])
    originals, finals = zip(*pointers, strict=True)
    return _arrow(_range(originals), _range(finals))


def _range(pointers: Iterable[str]) -> str:
    different = list(dict.fromkeys(pointers))
    numbers = [[int(number) for number in _NUMBER.findall(pointer)] for pointer in different]
    varying = [slot for slot, values in enumerate(zip(*numbers, strict=True)) if len(set(values)) > 1]
    if len(varying) != 1:
        return different[0] if len(different) == 1 else f"{different[0]} …"
    pieces = _NUMBER.split(different[0])
    texts = [str(number) for number in numbers[0]]
    texts[varying[0]] = _spans(sorted(values[varying[0]] for values in numbers))
    texts.append("")
    return "".join(piece + text for piece, text in zip(pieces, texts, strict=True))


def _spans(numbers: Sequence[int]) -> str:
    """Numbers as `0…11, 14`, and an ellipsis where there are too many spans."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    text = ""
    for first, last in spans:
        span = f"{first}" if first == last else f"{first}…{last}"
        if text and len(text) + len(span) > _NUMBERS:
            return f"{text},…"
        text += f",{span}" if text else span
    return text


def _counted(fold: Fold) -> str:
    why = _why(fold.why)
    return why if len(fold.pointers) == 1 else f"{why} ({len(fold.pointers)})"


def _why(why: str) -> str:
    return sentences.translated(terminal.language(), why)


def _count(count: int) -> str:
    return say("1 change") if count == 1 else say("{count} changes", count=count)


def _table(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Rule, place and reason in columns. A reason that doesn't fit on the line stands below the place, wrapped."""
    rules = min(max((width(rule) for rule, _, _ in rows), default=0), _RULES)
    places = min(max((width(place) for _, place, _ in rows), default=0), _POINTERS)
    for rule, place, why in rows:
        head = f"{_padded(rule, rules)}  {_padded(place, places)}"
        if width(head) + 2 + width(why) <= COLUMNS:
            yield f"{head}  {why}"
            continue
        yield f"{_padded(rule, rules)}  {place}"
        indent = " " * (rules + 4)
        yield from (indent + line for line in wrap(why, COLUMNS - len(indent)))


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))
