"""`why_it_was_slow`: where the time of a request went."""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from . import choosing, events, plain, requests, words
from .choosing import Asked
from .report import Report

_REASONS: Final = {
    "images": (
        "its images were described by a vision model before it could be sent. The same image again costs nothing "
        "(descriptions are kept); `hunyuan-fix describe FOLDER` describes images ahead."
    ),
    "queue": (
        "it waited for a slot of its account: as many calls were under way as the account may have at once "
        "(`hunyuan_concurrency`). Fewer agents at a time, or an account with more, would help."
    ),
    "tries": "it was tried several times; the time of tries that failed is in it.",
    "endpoint": "the endpoint took so long until its first byte: the model thinks, or the endpoint is busy.",
    "answer": "the endpoint wrote its answer for so long; a shorter answer, or a faster model, would be there sooner.",
    "own": "hunyuan-fix's own work on it. That is unusual: please report it.",
}


async def answer(asked: Asked) -> Report:
    """Of the request with the id, else of the slowest one that the proxy remembers."""
    chosen = await choosing.one(
        asked, choosing.is_call, "finished request", lambda exchange: plain.number(exchange.get("ms"))
    )
    exchange = chosen.found[0]
    id = plain.text(exchange.get("id"), 64)
    timeline = await events.of(asked.api, exchange)
    report = Report(more="last_requests lists other requests.")
    report.say(chosen.considered)
    report.show(requests.line(exchange))
    parts = shares(exchange)
    if not exchange.get("over"):
        report.say("It isn't over yet. What has happened until now:")
    else:
        largest = max(parts, key=lambda name: parts[name])
        if plain.whole(exchange.get("tries")) > 1 and largest in ("endpoint", "answer"):
            report.say(f"{words.duration(exchange.get('ms'))} in all; {_REASONS['tries']}")
        report.say(
            f"Most of it, {words.duration(parts[largest])} of {words.duration(exchange.get('ms'))}: {_REASONS[largest]}"
        )
        report.show("  ".join(f"{name} {words.duration(ms)}" for name, ms in parts.items() if ms >= 1))
    told = [line for line in map(events.line, timeline) if line]
    report.show(*told)
    report.say(f"In the browser: {asked.api.page(f'exchanges/{id}')}")
    report.data = {
        "request": requests.row(exchange),
        "milliseconds": {name: round(ms, 1) for name, ms in parts.items()},
        "tries": plain.whole(exchange.get("tries")),
        "events": told,
    }
    return report


def shares(exchange: JsonObject) -> dict[str, float]:
    """The milliseconds of its parts, which are those that `hunyuan.slow` has."""
    own, images = plain.number(exchange.get("addon_ms")), plain.number(exchange.get("vision_ms"))
    queue, endpoint = plain.number(exchange.get("queue_ms")), plain.number(exchange.get("first_byte_ms"))
    rest = max(0.0, plain.number(exchange.get("ms")) - own - images - queue - endpoint)
    return {"images": images, "queue": queue, "endpoint": endpoint, "answer": rest, "own": own}
