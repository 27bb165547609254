"""What the ledger's file says: sums by day, client, model, session or purpose."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from ... import prices
from ...wire.safe_text import plain
from .rows import KINDS

type By = Literal["day", "client", "model", "session", "purpose"]

KEYS: Final[Mapping[By, str]] = {
    "day": "date(at, 'unixepoch', 'localtime')",
    "client": "client",
    "model": "model",
    "session": "session",
    "purpose": "purpose",
}
"""What rows are gathered by, in SQL."""

_PART: Final = 10**9
"""SQLite refuses sums past 63 bits: numbers are added in two parts, of which each stays far below."""


@dataclass(slots=True)
class Amounts:
    """What calls used: tokens by kind, what they cost by currency, and how many there are."""

    calls: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    cost: dict[str, int] = field(default_factory=dict)
    """In parts of each currency (`prices.UNITS`)."""

    def add(self, other: Amounts) -> None:
        """Add those of `other`."""
        self.calls += other.calls
        for kind, count in other.tokens.items():
            self.tokens[kind] += count
        for currency, amount in other.cost.items():
            self.cost[currency] = self.cost.get(currency, 0) + amount

    def costs(self) -> dict[str, Decimal]:
        """In each currency."""
        return {currency: prices.decimal(amount) for currency, amount in sorted(self.cost.items())}


@dataclass(slots=True)
class Sum:
    """The calls of one day, client, model, session or purpose."""

    key: str
    counted: Amounts = field(default_factory=Amounts)
    """Those whose tokens are what their answers say, or that have none."""
    estimated: Amounts = field(default_factory=Amounts)
    failed: int = 0
    """Without an answer, or with the status of an error."""
    cancelled: int = 0
    unpriced: int = 0
    """Calls that used tokens whose price isn't known."""

    @property
    def calls(self) -> int:
        """All of them."""
        return self.counted.calls + self.estimated.calls

    def add(self, other: Sum) -> None:
        """Add those of `other`."""
        self.counted.add(other.counted)
        self.estimated.add(other.estimated)
        self.failed += other.failed
        self.cancelled += other.cancelled
        self.unpriced += other.unpriced


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls: from `since` until before `until`, in Unix time; of these clients and models, of all without any."""

    since: float | None = None
    until: float | None = None
    clients: Sequence[str] = ()
    models: Sequence[str] = ()
    """As they were asked for, or as they were sent on."""


def sums(connection: sqlite3.Connection, by: By, wanted: Wanted) -> list[Sum]:
    """The sums, in the order of days, else the most tokens first. Raises `sqlite3.Error`."""
    where, values = _where(wanted)
    numbers = ["1", *KINDS, "amount"]
    adding = ", ".join(f"sum({name} / {_PART}), sum({name} % {_PART})" for name in numbers)
    query = (
        f"SELECT {KEYS[by]}, currency, estimated, sum(status = 0 OR status >= 400), sum(cancelled), "  # noqa: S608
        f"sum(amount IS NULL AND (input IS NOT NULL OR output IS NOT NULL)), {adding} "
        f"FROM call{where} GROUP BY 1, 2, 3"
    )
    found: dict[str, Sum] = {}
    for key, currency, is_estimated, failed, cancelled, unpriced, *parts in connection.execute(query, values):
        name = plain(str(key if key is not None else ""))
        one = found.setdefault(name, Sum(name))
        calls, *tokens, amount = (
            (high or 0) * _PART + (low or 0) for high, low in zip(parts[::2], parts[1::2], strict=True)
        )
        cost = {plain(str(currency)): amount} if currency else {}
        amounts = Amounts(calls, dict(zip(KINDS, tokens, strict=True)), cost)
        (one.estimated if is_estimated else one.counted).add(amounts)
        one.failed += failed
        one.cancelled += cancelled
        one.unpriced += unpriced
    if by == "day":
        return sorted(found.values(), key=lambda one: one.key)
    return sorted(found.values(), key=lambda one: (-_size(one), one.key))


def total(found: Sequence[Sum]) -> Sum:
    """All of them together."""
    everything = Sum("")
    for one in found:
        everything.add(one)
    return everything


def _size(one: Sum) -> int:
    return sum(amounts.tokens["input"] + amounts.tokens["output"] for amounts in (one.counted, one.estimated))


def _where(wanted: Wanted) -> tuple[str, list[str | float]]:
    conditions: list[str] = []
    values: list[str | float] = []
    if wanted.since is not None:
        conditions.append("at >= ?")
        values.append(wanted.since)
    if wanted.until is not None:
        conditions.append("at < ?")
        values.append(wanted.until)
    if wanted.clients:
        conditions.append(f"client IN ({', '.join('?' * len(wanted.clients))})")
        values += wanted.clients
    if wanted.models:
        places = ", ".join("?" * len(wanted.models))
        conditions.append(f"(model IN ({places}) OR asked IN ({places}))")
        values += [*wanted.models, *wanted.models]
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values
