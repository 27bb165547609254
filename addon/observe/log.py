"""The log line of an exchange: no message content, no key."""

from __future__ import annotations

import logging
from typing import cast

from .. import events
from ..events import Done, Event
from ..wire.safe_text import plain

logger = logging.getLogger("hunyuan_fix")

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


def line(done: Done, *, colours: bool = False) -> str:
    """The line of an exchange that is over.

    Names and values are the same in every language and have no space, except what follows the arrow. Milliseconds:
    `addon_ms` is the addon's own work, `vision_ms` the wait for descriptions, `queue_ms` the wait for a slot,
    `first_byte_ms` the endpoint's time until its answer begins, `ms` all of it.
    """
    outcome, rules, usage = done["outcome"], ",".join(done["rules"]) or "-", done["usage"]
    if done["failure"]:
        outcome = f"{outcome.partition(', ')[0]} {done['failure']}"
    if colours:
        rules = _styled(rules, "cyan") if done["rules"] else rules
        outcome = _styled(outcome, "green" if outcome.startswith("2") and not done["failure"] else "red")
    head = f"{plain(done['method'])} {plain(done['path'])}"
    if not done["touched"] and not done["rules"]:
        return f"{head} untouched -> {outcome}"
    observed = done["mode"] == "observe"
    parts = [
        head,
        f"model={plain(done['model']) or '-'}" + (f"->{plain(done['sent_model'])}" if done["sent_model"] else ""),
        f"{'would_apply' if observed else 'rules'}={rules}",
        f"{'would_call' if observed else 'vision_calls'}={done['vision_calls']}",
        f"cached={done['cached']}",
        f"addon_ms={done['addon_ms']:.1f}",
    ]
    if done["vision_ms"] >= _SHORTEST_WAIT:
        parts.append(f"vision_ms={done['vision_ms']:.0f}")
    if done["queue_ms"] >= _SHORTEST_WAIT:
        parts.append(f"queue_ms={done['queue_ms']:.0f}")
    if done["first_byte_ms"]:
        parts.append(f"first_byte_ms={done['first_byte_ms']:.0f}")
    if done["ms"]:
        parts.append(f"ms={done['ms']:.0f}")
    parts += [f"tokens_{name}={usage[kind]}" for name, kind in _TOKENS if kind in usage]
    if done["tries"] > 1:
        parts.append(f"tries={done['tries']}")
    if done["dialect"] != "chat":
        parts.append(f"dialect={done['dialect'] or '-'}")
    said = {"json": done["json"].partition(";")[0], "client": done["client"], "program": done["program"]}
    parts += [f"{name}={value}" for name, value in said.items() if value]
    if done["request_id"] and _is_asked_for(done):
        parts.append(f"request_id={done['request_id']}")
    parts.append(f"-> {outcome}")
    return " ".join(parts)


class ExchangeLine:
    """The message of an exchange's line. Each handler makes of it what it writes: `str` is the terminal's text."""

    __slots__ = ("_colours", "_shown", "done")

    def __init__(self, done: Done, *, colours: bool = False) -> None:
        self.done = done
        self._colours = colours
        self._shown = ""

    def __str__(self) -> str:
        """The line for a terminal, worked out once for all handlers."""
        self._shown = self._shown or line(self.done, colours=self._colours)
        return self._shown

    def text(self) -> str:
        """The line without colours."""
        return line(self.done)


class LineOfExchange:
    """The sink that logs a line for each exchange."""

    name = "log"
    kinds = (events.DONE,)

    def __init__(self) -> None:
        self.colours = False
        """The terminal shows colours."""

    def hear(self, event: Event) -> None:
        """Write the line, if any handler takes it."""
        if is_heard(logger, logging.INFO):
            logger.info(ExchangeLine(cast(Done, event.data), colours=self.colours))


def _is_asked_for(done: Done) -> bool:
    """Whether a person may look for the line by the exchange's id: by one of their own, or by that of an error."""
    return done["how"] != "answered" or bool(done["failure"]) or done["request_id"] != done["id"]


_TOKENS = (("in", "input"), ("cached", "cached"), ("out", "output"))


_STYLES = {"cyan": "36", "green": "32", "red": "31"}


def _styled(text: str, colour: str) -> str:
    return f"\x1b[{_STYLES[colour]}m{text}\x1b[0m"
