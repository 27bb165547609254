"""What tells the turns of a conversation apart: digests, by which a turn is known again when a client sends it back.

A turn is what the assistant says and calls between two messages of others. Clients change what they send back: they
drop fields, trim texts, sort the keys of arguments, write other ids, cut one message into several and join several into
one (docs/facts/kimi.md#reasoning-memory). So a digest leaves out all of that:

1. Of texts, white space. Of neighbours of one role only the whole counts, of tool results not their order.
2. Of calls, those whose arguments are no JSON object: clients drop them. Arguments are compared as values.
3. Of a turn with calls, its text: clients drop one or the other. The calls tell enough.
4. Of the conversation before the turn, ids and reasoning.

A turn has several digests, from one that only this turn has to one that survives a conversation cut anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson

from ..wire import json_body

SIZE: Final = 16
"""Bytes of a digest."""

_WHITE_SPACE: Final = b" \t\n\r\x0b\x0c"
_END: Final = b"\xff"
"""Stands behind each piece of what is digested. It is in no UTF-8."""
_NOT_IN_IDS: Final = re.compile(r"[^A-Za-z0-9]+")
_DIGITS: Final = b"0123456789"
_SHORTEST_RANDOM: Final = 8
"""Digits that are no count."""
_TELLING: Final = 32
"""Bytes of arguments that hardly any other call has."""
_LONGEST_ID: Final = 64
"""Characters of an id that count: clients cut longer ones."""
_WHOLE_FLOAT: Final = re.compile(rb"([:\[,]-?\d+)\.0(?=[,\]}])")
"""An integer that is written as a float: JavaScript writes 1.0 as 1."""
_TAIL: Final = 64
"""Characters of an image's data that count, from its end."""


@dataclass(frozen=True, slots=True)
class Call:
    """A complete call of a tool."""

    name: bytes
    arguments: bytes
    """As JSON with sorted keys."""
    id: bytes

    @property
    def is_common(self) -> bool:
        """Whether other conversations may well have it: its arguments are short, and its id is a count.

        `functions.Bash:0` and `call_1` are counts. A random id has letters and digits in one piece, or many digits.
        """
        pieces = self.id.replace(_NOT_IN_IDS.sub("_", self.name.decode("utf-8", "replace")).encode(), b"").split(b"_")
        return len(self.arguments) < _TELLING and not any(
            any(byte in _DIGITS for byte in piece) and (len(piece) >= _SHORTEST_RANDOM or not piece.isdigit())
            for piece in pieces
        )


@dataclass(frozen=True, slots=True)
class Keys:
    """The digests of a turn."""

    exact: bytes
    """Of the whole conversation before it, all that it says, and the ids of its calls."""
    place: bytes
    """Of the conversation before it without system texts, and its calls without ids, or else its text."""
    calls: tuple[bytes, ...]
    """Of each call with its id, and of the first words of the conversation where other ones may have that call, too."""
    alone: bytes
    """Of what was said directly before it, and its calls without ids, or else its text."""


@dataclass(frozen=True, slots=True)
class Part:
    """A message of a turn. `number`: its place in the list of messages."""

    number: int
    has_calls: bool
    lacks: bool
    """It has no reasoning."""
    keys: Keys | None
    """Of the message as a turn of its own; `None` where it says nothing, or lacks nothing."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the history in which a message lacks its reasoning."""

    parts: Sequence[Part]
    keys: Keys | None
    """Of the turn as a whole."""


@dataclass(frozen=True, slots=True)
class _Said:
    number: int
    text: bytes
    calls: Sequence[Call]
    lacks: bool


