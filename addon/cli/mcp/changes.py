"""`what_was_changed`: each change of a request with its reason and place."""

from __future__ import annotations

from ...exchange import JsonObject
from . import choosing, events, plain, requests, rules, words
from .choosing import Asked
from .report import Report


async def answer(asked: Asked) -> Report:
    """Of the request with the id, else of the last one."""
    chosen = await choosing.one(asked, choosing.is_call, "finished request")
    exchange = chosen.found[0]
    id = plain.text(exchange.get("id"), 64)
    report = Report(more=f"All of it, side by side: {asked.api.page(f'exchanges/{id}')}")
    report.say(chosen.considered, requests.line(exchange))
    report.data = {"considered": chosen.considered, "request": requests.row(exchange)}
    await _by_name(asked, report, exchange)
    report.say(f"In the browser, before and after side by side: {asked.api.page(f'exchanges/{id}')}")
    return report


async def _by_name(asked: Asked, report: Report, exchange: JsonObject) -> None:
    """What the events tell: the names of rules, which are explained here."""
    names = plain.texts(exchange.get("rules"))
    count = plain.whole(exchange.get("changes"))
    report.data["changes"] = [{"rule": name, "repairs": rules.short(name)} for name in names]
    if not names:
        report.say("Nothing was changed: it left byte for byte as it came." if exchange.get("over") else "")
    elif plain.text(exchange.get("mode")) == "observe":
        report.say(f"{words.counted(count, 'change')} would be made (hunyuan_mode=observe changes nothing):")
    else:
        report.say(
            f"{words.counted(count, 'change')} of {words.counted(len(names), 'kind')}. Their places and texts aren't kept:"
        )
    report.lines += [f"- {name}: {rules.short(name)}" for name in names]
    for event in await events.of(asked.api, exchange):
        if event.get("kind") in ("translated", "described", "mended", "fallback") and (line := events.line(event)):
            report.say(line)
