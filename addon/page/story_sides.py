"""Both sides of a request: what came beside what was sent, row by row as people read messages.

A row holds the messages that are one and the same on both sides: one beside one, several that were joined beside the
one that they became, one alone that is gone or new. Rows stand in the order of what was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict

from ..exchange import Exchange, JsonObject
from ..rules.places import INSERTED, NAME, Moved
from ..views import places
from . import story_messages
from .changed_words import Ranges, Work, differences
from .story_messages import Kind, Message, Piece, Room, Span

type State = Literal["same", "changed", "added", "removed", "joined", "split"]

MOST_ROWS: Final = 300
"""Rows that a story has in it; the others are asked for."""
_AROUND: Final = 1
"""Unchanged rows that are shown beside one that was changed, and at both ends."""
_MOST_JOINED: Final = 6
"""Messages on one side of a row: the first ones, and the last."""
_MOST_COMPARED: Final = 4_000_000
"""Characters in which it is looked whether a message was joined to another."""


class ShownPiece(TypedDict, total=False):
    """A part of a message. `at`: where the rest of its text can be asked for."""

    kind: Kind
    at: str
    spans: list[Span]
    name: str
    id: str
    url: str
    shown: bool
    state: str
    description: str


class ShownMessage(TypedDict):
    """A message on one side."""

    number: int
    role: str
    at: str
    name: str
    id: str
    pieces: list[ShownPiece]
    more: int


class ShownRow(TypedDict):
    """A row. `changes`: the numbers of the groups of changes that were made here; `moved`: it stood elsewhere."""

    row: int
    state: State
    moved: bool
    came: list[ShownMessage]
    sent: list[ShownMessage]
    changes: list[int]
    left_out: int
    """Messages of what came that aren't listed: those between the first ones and the last."""


class Fold(TypedDict):
    """Rows that aren't in the story: from `fold` on, so many, of which so many were changed."""

    fold: int
    count: int
    changed: int


@dataclass(slots=True)
class Row:
    """A row, before it is shown."""

    came: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    state: State = "same"
    moved: bool = False
    changes: list[int] = field(default_factory=list)


class Sides:
    """The messages of a request as they came and as they were sent, in rows."""

    def __init__(self, exchange: Exchange, came: JsonObject, sent: JsonObject) -> None:
        self.given, self.left = story_messages.listed(came), story_messages.listed(sent)
        self.came, self.sent = story_messages.messages(self.given), story_messages.messages(self.left)
        self.rows = _arranged(_pairs(exchange, self), len(self.came), len(self.sent))
        reached = INSERTED
        for row in self.rows:
            row.moved = bool(row.came and row.sent) and row.came[0] < reached
            reached = max([reached, *row.came])
            row.state = self._state(row)

    def stand(self, came: Mapping[int, str], sent: Mapping[int, str]) -> None:
        """Say where messages stand in the bodies themselves."""
        for listed, known in ((self.came, came), (self.sent, sent)):
            for message in listed:
                message.at = known.get(message.number, "")

    def _state(self, row: Row) -> State:
        if not row.came:
            return "added"
        if not row.sent:
            return "removed"
        if len(row.came) > 1:
            return "joined"
        if len(row.sent) > 1:
            return "split"
        same = self.came[row.came[0]].said == self.sent[row.sent[0]].said
        return "same" if same else "changed"

    def shown(self, room: Room) -> list[ShownRow | Fold]:
        """The rows of a story: those that tell something, and folds in the place of the others."""
        count = len(self.rows)
        wanted = set(range(min(2, count))) | set(range(max(0, count - 2), count))
        for number, row in enumerate(self.rows):
            if row.state != "same" or row.moved or row.changes:
                wanted |= set(range(max(0, number - _AROUND), min(count, number + _AROUND + 1)))
            if len(wanted) > MOST_ROWS:
                break
        # A fold of one row is no shorter than the row.
        wanted |= {at for at in range(1, count - 1) if at - 1 in wanted and at + 1 in wanted}
        chosen = sorted(wanted)[:MOST_ROWS]
        listed: list[ShownRow | Fold] = []
        work, reached = Work(), 0
        for number in [*chosen, count]:
            if number > reached:
                between = self.rows[reached:number]
                changed = sum(row.state != "same" or bool(row.changes) for row in between)
                listed.append({"fold": reached, "count": number - reached, "changed": changed})
            if number < count:
                listed.append(self.row(number, room, work))
            reached = number + 1
        return listed

    def row(self, number: int, room: Room, work: Work) -> ShownRow:
        """One row, with what differs marked."""
        row = self.rows[number]
        came = [self.came[at] for at in row.came]
        sent = [self.sent[at] for at in row.sent]
        marks = _marks(came, sent, work) if row.state in ("changed", "joined", "split") else {}
        left_out = max(0, len(came) - _MOST_JOINED)
        if left_out:
            came = [*came[: _MOST_JOINED - 1], came[-1]]
        return {
            "row": number,
            "state": row.state,
            "moved": row.moved,
            "came": [_shown(message, marks, room) for message in came],
            "sent": [_shown(message, marks, room) for message in sent[:_MOST_JOINED]],
            "changes": row.changes,
            "left_out": left_out,
        }


