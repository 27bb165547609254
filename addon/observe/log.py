"""The log line of an exchange: no message content, no key."""

from __future__ import annotations

import logging

from ..exchange import Exchange
from ..vision import record
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
    """The line of one exchange. `outcome`: its status, or the way it ended without one.

    Names and values are the same in every language and have no space, except what follows the arrow. Milliseconds:
    `addon_ms` is the addon's own work, `vision_ms` the wait for descriptions, `queue_ms` the wait for a slot,
    `first_byte_ms` the endpoint's time until its answer begins, `ms` all of it.
    """
    rules = ",".join(exchange.rules) or "-"
    if exchange.failure:
        outcome = f"{outcome.partition(', ')[0]} {exchange.failure}"
    if colours:
        rules = _styled(rules, "cyan") if exchange.rules else rules
        outcome = _styled(outcome, "green" if outcome.startswith("2") and not exchange.failure else "red")
    head = f"{plain(exchange.method)} {plain(exchange.path)}"
    if not exchange.dialect and not exchange.rules:
        return f"{head} untouched -> {outcome}"
    observed, described, usage = exchange.mode == "observe", record.waited_ms(exchange), exchange.usage
    parts = [
        head,
        f"model={plain(exchange.model) or '-'}" + (f"->{plain(exchange.sent_model)}" if exchange.sent_model else ""),
        f"{'would_apply' if observed else 'rules'}={rules}",
        f"{'would_call' if observed else 'vision_calls'}={exchange.vision_calls}",
        f"cached={exchange.cached}",
        f"addon_ms={max(0.0, exchange.milliseconds - described):.1f}",
    ]
    if described >= _SHORTEST_WAIT:
        parts.append(f"vision_ms={described:.0f}")
    if exchange.queued >= _SHORTEST_WAIT:
        parts.append(f"queue_ms={exchange.queued:.0f}")
    if exchange.first_byte:
        parts.append(f"first_byte_ms={exchange.first_byte:.0f}")
    if exchange.elapsed:
        parts.append(f"ms={exchange.elapsed:.0f}")
    parts += [f"tokens_{name}={usage[kind]}" for name, kind in _TOKENS if kind in usage]
    if exchange.tries > 1:
        parts.append(f"tries={exchange.tries}")
    if exchange.dialect != "chat":
        parts.append(f"dialect={exchange.dialect or exchange.spoken or '-'}")
    if exchange.client:
        parts.append(f"client={exchange.client}")
    if exchange.program:
        parts.append(f"program={exchange.program}")
    parts.append(f"-> {outcome}")
    return " ".join(parts)


_TOKENS = (("in", "input"), ("cached", "cached"), ("out", "output"))


_STYLES = {"cyan": "36", "green": "32", "red": "31"}


def _styled(text: str, colour: str) -> str:
    return f"\x1b[{_STYLES[colour]}m{text}\x1b[0m"
