"""The last exchanges and what each has told: names and numbers, no content. What the admin server shows is from here.

Bounded in number and bytes: the oldest go first. Events are kept as they are heard; all else is worked out when
somebody looks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from .. import events
from ..events import Event
from ..exchange import JsonObject

MOST = 1000
"""Exchanges."""
MOST_BYTES = 8 << 20
"""Of all exchanges together, as `_size` estimates them."""
MOST_EVENTS = 100
"""Events of one exchange. Of the others the last one alone is kept."""
MOST_RECENT = 2000
"""Events of all exchanges, for listeners."""
_LARGEST = 4096
"""Bytes of one event. The texts and lists of a larger one are shortened."""
_LONGEST = 200
"""Characters of such a text."""
_MOST_ITEMS = 20
_OVERHEAD = 300
"""Bytes of an event without any data."""


@dataclass(slots=True)
class Kept:
    """An exchange, by what it has told."""

    id: str
    events: list[Event] = field(default_factory=list)
    size: int = 0

    def summary(self) -> JsonObject:
        """Names and numbers: those of its `Done` if it is over, else those that are known by now."""
        first, last = self.events[0], self.events[-1]
        found: JsonObject = {"id": self.id, "at": first.at, "last": last.kind, "over": last.kind == events.DONE}
        if last.kind == events.DONE:
            return {**last.data, **found}
        for event in self.events:
            found |= {name: event.data[name] for name in _KNOWN_BEFORE if name in event.data}
        return found

    def timeline(self) -> list[JsonObject]:
        """Its events in their order, each with the milliseconds since the first."""
        began = self.events[0].at
        return [
            {"kind": event.kind, "at": event.at, "ms": round((event.at - began) * 1000, 3), "data": event.data}
            for event in self.events
        ]


_KNOWN_BEFORE = ("profile", "dialect", "mode", "client", "program", "session", "kind", "model", "status", "upstream")
"""What events before the last one tell of the exchange as a whole."""


class LastExchanges:
    """The sink that keeps them. On the event loop only."""

    name = "last_exchanges"
    kinds = events.KINDS

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES, most_recent: int = MOST_RECENT) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: dict[str, Kept] = {}
        """By id, the oldest first."""
        self._bytes = 0
        self.heard = 0
        """The number of the last event of all, since the start."""
        self._recent: deque[Event] = deque(maxlen=most_recent)
        self.woken: Callable[[], None] | None = None
        """Called at each event, if somebody listens. Must only take a note of it."""

    def hear(self, event: Event) -> None:
        """Keep `event`."""
        size = _size(event.data)
        if size > _LARGEST:
            event = Event(event.kind, event.id, event.at, _shortened(event.data))
            size = _LARGEST
        self.heard += 1
        self._recent.append(event)
        kept = self._kept.get(event.id)
        if kept is None:
            kept = self._kept[event.id] = Kept(event.id)
        if len(kept.events) < MOST_EVENTS:
            kept.events.append(event)
            kept.size += size
            self._bytes += size
        else:
            kept.events[-1] = event
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._bytes -= self._kept.pop(next(iter(self._kept))).size
        if self.woken is not None:
            self.woken()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def get(self, id: str) -> Kept | None:
        """The exchange with this id."""
        return self._kept.get(id)

    def newest(self, before: str = "") -> Iterator[Kept]:
        """All, the newest first; with `before` those older than the exchange with that id, which must be kept."""
        found = reversed(self._kept.values())
        for kept in found:
            if not before:
                yield kept
            elif kept.id == before:
                before = ""

    @property
    def oldest(self) -> int:
        """The number of the oldest event that `since` can give."""
        return self.heard - len(self._recent) + 1

    def since(self, number: int) -> list[tuple[int, Event]]:
        """The events after that with this number, each with its own. Those that are no longer kept are missing."""
        first = self.oldest
        skipped = max(0, number + 1 - first)
        return list(enumerate(islice(self._recent, skipped, None), first + skipped))


def _size(data: JsonObject) -> int:
    """Bytes that an event takes in memory, estimated from above in a microsecond."""
    size = _OVERHEAD
    for value in data.values():
        kind = type(value)
        if kind is str:
            size += len(value)
        elif kind is list or kind is dict:
            size += 200 * len(value)
    return size


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in list(value.items())[:MOST_EVENTS]}
    if isinstance(value, list):
        return [_shortened(item) for item in value[:_MOST_ITEMS]]
    return value