class Conversation:
    """Reads a conversation from its beginning, a message at a time, and then what the assistant answers to it."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        """The turns that lack reasoning, once `end` was called."""
        self.last = -1
        """The number of the assistant's last message."""
        self._system = blake2b(digest_size=SIZE)
        self._before = blake2b(digest_size=SIZE)
        self._opening = b""
        """The digest of the first words."""
        self._neighbour = b""
        """The digest of what was said last by others than the assistant."""
        self._kind = b""
        self._others: list[bytes] = []
        """What was said by `_kind` since another spoke."""
        self._turn: list[_Said] = []

    def system(self, said: bytes) -> None:
        """A text that isn't part of what is said, wherever it stands."""
        self._system.update(said + _END)

    def user(self, said: bytes) -> None:
        """A message, or a part of one, of the user's."""
        self._other(b"user", said)

    def result(self, said: bytes) -> None:
        """What a tool gave."""
        self._other(b"result", said)

    def assistant(self, number: int, text: bytes, calls: Sequence[Call], *, lacks: bool) -> None:
        """A message of the assistant's, which has the place `number`. `lacks`: it has no reasoning."""
        self._end_others()
        self.last = number
        self._turn.append(_Said(number, text, calls, lacks))

    def end(self) -> None:
        """The history is read. `answered` may follow: the answer goes on with a turn that is the last."""
        self._end_others()
        self._find(self._turn)

    def answered(self, text: bytes, calls: Sequence[Call]) -> Keys | None:
        """The digests of an answer to the conversation, as a turn of it; `None` for one that says nothing."""
        begun = self._turn
        return self._keys(b"".join([*(said.text for said in begun), text]), [*_calls_of(begun), *calls])

    def _other(self, kind: bytes, said: bytes) -> None:
        self._end_turn()
        if kind != self._kind:
            self._end_others()
            self._kind = kind
        self._others.append(said)

    def _end_others(self) -> None:
        if not self._others:
            return
        joined = b"".join(self._others) if self._kind == b"user" else _END.join(sorted(map(digest, self._others)))
        self._others = []
        said = digest(self._kind, joined)
        self._before.update(said)
        self._opening = self._opening or said
        self._neighbour = said

    def _end_turn(self) -> None:
        if not self._turn:
            return
        turn, self._turn = self._turn, []
        self._find(turn)
        self._kind = b""
        self._before.update(digest(b"assistant", *_core(b"".join(said.text for said in turn), _calls_of(turn))))

    def _find(self, turn: Sequence[_Said]) -> None:
        if not any(said.lacks for said in turn):
            return
        parts = [
            Part(said.number, bool(said.calls), said.lacks, self._keys(said.text, said.calls) if said.lacks else None)
            for said in turn
        ]
        alone = parts[0].keys if len(parts) == 1 else None
        whole = alone or self._keys(b"".join(said.text for said in turn), _calls_of(turn))
        self.turns.append(Turn(parts, whole))

    def _keys(self, text: bytes, calls: Sequence[Call]) -> Keys | None:
        core = _core(text, calls)
        if not core:
            return None
        before = self._before.digest()
        ids = sorted(call.id for call in calls)
        return Keys(
            digest(b"exact", self._system.digest(), before, text, *core, *ids),
            digest(b"place", before, *core),
            tuple(
                digest(b"call", self._opening if call.is_common else b"", call.id, call.name, call.arguments)
                for call in calls
                if call.id
            ),
            digest(b"alone", self._neighbour, *core),
        )


def text_of(*texts: str) -> bytes:
    """Texts of one speaker, as they are digested."""
    return "".join(texts).encode("utf-8", "surrogatepass").translate(None, _WHITE_SPACE)


def call_of(name: object, arguments: object, id: object) -> Call | None:
    """A call as it is digested; `None` where its arguments are no JSON object."""
    given = arguments
    if isinstance(given, str):
        given = json_body.parse_object(given.encode("utf-8", "surrogatepass")) if given.strip() else {}
    elif given is None:
        given = {}
    if not isinstance(given, dict):
        return None
    try:
        written = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # an integer past 64 bits, or deep nesting
        try:
            written = json.dumps(given, sort_keys=True, separators=(",", ":")).encode()
        except RecursionError:
            return None
    if b".0" in written:
        written = _WHOLE_FLOAT.sub(rb"\1", written)
    named = str(name).encode("utf-8", "surrogatepass") if isinstance(name, str) else b""
    known = _NOT_IN_IDS.sub("_", id)[:_LONGEST_ID] if isinstance(id, str) else "" if id is None else str(id)
    return Call(named, written, known.encode("utf-8", "surrogatepass"))


def mark_of(part: Any) -> bytes:
    """A part of a content that is no text: an image, a file. Its data count by their end."""
    longest = ""
    waiting = [part]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            longest = max(longest, value, key=len)
        elif isinstance(value, dict | list):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return _END + longest[-_TAIL:].encode("utf-8", "surrogatepass")


def _core(text: bytes, calls: Sequence[Call]) -> list[bytes]:
    """What tells a turn from others: its calls, or else its text; empty where there is neither."""
    if calls:
        return [b"calls", *(piece for call in sorted(map(_said, calls)) for piece in call)]
    return [b"text", text] if text else []


def _said(call: Call) -> tuple[bytes, bytes]:
    return call.name, call.arguments


def _calls_of(turn: Iterable[_Said]) -> list[Call]:
    return [call for said in turn for call in said.calls]


def digest(*pieces: bytes) -> bytes:
    """The digest of some pieces of text."""
    made = blake2b(digest_size=SIZE)
    for piece in pieces:
        made.update(piece)
        made.update(_END)
    return made.digest()
