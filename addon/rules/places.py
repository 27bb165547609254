"""Where messages stood when the request came, and where they stand now: rules join, move and insert some.

A rule names a place in the body as it found it. `Track` follows each message from rule to rule, by the identity of its
object, and notes for each change where its message stood first. It does so only where a rule has made changes, and
keeps nothing where no message has moved: most requests cost it the copy of a short list for each rule that runs.

A rule may put a new object in a message's place, or one in the place of several: the client's own objects may be shared
with other requests. What is new between two objects that have stayed is then read against what is gone there: it is
the message whose text it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import is_
from typing import Any

from ..exchange import MAX_CHANGES, Change, JsonObject

NAME = "places"
"""Of the note in an exchange (`exchange.notes`)."""
INSERTED = -1
"""The origin of a message that a rule has added."""
MOST_RUNS = 2000
"""Runs of messages that one note lists; what stands behind them isn't known."""

_MESSAGE = re.compile(r"/messages/(\d+)(?:/|$)")


def message_of(pointer: str) -> int | None:
    """The number of the message that a JSON Pointer leads to or into; `None` where it leads elsewhere."""
    found = _MESSAGE.match(pointer)
    return int(found[1]) if found else None


class Track:
    """The messages of one body on their way through the rules. `before`: the note of an earlier way, if any."""

    def __init__(self, before: JsonObject | None = None) -> None:
        known = Moved.from_note(before) if before else None
        self._origins = known.origins if known else None
        """Where each message stood first; `None` while none has moved."""
        self._places = known.places if known else []
        """Where each message that came stands now."""
        self._changes: list[list[int]] = []
        """Of each change so far: where its message stood first, and where it stands now; -1 for neither."""

    def follow(self, before: Sequence[Any], after: Sequence[Any], made: Iterable[Change]) -> None:
        """A rule made the changes `made`, and the list of messages `before` became `after`."""
        origins = self._origins
        for change in islice(made, max(0, MAX_CHANGES - len(self._changes))):
            at = message_of(change.pointer)
            if at is None:
                self._changes.append([INSERTED, INSERTED])
            elif origins is None:
                self._changes.append([at, at])
            else:
                self._changes.append([origins[at] if at < len(origins) else INSERTED, at])
        if len(before) == len(after) and all(map(is_, before, after)):
            return
        forward, sources = matched(before, after)
        for noted in self._changes:
            if noted[1] != INSERTED:
                noted[1] = forward[noted[1]] if noted[1] < len(forward) else INSERTED
        if origins is None:
            self._origins, self._places = sources, forward
        else:
            self._origins = [origins[source] if 0 <= source < len(origins) else INSERTED for source in sources]
            self._places = [forward[place] if place < len(forward) else INSERTED for place in self._places]

    def note(self, first: int) -> JsonObject | None:
        """What a saved exchange needs of it: plain data. `None` where no message has moved.

        `first`: the number of the first change that it has followed, among those of the exchange.
        """
        if self._origins is None:
            return None
        return {
            "first": first,
            "changes": [number for noted in self._changes for number in noted],
            "origins": _runs(self._origins),
            "places": _runs(self._places),
        }


@dataclass(frozen=True, slots=True)
class Moved:
    """What a note of `Track` says."""

    first: int
    """The number of the first change in `changes`."""
    changes: list[tuple[int, int]]
    """Of each change: where its message stood first, and where it stands now; -1 for neither."""
    origins: list[int]
    """Where each message that is there now stood first; -1: it was added."""
    places: list[int]
    """Where each message that came stands now, or the one that it was joined to."""

    @classmethod
    def from_note(cls, note: JsonObject) -> Moved | None:
        """`None` where the note isn't sound: it may be from a file."""
        first = note.get("first")
        changes, origins, places = (_numbers(note.get(key)) for key in ("changes", "origins", "places"))
        if not isinstance(first, int) or changes is None or origins is None or places is None:
            return None
        pairs = list(zip(changes[::2], changes[1::2], strict=False))
        return cls(first, pairs, _unfolded(origins), _unfolded(places))


