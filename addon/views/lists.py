"""Pages of commands: who holds slots and who waits, and the slowest exchanges. Lines of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..admission import QueuedCall
from ..columns import shorten, width
from ..exchange import DESCRIBED
from ..texts.terminal import say
from . import timings
from .recent import STEPS, Recent, client_of

SLOWEST = 10
_WIDEST = 32
"""Columns of one name."""


def queue(calls: Sequence[QueuedCall]) -> str:
    """The calls of each account: those that have a slot, then those that wait, in their order."""
    if not calls:
        return say("No call is under way, none waits.")
    rows = [
        (
            call.account,
            say("has a slot") if call.has_slot else say("waits"),
            say("{seconds:,.1f} s", seconds=call.seconds),
            *_whose(call),
        )
        for call in calls
    ]
    taken = sum(call.has_slot for call in calls)
    head = say("{taken} slots taken, {waiting} calls waiting", taken=taken, waiting=len(calls) - taken)
    names = (say("account"), say("slot"), say("since"), say("client"), say("model"), say("call"))
    return "\n".join([head, *_table([names, *rows])])


def slowest(recent: Recent, step: str = "") -> str:
    """The slowest exchanges of the last ones, in all or in one step, with what each step took.

    Raises `ValueError` for a step that there is not.
    """
    if step and step not in STEPS:
        raise ValueError(say("No step is called {step!r}. Steps: {steps}.", step=step, steps=", ".join(STEPS)))
    if not len(recent):
        return say("No exchange has ended yet.")
    rows = [
        (
            f"{ended.ms:,.0f}",
            *(f"{ended.step(kind):,.0f}" for kind in STEPS),
            str(ended.tries),
            "-" if ended.status is None else str(ended.status),
            ended.client or "-",
            ended.model or "-",
            ended.flow[:8],
        )
        for ended in recent.slowest(SLOWEST, step)
    ]
    steps = [timings.name(kind) for kind in STEPS]
    names = (say("ms in all"), *steps, say("tries"), say("status"), say("client"), say("model"), say("flow"))
    head = say("The slowest of the last {count} exchanges, in milliseconds", count=len(recent))
    return "\n".join([head, *_table([names, *rows])])


def _whose(call: QueuedCall) -> tuple[str, str, str]:
    exchange = call.exchange
    if exchange is None:
        return "-", "-", "-"
    what = say("vision call") if exchange.doing == DESCRIBED else say("the client's call")
    return client_of(exchange) or "-", exchange.model or "-", what


def _table(rows: Sequence[Iterable[str]]) -> Iterator[str]:
    cells = [[shorten(cell, _WIDEST) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()
