"""`why_it_failed`: what a client got in the place of an answer, in whose words, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from ...exchange import JsonObject
from ...wire import proxy_errors, vendor_errors
from ...wire.proxy_errors import Entry
from . import choosing, events, plain, requests, words
from .admin_api import Unanswered, segment
from .choosing import Asked
from .report import Report

_MESSAGE: Final = 1000
"""Characters of what its client was told."""
_COMPARED: Final = 40
"""Characters by which an entry's `when` is found in the reason of a failure, which is cut."""


async def answer(asked: Asked) -> Report:
    """Of the request with the id, else of the last one that failed."""
    chosen = await choosing.one(asked, choosing.has_failed, "failed request")
    exchange = chosen.found[0]
    id = plain.text(exchange.get("id"), 64)
    timeline = await events.of(asked.api, exchange)
    report = Report(more="last_requests lists what came before and after it.")
    report.say(chosen.considered)
    report.show(requests.line(exchange))
    report.data = {"request": requests.row(exchange)}
    if exchange.get("left") is True:
        report.say("Its client left before the end of the answer: it timed out, or its user cancelled.")
    elif not choosing.has_failed(exchange):
        report.say(
            "It didn't fail."
            if exchange.get("over")
            else "It isn't over yet: ask again, or see why_it_was_slow for what it waits for."
        )
    else:
        _explain(report, exchange)
        await _tell_message(asked, report, id)
    _tell_tries(report, exchange, timeline)
    report.say(f"In the browser: {asked.api.page(f'exchanges/{id}')}")
    return report


_WHO: Final = {
    "refused": "hunyuan-fix refused it",
    "answered": "The endpoint answered with an error",
    "failed": "No usable answer came",
}
"""How it ended -> whose doing."""


def _explain(report: Report, exchange: JsonObject) -> None:
    code, failure = plain.text(exchange.get("error"), 80), plain.text(exchange.get("failure"))
    how = plain.text(exchange.get("how"), 20)
    counted = f" (code {code})" if code and code not in failure else ""
    report.say(f"{_WHO.get(how, _WHO['failed'])}: {failure or words.outcome(exchange)}{counted}")
    entry = entry_of(code, failure)
    report.data["refused_by"] = {"refused": "hunyuan-fix", "answered": "endpoint"}.get(how, "")
    if entry is None:
        return
    report.say("" if entry.when in failure else f"That is: {entry.when}.", f"What to do: {entry.advice}.")
    report.data |= {"when": entry.when, "advice": entry.advice}
    if (helps := _may_succeed_later(entry)) is not None:
        report.say("The same may succeed later." if helps else "Sending the same again fails again.")
        report.data["may_succeed_later"] = helps
    if said := vendor_errors.says(code, [code]):
        report.say(said)


async def _tell_message(asked: Asked, report: Report, id: str) -> None:
    """What its client was told, with the endpoint's own words, where contents are kept."""
    try:
        story = await asked.api.get(f"/api/exchanges/{segment(id)}/story")
    except Unanswered:
        return
    failure = plain.record(plain.record(story.get("head")).get("failure"))
    if message := plain.text(failure.get("message"), _MESSAGE):
        report.show(f"Its client was told: “{message}”")
        report.data["message"] = message


def entry_of(code: str, failure: str) -> Entry | None:
    """What the catalogue says of an error that was counted as `code`; several causes may share one."""
    of_it = [entry for entry in _entries() if entry.code == code]
    return next((entry for entry in of_it if entry.when and entry.when[:_COMPARED] in failure), None) or next(
        iter(of_it), None
    )


def _entries() -> Iterator[Entry]:
    return chain(proxy_errors.CATALOGUE.values(), vendor_errors.ENTRIES.values())


def _may_succeed_later(entry: Entry) -> bool | None:
    """Whether the same request may; `None`: the status of the endpoint tells, not the entry."""
    if entry.retry is not None or entry.status in (proxy_errors.UPSTREAM_STATUS, proxy_errors.IN_STREAM):
        return entry.retry
    return entry.status >= 500 or entry.status in (408, 429)


def _tell_tries(report: Report, exchange: JsonObject, timeline: list[JsonObject]) -> None:
    tries = plain.whole(exchange.get("tries"))
    if tries > 1:
        report.say(f"It was tried {tries} times in {words.duration(exchange.get('ms'))}.")
    said = []
    for event in timeline:
        line = events.line(event)
        if event.get("kind") in ("retried", "mended", "fallback", "budget", "runaway") and line:
            said.append(line)
    report.show(*said[:20])
    report.data |= {"tries": tries, "tried": said[:20]}
