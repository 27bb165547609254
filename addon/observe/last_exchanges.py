"""The last exchanges and what each has told: names and numbers, no content. What the admin server shows is from here.

Bounded in number and bytes: the oldest go first. An event is kept as a row of values beside its names, which all events
of a kind share: a dict for each would take three times as much. All else is worked out when somebody looks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

from .. import events
from ..events import Event, Paid
from ..exchange import JsonObject

MOST = 10_000
"""Exchanges."""
MOST_BYTES = 48 << 20
"""Of all exchanges together, as `_size` estimates them from above: 10,000 with eight events each really take 35 MB."""
MOST_EVENTS = 100
"""Events of one exchange. Of the others the last one alone is kept."""
MOST_PAID = 100
"""Calls of one exchange that may have to be paid. Of the others the cost alone is kept."""
MOST_RECENT = 2000
"""Events of all exchanges, for listeners."""
_LARGEST = 8192
"""Bytes of one event. The texts and lists of a larger one are shortened."""
_LONGEST = 200
"""Characters of such a text."""
_MOST_ITEMS = 20
_MOST_SHAPES = 1000
"""Lists of names that are shared. Events have a few dozen."""
_MOST_TEXTS = 4096
"""Texts that are shared: names of models, clients, hosts, and those that several events of an exchange have."""
_SHARED = 64
"""Characters of a text that is shared at most."""


@dataclass(slots=True)
class _Row:
    """An event. `places`: name -> the place of its value."""

    kind: str
    at: float
    places: Mapping[str, int]
    values: tuple[Any, ...]

    @property
    def data(self) -> JsonObject:
        return dict(zip(self.places, self.values, strict=True))

    def get(self, name: str) -> Any:
        """The value with this name; `None` without one."""
        place = self.places.get(name)
        return None if place is None else self.values[place]


@dataclass(slots=True)
class Kept:
    """An exchange, by what it has told."""

    id: str
    rows: list[_Row] = field(default_factory=list)
    """Its events, but for those of calls that may have to be paid."""
    paid_rows: list[_Row] = field(default_factory=list)
    more_cost: dict[str, int] | None = None
    """What the calls cost for which there are no rows."""
    size: int = 0

    @property
    def at(self) -> float:
        """When it began: Unix time."""
        return self.rows[0].at

    @property
    def is_over(self) -> bool:
        """Whether it has told its end."""
        return self.rows[-1].kind == events.DONE

    @property
    def events(self) -> list[Event]:
        """What it has told, in that order, without `PAID`."""
        return [Event(row.kind, self.id, row.at, row.data) for row in self.rows]

    @property
    def paid(self) -> list[Paid]:
        """The calls made for it that may have to be paid, in the order in which they ended."""
        return [cast(Paid, row.data) for row in self.paid_rows]

    @property
    def cost(self) -> dict[str, int]:
        """What its calls cost by currency, in parts (`prices.UNITS` to one); those whose price is known."""
        found = dict(self.more_cost or {})
        for row in self.paid_rows:
            _add_cost(found, row.get("amount"), row.get("currency"))
        return found

    def get(self, name: str) -> Any:
        """What `summary` has under the name of a field of `Done`; `None` without it. It takes a microsecond."""
        last = self.rows[-1]
        if last.kind == events.DONE:
            return last.get(name)
        if name in _KNOWN_BEFORE:
            for row in reversed(self.rows):
                if name in row.places:
                    return row.get(name)
        return None

    def summary(self) -> JsonObject:
        """Names and numbers: those of its `Done` if it is over, else those that are known by now; and its cost."""
        last = self.rows[-1]
        found: JsonObject = {"id": self.id, "at": self.at, "last": last.kind, "over": self.is_over}
        if cost := self.cost:
            found["cost"] = cost
        if last.kind == events.DONE:
            return {**last.data, **found}
        for row in self.rows:
            found |= {name: row.get(name) for name in _KNOWN_BEFORE if name in row.places}
        return found

    def timeline(self) -> list[JsonObject]:
        """Its events in their order, each with the milliseconds since the first."""
        return [
            {"kind": row.kind, "at": row.at, "ms": round((row.at - self.at) * 1000, 3), "data": row.data}
            for row in self.rows
        ]


_KNOWN_BEFORE = (
    *("profile", "dialect", "mode", "client", "program", "session", "kind", "model", "status", "upstream"),
    *("rules", "changes"),
)
"""What events before the last one tell of the exchange as a whole."""


class LastExchanges:
    """The sink that keeps them. On the event loop only."""

    name = "last_exchanges"
    kinds = events.ALL_KINDS

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES, most_recent: int = MOST_RECENT) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: dict[str, Kept] = {}
        """By id, the oldest first."""
        self._bytes = 0
        self._shapes: dict[tuple[str, ...], Mapping[str, int]] = {}
        """The names of an event's values -> the place of each."""
        self._texts: dict[str, str] = {}
        """Texts that came already: what has the same one again takes no more memory for it."""
        self.heard = 0
        """The number of the last event of all, since the start."""
        self._recent: deque[Event] = deque(maxlen=most_recent)
        self.woken: Callable[[], None] | None = None
        """Called at each event, if somebody listens. Must only take a note of it."""

    def hear(self, event: Event) -> None:
        """Keep `event`."""
        row, size = self._row(event)
        if size > _LARGEST:
            event = Event(event.kind, event.id, event.at, _shortened(event.data))
            row, size = self._row(event)
        self.heard += 1
        self._recent.append(event)
        kept = self._kept.get(event.id)
        if event.kind == events.PAID:
            if kept is not None:  # it may come after its exchange was forgotten
                self._keep_paid(kept, row, size)
        else:
            if kept is None:
                kept = self._kept[event.id] = Kept(event.id)
                self._add(kept, _EXCHANGE)
            if len(kept.rows) < MOST_EVENTS:
                kept.rows.append(row)
                self._add(kept, size)
            else:
                kept.rows[-1] = row
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._bytes -= self._kept.pop(next(iter(self._kept))).size
        if self.woken is not None:
            self.woken()

    def _keep_paid(self, kept: Kept, row: _Row, size: int) -> None:
        if len(kept.paid_rows) < MOST_PAID:
            kept.paid_rows.append(row)
            self._add(kept, size)
        else:
            kept.more_cost = kept.more_cost or {}
            _add_cost(kept.more_cost, row.get("amount"), row.get("currency"))

    def _add(self, kept: Kept, size: int) -> None:
        kept.size += size
        self._bytes += size

    def _row(self, event: Event) -> tuple[_Row, int]:
        """The event as it is kept, and the bytes that it takes. An empty value takes next to none."""
        names = tuple(event.data)
        places = self._shapes.get(names)
        if places is None:
            places = {name: place for place, name in enumerate(names)}
            if len(self._shapes) < _MOST_SHAPES:
                self._shapes[names] = places
        values, texts = list(event.data.values()), self._texts
        size = _EVENT + 8 * len(values)
        for place, value in enumerate(values):
            if not value:
                continue
            kind = type(value)
            if kind is float or kind is int:
                size += _NUMBER
                continue
            if kind is str and len(value) <= _SHARED:
                if (known := texts.get(value)) is not None:
                    values[place] = known
                    continue
                if len(texts) >= _MOST_TEXTS:
                    texts.clear()
                texts[value] = value
            if kind is not bool:
                size += _size(value)
        return _Row(event.kind, event.at, places, tuple(values)), size

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


def _add_cost(sums: dict[str, int], amount: Any, currency: Any) -> None:
    if amount is not None:
        sums[currency] = sums.get(currency, 0) + amount


_EXCHANGE = 400
"""Bytes of an exchange without its events."""
_EVENT = 152
"""Bytes of an event without its values."""
_NUMBER = 28
"""Bytes of a number."""


def _size(value: Any) -> int:
    """Bytes that a value takes in memory, estimated from above."""
    kind = type(value)
    if kind is str:
        return 56 + len(value) * (1 if value.isascii() else 4)
    if kind is list:
        return 72 + 8 * len(value) + sum(map(_size, value))
    if kind is dict:
        return 200 + 50 * len(value) + sum(map(_size, value.values()))
    return _NUMBER


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in list(value.items())[:MOST_EVENTS]}
    if isinstance(value, list):
        return [_shortened(item) for item in value[:_MOST_ITEMS]]
    return value
