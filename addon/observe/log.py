"""The log line of an exchange: no message content, no key."""

from __future__ import annotations

from ..record import Record
from ..wire.safe_text import plain

_SHORTEST_WAIT = 1.0
"""Milliseconds: a shorter wait in the queue isn't logged."""


def exchange(record: Record, outcome: str, *, colours: bool = False) -> str:
    """The line of one exchange. `outcome`: its status, or the way it ended without one."""
    rules = ",".join(record["rules"]) or "-"
    if colours:
        rules = _styled(rules, "cyan") if record["rules"] else rules
        outcome = _styled(outcome, "green" if outcome.startswith("2") else "red")
    head = [plain(record["method"]), plain(record["path"])]
    if not record["endpoint"] and not record["rules"]:
        return " ".join([*head, "untouched", f"-> {outcome}"])
    observed = record["mode"] == "observe"
    parts = [
        *head,
        f"model={plain(record['model']) or '-'}",
        f"{'would_apply' if observed else 'rules'}={rules}",
        f"{'would_call' if observed else 'vision_calls'}={record['vision_calls']}",
        f"cached={record['cached']}",
        f"addon_ms={record['milliseconds']:.1f}",
        *([f"queue_ms={record['queued']:.0f}"] if record["queued"] >= _SHORTEST_WAIT else []),
        *([f"tries={record['tries']}"] if record["tries"] > 1 else []),
        *([f"client={record['client']}"] if record["client"] else []),
        f"-> {outcome}",
    ]
    return " ".join(parts)


_STYLES = {"cyan": "36", "green": "32", "red": "31"}


def _styled(text: str, colour: str) -> str:
    return f"\x1b[{_STYLES[colour]}m{text}\x1b[0m"
