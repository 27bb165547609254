"""`usage`: tokens and cost of the requests that the proxy remembers, by session or model."""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from . import choosing, plain, words
from .choosing import Asked
from .report import Report

_MOST: Final = 1000
"""Requests that are added up."""
_SHOWN: Final = 20
_KEYS: Final = {"model": ("sent_model", "model"), "session": ("session",), "client": ("client", "program")}
"""What is added up by -> the fields that name it, the first that says something."""


async def answer(asked: Asked) -> Report:
    """The sums, the largest first."""
    by = asked.value("by") or "model"
    chosen = await choosing.exchanges(asked, choosing.is_call, _MOST)
    sums: dict[str, JsonObject] = {}
    for exchange in chosen.found:
        key = next((name for field in _KEYS[by] if (name := plain.text(exchange.get(field), 80))), "")
        _add(sums.setdefault(key, {"requests": 0, "tokens": {}, "cost": {}, "without_price": 0}), exchange)
    total: JsonObject = {"requests": 0, "tokens": {}, "cost": {}, "without_price": 0}
    for exchange in chosen.found:
        _add(total, exchange)
    rows = sorted(sums.items(), key=lambda row: -row[1]["tokens"].get("input", 0) - row[1]["tokens"].get("output", 0))
    report = Report(more="Ask for one session or model.")
    report.say(chosen.considered, f"In all: {_line(total)}")
    report.show(*(f"{key or 'unknown'}: {_line(one)}" for key, one in rows[:_SHOWN]))
    if len(rows) > _SHOWN:
        report.say(f"{len(rows) - _SHOWN} more by {by}.")
    if total["without_price"]:
        report.say(f"Without a known price, so in no cost: {words.counted(total['without_price'], 'request')}.")
    report.say(
        "Of the requests that the proxy remembers, and of the last 1,000 of them at most. `hunyuan-fix usage` has the "
        "days and months before."
    )
    report.data = {
        "by": by,
        "total": _data(total),
        "rows": [{by: key, **_data(one)} for key, one in rows[:_SHOWN]],
    }
    return report


def _add(sums: JsonObject, exchange: JsonObject) -> None:
    usage, cost = plain.counts(exchange.get("usage")), plain.counts(exchange.get("cost"))
    sums["requests"] += 1
    sums["without_price"] += bool(usage) and not cost
    for name, found in (("tokens", usage), ("cost", cost)):
        for kind, count in found.items():
            sums[name][kind] = sums[name].get(kind, 0) + count


def _line(one: JsonObject) -> str:
    parts = [words.counted(one["requests"], "request"), words.tokens(one["tokens"]), words.cost(one["cost"])]
    return ", ".join(part for part in parts if part)


def _data(one: JsonObject) -> JsonObject:
    return {**one, "cost": words.costs(one["cost"])}