def _pairs(exchange: Exchange, sides: Sides) -> list[tuple[int, int]]:
    """Which message that came is which that was sent, several of either side for one of the other."""
    came, left = sides.given, sides.left
    note = exchange.notes.get(NAME)
    moved = Moved.from_note(note) if isinstance(note, dict) else None
    if moved is not None and len(moved.origins) == len(left) and len(moved.places) == len(came):
        found = [(origin, place) for place, origin in enumerate(moved.origins) if 0 <= origin < len(came)]
        stayed = {origin for origin, _ in found}
        gone = [(at, place) for at, place in enumerate(moved.places) if at not in stayed and 0 <= place < len(left)]
        return found + list(_joined(sides, gone))
    if moved is None and len(came) == len(left) and exchange.dialect == "chat":
        return [(at, at) for at in range(len(came))]
    there, back = places.same(came, left), places.same(left, came)
    return list({*there.items(), *((origin, place) for place, origin in back.items())})


def _joined(sides: Sides, gone: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Those of the messages that are gone which the one at their place has taken up: it has their text."""
    may_read = _MOST_COMPARED
    reached: dict[int, int] = {}
    texts: dict[int, str] = {}
    for at, place in gone:
        said = sides.came[at].text("text").strip()[:200]
        if place not in texts:
            texts[place] = sides.sent[place].text("text")
        text, begin = texts[place], reached.get(place, 0)
        found = text.find(said, begin) if said and may_read > 0 else -1
        may_read -= (len(text) - begin) if found < 0 else found - begin
        if found >= 0:
            reached[place] = found
            yield at, place


def _arranged(pairs: Sequence[tuple[int, int]], came: int, sent: int) -> list[Row]:
    """The rows that the pairs make, and a row for each message without one."""
    origins: dict[int, list[int]] = {}
    for at, place in sorted(pairs):
        origins.setdefault(place, []).append(at)
    rows: list[Row] = []
    holder: dict[int, Row] = {}
    # 1. What was sent, with what it comes from.
    for place in range(sent):
        mine = origins.get(place, [])
        fresh = [at for at in mine if at not in holder]
        if mine and not fresh and rows and holder[mine[0]] is rows[-1]:
            rows[-1].sent.append(place)  # one has become several
            continue
        rows.append(Row(fresh, [place]))
        holder.update((at, rows[-1]) for at in fresh)
    # 2. What is gone stands behind what it stood behind.
    behind: dict[int, list[Row]] = {}
    last: Row | None = None
    for at in range(came):
        if at in holder:
            last = holder[at]
        else:
            behind.setdefault(id(last), []).append(Row([at], []))
    ordered = behind.get(id(None), [])
    for row in rows:
        ordered += [row, *behind.get(id(row), ())]
    return list(_met(ordered))


def _met(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows, with one that is gone and one that is new on one row where they stand beside each other."""
    at = 0
    while at < len(rows):
        here, there = rows[at], rows[at + 1] if at + 1 < len(rows) else None
        before = rows[at - 1] if at else None
        further = rows[at + 2] if at + 2 < len(rows) else None
        is_pair = there is not None and bool(here.sent) != bool(there.sent) and bool(here.came) != bool(there.came)
        is_alone = all(one is None or (one.came and one.sent) for one in (before, further))
        if is_pair and is_alone and there is not None:
            yield Row([*here.came, *there.came], [*here.sent, *there.sent])
            at += 2
        else:
            yield here
            at += 1


def _marks(came: Sequence[Message], sent: Sequence[Message], work: Work) -> dict[int, Ranges]:
    """What differs in the pieces of one row, by their identity; pieces that are the same have no ranges."""
    marks: dict[int, Ranges] = {}
    for kind in ("text", "reasoning", "other"):
        ours, theirs = _of_kind(came, kind), _of_kind(sent, kind)
        old, new = ("\n\n".join(piece.text for piece in pieces) for pieces in (ours, theirs))
        gone, new_parts = differences(old, new, work)
        marks |= _split(ours, gone) | _split(theirs, new_parts)
    for old_piece, new_piece in _matched(_of_kind(came, "call"), _of_kind(sent, "call")):
        gone, new_parts = differences(old_piece.text if old_piece else "", new_piece.text if new_piece else "", work)
        marks |= {id(piece): found for piece, found in ((old_piece, gone), (new_piece, new_parts)) if piece}
    left, there = ({piece.said for piece in _of_kind(side, "image")} for side in (came, sent))
    marks |= {id(piece): [(0, len(piece.text))] for piece in _of_kind(came, "image") if piece.said not in there}
    marks |= {id(piece): [(0, len(piece.text))] for piece in _of_kind(sent, "image") if piece.said not in left}
    return marks


def _of_kind(messages: Sequence[Message], kind: Kind) -> list[Piece]:
    return [piece for message in messages for piece in message.pieces if piece.kind == kind]


def _matched(came: list[Piece], sent: list[Piece]) -> Iterator[tuple[Piece | None, Piece | None]]:
    """Calls on both sides: by their ids, else by their places."""
    known = {piece.id: piece for piece in sent if piece.id}
    if all(piece.id in known for piece in came) and len(came) == len(sent):
        yield from ((piece, known[piece.id]) for piece in came)
        return
    for at in range(max(len(came), len(sent))):
        yield came[at] if at < len(came) else None, sent[at] if at < len(sent) else None


def _split(pieces: Sequence[Piece], ranges: Ranges) -> dict[int, Ranges]:
    """Ranges of the text of all `pieces`, which two line ends stand between, as those of each."""
    found: dict[int, Ranges] = {}
    begin, number = 0, 0
    for piece in pieces:
        end = begin + len(piece.text)
        mine: Ranges = []
        while number < len(ranges) and ranges[number][0] < end:
            first, last = ranges[number]
            if last > begin:
                mine.append((max(first, begin) - begin, min(last, end) - begin))
            if last > end:
                break
            number += 1
        found[id(piece)] = mine
        begin = end + 2
    return found


def _shown(message: Message, marks: Mapping[int, Ranges], room: Room) -> ShownMessage:
    return {
        "number": message.number,
        "role": message.role,
        "at": message.at,
        "name": message.name,
        "id": message.id,
        "pieces": [_shown_piece(piece, marks.get(id(piece), ()), room) for piece in message.pieces],
        "more": message.more,
    }


def _shown_piece(piece: Piece, ranges: Sequence[tuple[int, int]], room: Room) -> ShownPiece:
    shown: ShownPiece = {"kind": piece.kind, "at": piece.at, "spans": room.spans(piece.text, ranges)}
    if ranges:
        shown["state"] = "changed"
    if piece.name:
        shown["name"] = piece.name
    if piece.id:
        shown["id"] = piece.id
    if piece.url:
        shown["url"] = piece.url[:500]
    if piece.is_shown:
        shown["shown"] = True
    if piece.description:
        shown["description"] = piece.description
    return shown


def positions(chat: Sequence[Any], body: JsonObject, dialect: str) -> dict[int, str]:
    """Where each message of a body in the shapes of chat stands in the body itself."""
    for key in ("messages", "Messages"):
        given = body.get(key)
        if isinstance(given, list) and len(given) == len(chat) and not body.get("system"):
            return {number: f"/{key}/{number}" for number in range(len(chat))}
    return places.found(chat, body)
