"""The log line of an exchange: no message content, no key."""

from __future__ import annotations

import logging

from ..exchange import Exchange
from ..wire.safe_text import plain

_SHORTEST_WAIT = 1.0
"""Milliseconds: a shorter wait in the queue isn't logged."""


def is_foreign(record: logging.LogRecord) -> bool:
    """A filter for handlers that get no line of this addon's."""
    return record.name != "hunyuan_fix"


def is_heard(logger: logging.Logger, level: int) -> bool:
    """Whether any handler takes a line of `level`, as `logging.Logger.callHandlers` finds them.

    Under `mitmdump -q` none takes the line of an exchange, and making it takes 30 µs of the millisecond that an
    exchange takes. Handlers with the filter `is_foreign` don't count. Python's handler of last resort does: without
    any other it takes warnings.
    """
    if not logger.isEnabledFor(level):
        return False
    found = False
    source: logging.Logger | None = logger
    while source is not None:
        for handler in source.handlers:
            found = True
            if level >= handler.level and is_foreign not in handler.filters:
                return True
        source = source.parent if source.propagate else None
    return not found and logging.lastResort is not None and level >= logging.lastResort.level


def line(exchange: Exchange, outcome: str, *, colours: bool = False) -> str:
    """The line of one exchange. `outcome`: its status, or the way it ended without one."""
    rules = ",".join(exchange.rules) or "-"
    if colours:
        rules = _styled(rules, "cyan") if exchange.rules else rules
        outcome = _styled(outcome, "green" if outcome.startswith("2") else "red")
    head = [plain(exchange.method), plain(exchange.path)]
    if not exchange.dialect and not exchange.rules:
        return " ".join([*head, "untouched", f"-> {outcome}"])
    observed = exchange.mode == "observe"
    parts = [
        *head,
        f"model={plain(exchange.model) or '-'}",
        f"{'would_apply' if observed else 'rules'}={rules}",
        f"{'would_call' if observed else 'vision_calls'}={exchange.vision_calls}",
        f"cached={exchange.cached}",
        f"addon_ms={exchange.milliseconds:.1f}",
        *([f"queue_ms={exchange.queued:.0f}"] if exchange.queued >= _SHORTEST_WAIT else []),
        *([f"tries={exchange.tries}"] if exchange.tries > 1 else []),
        *([f"client={exchange.client}"] if exchange.client else []),
        f"-> {outcome}",
    ]
    return " ".join(parts)


_STYLES = {"cyan": "36", "green": "32", "red": "31"}


def _styled(text: str, colour: str) -> str:
    return f"\x1b[{_STYLES[colour]}m{text}\x1b[0m"
