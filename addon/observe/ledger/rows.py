"""A row of the ledger: a call that may have to be paid, in names and numbers. Pure."""

from __future__ import annotations

from typing import Final, cast

from ...events import Event, Paid
from ...wire.safe_text import plain

NAMES: Final = (
    "at",
    "exchange",
    "purpose",
    "client",
    "session",
    "dialect",
    "profile",
    "upstream",
    "asked",
    "model",
    "input",
    "cached",
    "written",
    "output",
    "reasoning",
    "amount",
    "currency",
    "priced",
    "status",
    "ms",
    "estimated",
    "cancelled",
)
"""The columns. `at`: Unix time in seconds. `input` has the `cached` tokens and those `written` to a cache in it, and
`output` the `reasoning`; NULL: not known. `amount`: what it costs, in parts of `currency` (`prices.UNITS` to one), by
the price of the day `priced`; NULL: not known. `status`: 0 without an answer."""

KINDS: Final = ("input", "cached", "written", "output", "reasoning")
"""Of tokens."""

type Row = tuple[str | int | float | None, ...]
"""Values in the order of `NAMES`."""

_LONGEST: Final = 200
"""Characters of a name."""


def of(event: Event) -> Row:
    """The row of an event `events.PAID`."""
    paid = cast(Paid, event.data)
    names = (
        paid["id"],
        paid["purpose"],
        paid["client"],
        paid["session"],
        paid["dialect"],
        paid["profile"],
        paid["upstream"],
        paid["asked"],
        paid["model"],
    )
    return (
        event.at,
        *(plain(name[:_LONGEST]) for name in names),
        *(paid["usage"].get(kind) for kind in KINDS),
        paid["amount"],
        paid["currency"],
        paid["priced"],
        paid["status"],
        round(paid["ms"]),
        int(paid["is_estimated"]),
        int(paid["is_cancelled"]),
    )
