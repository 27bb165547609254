"""`last_requests`: the last requests, each on a line."""

from __future__ import annotations

import time
from typing import Final

from ...exchange import JsonObject
from . import choosing, plain, words
from .choosing import Asked
from .report import Report

DEFAULT: Final = 10
MOST: Final = 50


async def answer(asked: Asked) -> Report:
    """The last ones that fit the filters."""
    limit = min(MOST, max(1, plain.whole(asked.values.get("limit")) or DEFAULT))
    minutes = plain.number(asked.values.get("minutes"))
    since = round(time.time() - 60 * minutes, 3) if minutes > 0 else ""
    chosen = await choosing.exchanges(
        asked, lambda exchange: True, limit, status=asked.value("status"), since=max(0.0, since) if since else ""
    )
    report = Report(more=f"Ask with filters, or with a smaller limit (it was {limit}).")
    report.say(chosen.considered)
    if not chosen.found:
        report.say("No request fits.")
    report.show(*map(line, chosen.found))
    report.data = {"requests": [row(exchange) for exchange in chosen.found]}
    if chosen.found:
        report.show("what_was_changed, why_it_failed and why_it_was_slow take these ids.")
    return report


def line(exchange: JsonObject) -> str:
    """One request: id, time, program, model, how it ended, what was changed."""
    parts = [
        plain.text(exchange.get("id"), 64),
        words.moment(exchange.get("at")),
        plain.text(exchange.get("client"), 40) or plain.text(exchange.get("program"), 40),
        words.model(exchange),
        words.outcome(exchange),
        words.duration(exchange.get("ms")) if exchange.get("over") else "",
        plain.text(exchange.get("failure"), 120),
        changed(exchange),
        words.tokens(exchange.get("usage")),
        f"session {session}" if (session := plain.text(exchange.get("session"), 64)) else "",
    ]
    return "  ".join(part for part in parts if part)


def changed(exchange: JsonObject) -> str:
    """What was changed, by the names of rules."""
    rules = plain.texts(exchange.get("rules"), 40)
    is_only_observed = plain.text(exchange.get("mode")) == "observe"
    if rules:
        return f"{'would change' if is_only_observed else 'changed'}: {words.listed(rules)}"
    return "unchanged" if exchange.get("over") and not exchange.get("rewritten") else ""


def row(exchange: JsonObject) -> JsonObject:
    """The same as data."""
    found: JsonObject = {
        "id": plain.text(exchange.get("id"), 64),
        "at": plain.number(exchange.get("at")),
        "over": exchange.get("over") is True,
    }
    for name in ("session", "client", "program", "dialect", "model", "sent_model", "how", "failure", "error"):
        if value := plain.text(exchange.get(name), 120):
            found[name] = value
    if exchange.get("status") is not None:
        found["status"] = plain.whole(exchange.get("status"))
    if ms := plain.number(exchange.get("ms")):
        found["ms"] = round(ms)
    if rules := plain.texts(exchange.get("rules"), 40):
        found["rules"] = rules
    if usage := plain.counts(exchange.get("usage")):
        found["usage"] = usage
    if cost := words.costs(exchange.get("cost")):
        found["cost"] = cost
    return found
