"""What went on in each of the last minutes: sums of what exchanges tell at their end, and what their calls cost.

Bounded whatever comes: so many minutes, and of times so many classes. A median is as exact as its class, 4 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict, cast

from .. import events
from ..events import Done, Event, Paid
from .outcomes import trouble

MOST: Final = 180
"""Minutes."""
_CLASSES: Final = 16
"""Of times, for each doubling."""
_MOST_CURRENCIES: Final = 8
_TOKENS: Final = ("input", "cached", "output")


class Series(TypedDict):
    """A value for each minute, the oldest first. Times are milliseconds; a minute without any has `None`."""

    at: list[int]
    """When each begins: Unix time."""
    exchanges: list[int]
    """Those that ended in it."""
    refused: list[int]
    """Of them those with an error of the proxy's own; see `outcomes.Trouble`."""
    endpoint: list[int]
    failed: list[int]
    left: list[int]
    """Those whose client left before the end."""
    changed: list[int]
    """Those whose request was changed."""
    tries: list[int]
    """Requests that were sent for them."""
    own_median: list[float | None]
    """The proxy's own work on each."""
    own_p95: list[float | None]
    first_median: list[float | None]
    """Until the first token."""
    first_p95: list[float | None]
    ms: list[float]
    """How long all together took."""
    input: list[int]
    """Tokens that endpoints count."""
    cached: list[int]
    output: list[int]
    cost: dict[str, list[int]]
    """By currency, in parts (`prices.UNITS` to one)."""


class Times:
    """Times, by the class of each."""

    def __init__(self) -> None:
        self._counted: Counter[int] = Counter()

    def add(self, ms: float) -> None:
        """Count a time in milliseconds. One below a thousandth counts as that."""
        self._counted[round(math.log2(min(max(ms, 1e-3), 1e9)) * _CLASSES)] += 1

    def share(self, share: float) -> float | None:
        """The time below which this share of all lies; `None`: there are none."""
        left = share * self._counted.total()
        for place in sorted(self._counted):
            left -= self._counted[place]
            if left <= 0:
                return round(float(2 ** (place / _CLASSES)), 3)
        return None


@dataclass(slots=True)
class _Minute:
    counted: Counter[str] = field(default_factory=Counter)
    own: Times = field(default_factory=Times)
    first: Times = field(default_factory=Times)
    ms: float = 0.0
    cost: dict[str, int] = field(default_factory=dict)


class Minutes:
    """The sink. On the event loop only."""

    name = "minutes"
    kinds = (events.DONE, events.PAID)

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._minutes: dict[int, _Minute] = {}
        """By the number of minutes since the epoch."""

    def hear(self, event: Event) -> None:
        """Add `event` to its minute."""
        number = int(event.at // 60)
        minute = self._minutes.get(number)
        if minute is None:
            minute = self._minutes[number] = _Minute()
            if len(self._minutes) > self._most:
                del self._minutes[min(self._minutes)]
        if event.kind == events.DONE:
            _add_done(minute, cast(Done, event.data))
        else:
            _add_paid(minute, cast(Paid, event.data))

    def series(self, now: float) -> Series:
        """The last minutes until the one of `now` (Unix time), each with its values."""
        last = int(now // 60)
        numbers = range(last - self._most + 1, last + 1)
        empty = _Minute()
        minutes = [self._minutes.get(number, empty) for number in numbers]
        counts: Mapping[str, list[int]] = {
            name: [minute.counted[name] for minute in minutes]
            for name in ("exchanges", "refused", "endpoint", "failed", "left", "changed", "tries", *_TOKENS)
        }
        currencies = sorted({currency for minute in minutes for currency in minute.cost})
        return cast(
            Series,
            {
                "at": [number * 60 for number in numbers],
                **counts,
                "own_median": _shares(minutes, lambda minute: minute.own, 0.5),
                "own_p95": _shares(minutes, lambda minute: minute.own, 0.95),
                "first_median": _shares(minutes, lambda minute: minute.first, 0.5),
                "first_p95": _shares(minutes, lambda minute: minute.first, 0.95),
                "ms": [round(minute.ms, 3) for minute in minutes],
                "cost": {one: [minute.cost.get(one, 0) for minute in minutes] for one in currencies},
            },
        )


def _add_done(minute: _Minute, done: Done) -> None:
    counted = minute.counted
    counted["exchanges"] += 1
    counted["left"] += bool(done["left"])
    counted["changed"] += bool(done["rules"] and done["mode"] != "observe")
    counted["tries"] += done["tries"]
    if kind := trouble(done.get):
        counted[kind] += 1
    minute.own.add(done["addon_ms"])
    if done["first_token_ms"]:
        minute.first.add(done["first_token_ms"])
    minute.ms += done["ms"]


def _add_paid(minute: _Minute, paid: Paid) -> None:
    for kind in _TOKENS:
        minute.counted[kind] += paid["usage"].get(kind, 0)
    amount, currency, cost = paid["amount"], paid["currency"], minute.cost
    if amount is not None and (currency in cost or len(cost) < _MOST_CURRENCIES):
        cost[currency] = cost.get(currency, 0) + amount


def _shares(minutes: Sequence[_Minute], of: Callable[[_Minute], Times], share: float) -> list[float | None]:
    return [of(minute).share(share) for minute in minutes]
