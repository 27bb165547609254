"""What was changed in an exchange, and why: alike changes as one, each with its places and the reason of its rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypedDict

from ..exchange import Exchange, printable
from ..rules.explained import explanations
from ..texts import sentences
from ..views import folded
from ..views.places import Place
from .story_sides import Sides

MOST_GROUPS: Final = 200
_MOST_PLACES: Final = 20
"""Places of one group."""
_LONGEST: Final = 400
"""Characters of a pointer or a reason."""


class ShownPlace(TypedDict):
    """Where a change was made: in the body that came, and in the one that was sent; `""`: nowhere in it.

    `row`: that of the two sides in which it stands; -1: none.
    """

    came: str
    sent: str
    row: int


class ShownChange(TypedDict):
    """Alike changes. `repairs`, `because`, `file`: what the rule is for, and where it is."""

    number: int
    rule: str
    why: str
    count: int
    places: list[ShownPlace]
    repairs: str
    because: str
    file: str
    part: str
    """Where it is seen: `messages`, `tools`, `parameters`, `answer`, or `""`: nowhere."""


@dataclass(frozen=True, slots=True)
class Group:
    """Alike changes, with the place of each."""

    rule: str
    why: str
    places: Sequence[Place]
    pointers: Sequence[str]
    """As their rule found them."""


def groups(exchange: Exchange, places: Sequence[Place]) -> list[Group]:
    """The changes of an exchange, alike ones together."""
    changes = list(exchange.changes)
    return [
        Group(
            fold.rule,
            fold.why,
            [places[number] if number < len(places) else Place(None, None) for number in fold.numbers],
            [changes[number].pointer for number in fold.numbers],
        )
        for fold in folded.folds(changes, places)[:MOST_GROUPS]
    ]


def shown(found: Sequence[Group], rules: Sequence[str], sides: Sides | None, language: str) -> list[ShownChange]:
    """The groups as they are shown, and each rule that named no place; rows of `sides` are told of their changes.

    `rules`: all that have changed anything, as the exchange's events tell.
    """
    row_at = dict(_rows(sides)) if sides is not None else {}
    listed = [_group(number, group, sides, row_at, language) for number, group in enumerate(found)]
    if sides is not None:
        _to_what_is_new(sides, listed)
    named = {group.rule for group in found}
    for rule in rules[:MOST_GROUPS]:
        if rule not in named:
            listed.append(_group(len(listed), Group(rule, "", [], []), None, {}, language))
    return listed


def _group(
    number: int, group: Group, sides: Sides | None, row_at: Mapping[tuple[str, str], int], language: str
) -> ShownChange:
    places: list[ShownPlace] = []
    for place in group.places:
        row = _row(place, row_at)
        if sides is not None and row >= 0 and number not in sides.rows[row].changes:
            sides.rows[row].changes.append(number)
        if len(places) < _MOST_PLACES:
            places.append({"came": _cut(place.original), "sent": _cut(place.final), "row": row})
    explained = explanations().get(group.rule)
    explained = None if explained is None else explained.in_language(language)
    return {
        "number": number,
        "rule": _cut(group.rule),
        "why": _cut(sentences.translated(language, group.why)),
        "count": max(1, len(group.places)),
        "places": places,
        "repairs": explained.repairs if explained else "",
        "because": explained.why if explained else "",
        "file": explained.file if explained else "",
        "part": _part(group, places),
    }


def _to_what_is_new(sides: Sides, listed: Sequence[ShownChange]) -> None:
    """A rule that puts a message before another names the other, in which nothing is seen: the new one is meant."""
    for number, (new, old) in enumerate(pairwise(sides.rows)):
        if new.state == "added" and not new.changes and old.state == "same" and old.changes:
            new.changes, old.changes = old.changes, []
            for change in new.changes:
                for place in listed[change]["places"]:
                    if place["row"] == number + 1:
                        place["row"] = number


def _part(group: Group, places: Sequence[ShownPlace]) -> str:
    if group.rule.startswith("answer-"):
        return "answer"
    if any(place["row"] >= 0 for place in places):
        return "messages"
    pointers = [pointer for place in places for pointer in (place["came"], place["sent"])] or list(group.pointers)
    if any(pointer.startswith(("/tools", "/functions")) for pointer in pointers):
        return "tools"
    return "parameters" if places else ""


def of_field(found: Sequence[Group], name: str) -> list[int]:
    """The numbers of the groups that changed something in a field of the body."""
    way = f"/{name}"
    return [
        number
        for number, group in enumerate(found)
        if any(
            pointer == way or pointer.startswith(f"{way}/")
            for place, own in zip(group.places, group.pointers, strict=True)
            for pointer in (place.original or "", place.final or "", own)
        )
    ]


def _rows(sides: Sides) -> Iterator[tuple[tuple[str, str], int]]:
    for number, row in enumerate(sides.rows):
        for side, listed, mine in (("came", sides.came, row.came), ("sent", sides.sent, row.sent)):
            for at in mine:
                if listed[at].at:
                    yield (side, listed[at].at), number


def _row(place: Place, row_at: Mapping[tuple[str, str], int]) -> int:
    """The row in which a place stands; -1: in none."""
    for side, pointer in (("came", place.original), ("sent", place.final)):
        # A message is at the second level of a body (`/messages/3`), or at the first (`/system`).
        parts = (pointer or "").split("/")
        for depth in (3, 2):
            found = row_at.get((side, "/".join(parts[:depth])))
            if found is not None:
                return found
    return -1


def _cut(text: str | None) -> str:
    return printable((text or "")[:_LONGEST])