def matched(before: Sequence[Any], after: Sequence[Any]) -> tuple[list[int], list[int]]:
    """Two states of a list of messages: where each of `before` is in `after`, and the other way round.

    One that was joined to another is where that other is. One that is new is `INSERTED`.
    """
    known = {id(message): at for at, message in enumerate(before) if isinstance(message, dict)}
    sources = [known.get(id(message), INSERTED) if isinstance(message, dict) else INSERTED for message in after]
    forward = [INSERTED] * len(before)
    for at, source in enumerate(sources):
        if source != INSERTED:
            forward[source] = at
    # 1. What is new, run by run, is read against what is gone behind the message that stands before it.
    end = 0
    while end < len(after):
        begin = end
        while end < len(after) and sources[end] == INSERTED:
            end += 1
        if end > begin:
            gone = last = sources[begin - 1] + 1 if begin else 0
            while last < len(before) and forward[last] == INSERTED:
                last += 1
            _pair(before, range(gone, last), after, range(begin, end), sources=sources, forward=forward)
        end += 1
    # 2. What is still gone is where the message before it is.
    place = 0
    for at, found in enumerate(forward):
        place = forward[at] = place if found == INSERTED else found
    return forward, sources


def _pair(
    before: Sequence[Any],
    gone: Sequence[int],
    after: Sequence[Any],
    new: Sequence[int],
    *,
    sources: list[int],
    forward: list[int],
) -> None:
    """Find what is `gone` from `before` in what is `new` in `after`, in order: by what is said, else by roles.

    One that is new may say what several have said. It comes from the first of them.
    """
    i = j = heard = 0  # `heard`: how far the new one's text has been found
    while i < len(gone) and j < len(new):
        old, text = before[gone[i]], _said(after[new[j]])
        said = _said(old)
        found = _end_in(text, said, heard)
        if found is None and not said and len(gone) - i == len(new) - j and _role(old) == _role(after[new[j]]):
            found = heard  # an image alone, or nothing: nothing tells it from another
        if found is not None:
            heard = found
            forward[gone[i]] = new[j]
            if sources[new[j]] == INSERTED:
                sources[new[j]] = gone[i]
            i += 1
        elif j + 1 < len(new) and _end_in(_said(after[new[j + 1]]), said, 0) is not None:
            j, heard = j + 1, 0
        elif i + 1 < len(gone) and _end_in(text, _said(before[gone[i + 1]]), heard) is not None:
            i += 1
        elif len(new) - j > len(gone) - i:
            j, heard = j + 1, 0
        else:
            i += 1


def _end_in(text: str, said: str, start: int) -> int | None:
    """Where `said` ends in `text`, not far behind `start`; `None` where it isn't there, or nothing is said."""
    head, tail = said[:_COMPARED], text[-_COMPARED:]
    if not (head and tail):
        return None
    at = text.find(head, start, start + _BETWEEN + len(head))
    if at >= 0:
        return at + len(said)
    return len(text) if said.endswith(tail) else None  # its beginning has gone elsewhere


_COMPARED = 200
"""Characters by which a text is known again."""
_BETWEEN = 1000
"""Characters that a rule may put between two texts that it joins, at most."""


def _said(message: Any) -> str:
    """The text of a message's content, or of what is no message."""
    given = message.get("content") if isinstance(message, dict) else message
    if isinstance(given, list):
        given = "\n\n".join(text for part in given if isinstance(text := _text(part), str))
    return given.strip() if isinstance(given, str) else ""


def _text(part: Any) -> Any:
    return part.get("text") if isinstance(part, dict) else part


def _role(message: Any) -> object:
    return message.get("role") if isinstance(message, dict) else None


def _runs(numbers: Sequence[int]) -> list[int]:
    """`numbers` as a flat list of runs: the first number, how many there are, what is added from one to the next."""
    runs: list[int] = []
    last = INSERTED
    for number in numbers:
        step = number - last
        if runs and step in (0, 1) and (runs[-2] == 1 or runs[-1] == step) and not (step and last == INSERTED):
            runs[-2] += 1
            runs[-1] = step
        elif len(runs) >= 3 * MOST_RUNS:
            break
        else:
            runs += [number, 1, 0]
        last = number
    return runs


def _unfolded(runs: list[int]) -> list[int]:
    numbers: list[int] = []
    for first, count, step in zip(runs[::3], runs[1::3], runs[2::3], strict=False):
        if not 0 < count <= _LONGEST_RUN - len(numbers):
            break
        numbers += range(first, first + count) if step else [first] * count
    return numbers


def _numbers(value: object) -> list[int] | None:
    return value if isinstance(value, list) and all(type(number) is int for number in value) else None


_LONGEST_RUN = 1_000_000
"""Messages of one request. A note from a file may say anything."""
