"""The log line of an exchange: no message content, no key."""

from __future__ import annotations

from ..exchange import Exchange
from ..wire.safe_text import plain

_SHORTEST_WAIT = 1.0
"""Milliseconds: a shorter wait in the queue isn't logged."""


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
