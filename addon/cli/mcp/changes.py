"""`what_was_changed`: each change of a request with its reason, its place, and what stood there before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...exchange import JsonObject
from . import choosing, events, plain, requests, rules, words
from .admin_api import NotThere, segment
from .choosing import Asked
from .report import Report

_EXCERPT: Final = 240
"""Characters of a text before or after."""
_BEFORE_MARK: Final = 60
"""Characters before what has changed that an excerpt begins with."""
_MOST: Final = 40
"""Kinds of changes that are told."""
_PLACES: Final = 3
"""Places of one change that are named, each with its texts."""
_WHY_NOT_KEPT: Final = {
    "off": "contents aren't kept (`hunyuan_page_content`)",
    "gone": "newer ones have taken their place",
    "too_large": "they are too large to be kept (`hunyuan_page_bytes`)",
    "unread": "the body passed unread",
}


async def answer(asked: Asked) -> Report:
    """Of the request with the id, else of the last one."""
    chosen = await choosing.one(asked, choosing.is_call, "finished request")
    exchange = chosen.found[0]
    id = plain.text(exchange.get("id"), 64)
    page = asked.api.page(f"exchanges/{id}")
    report = Report(more=f"All of it, side by side: {page}")
    report.say(chosen.considered)
    report.show(requests.line(exchange))
    report.data = {"request": requests.row(exchange)}
    try:
        story = await asked.api.get(f"/api/exchanges/{segment(id)}/story")
    except NotThere:  # an older proxy, or the exchange was forgotten in between
        await _by_name(asked, report, exchange)
    else:
        _of_story(report, exchange, story)
    report.say(f"In the browser, before and after side by side: {page}")
    return report


def _of_story(report: Report, exchange: JsonObject, story: JsonObject) -> None:
    changes = plain.records(story.get("changes"))
    sides = plain.record(story.get("sides"))
    report.say(_without(report, plain.record(story.get("without"))))
    report.say(_head(exchange, sum(max(1, plain.whole(change.get("count"))) for change in changes)))
    missing = plain.text(story.get("missing"), 20)
    if missing and changes:
        report.say(f"The texts before and after can't be shown: {_WHY_NOT_KEPT.get(missing, missing)}.")
    report.data["changes"] = []
    for change in changes[:_MOST]:
        _tell(report, change, sides)
    if len(changes) > _MOST:
        report.say(f"{len(changes) - _MOST} more kinds of changes.")


def _without(report: Report, without: JsonObject) -> str:
    """What would have happened without the proxy."""
    kind = plain.text(without.get("kind"), 20)
    refusal = plain.record(without.get("refusal"))
    report.data["without_hunyuan_fix"] = {"kind": kind or "unknown"}
    if kind == "refused":
        message, status = plain.text(refusal.get("message")), plain.whole(refusal.get("status"))
        at, reason = plain.text(refusal.get("pointer"), 120), plain.text(refusal.get("reason"))
        report.data["without_hunyuan_fix"] |= {"status": status, "message": message, "pointer": at, "reason": reason}
        more = plain.whole(without.get("more"))
        return (
            f"Without hunyuan-fix the endpoint would have answered {status}: {message}"
            + (f" ({reason}{f' at {at}' if at else ''})" if reason else "")
            + (f", and {words.counted(more, 'further reason')}." if more else ".")
        )
    if kind == "no_such_api":
        return "Without hunyuan-fix there would be no such API: the endpoint doesn't speak the client's format."
    if kind == "accepted":
        return "The endpoint is not known to refuse it as it came."
    return ""


def _head(exchange: JsonObject, count: int) -> str:
    if not count:
        return "Nothing was changed." if exchange.get("over") else "Nothing was changed until now."
    if plain.text(exchange.get("mode")) == "observe":
        return f"{words.counted(count, 'change')} would be made (hunyuan_mode=observe changes nothing):"
    return f"{words.counted(count, 'change')}:"


def _tell(report: Report, change: JsonObject, sides: JsonObject) -> None:
    rule, why = plain.text(change.get("rule"), 60), plain.text(change.get("why"))
    repairs, count = plain.text(change.get("repairs")), max(1, plain.whole(change.get("count")))
    places = [_place(place) for place in plain.records(change.get("places"))]
    where = words.listed([place for place in places if place], _PLACES)
    times = f" ×{count}" if count > 1 else ""
    report.show(f"- {rule}{times}{f' at {where}' if where else ''}: {why or repairs or rules.short(rule)}")
    found: JsonObject = {"rule": rule, "count": count, "why": why, "repairs": repairs, "places": places[:20]}
    texts = list(_texts(change, sides))[:_PLACES]
    for before, after in texts:
        report.show(f"    before: {before}" if before else "", f"    after:  {after}" if after else "")
    if texts:
        found["texts"] = [{"before": before, "after": after} for before, after in texts]
    report.data["changes"].append(found)


def _place(place: JsonObject) -> str:
    """Where it was, and behind an arrow where it is now, if that is another."""
    came, sent = plain.text(place.get("came"), 160), plain.text(place.get("sent"), 160)
    if sent and sent != came:
        return f"{came} → {sent}" if came else f"→ {sent}"
    return came


def _texts(change: JsonObject, sides: JsonObject) -> Iterator[tuple[str, str]]:
    """The texts before and after: of the messages, or of the parameters and tools, in which a change was made."""
    number = change.get("number")
    if not isinstance(number, int) or isinstance(number, bool):
        return
    above = plain.record(sides.get("parameters"))
    for one in [*plain.records(above.get("parameters")), *plain.records(above.get("tools"))]:
        if _has(one, number):
            came, sent = (_excerpt(plain.records(one.get(side))) for side in ("came", "sent"))
            if came or sent:
                yield came or "(nothing)", sent or "(nothing)"
    for row in plain.records(sides.get("rows")):
        if _has(row, number):
            yield _messages(row.get("came")) or "(nothing)", _messages(row.get("sent")) or "(nothing)"


def _has(one: JsonObject, number: int) -> bool:
    changes = one.get("changes")
    return isinstance(changes, list) and number in changes


def _messages(given: object) -> str:
    """Messages of one side of a row in a line: the role of each, and the pieces of it that have changed first."""
    said = []
    for message in plain.records(given)[:5]:
        pieces = plain.records(message.get("pieces"))[:20]
        marked = [piece for piece in pieces if any(span.get("mark") for span in plain.records(piece.get("spans")))]
        texts = [_piece(piece) for piece in (marked or pieces)[:3]]
        said.append(f"{plain.text(message.get('role'), 20) or '?'}: " + " · ".join(text for text in texts if text))
    return plain.text(" | ".join(said), 2 * _EXCERPT)


def _piece(piece: JsonObject) -> str:
    kind, name = plain.text(piece.get("kind"), 20), plain.text(piece.get("name"), 60)
    text = _excerpt(plain.records(piece.get("spans")))
    if kind == "image":
        return f"[image] {plain.text(piece.get('description'), 120)}".strip()
    if kind == "call":
        return f"[calls {name}] {text}".strip()
    return f"[{kind}] {text}" if kind and kind != "text" else f"“{text}”" if text else ""


def _excerpt(spans: list[JsonObject]) -> str:
    """A text from shortly before its first part that has changed, on one line."""
    said, first = "", -1
    for span in spans[:200]:
        if span.get("mark") and first < 0:
            first = len(said)
        piece = span.get("text")
        said += piece if isinstance(piece, str) else " … " if span.get("gap") else ""
        if 0 <= first < len(said) - _EXCERPT:
            break
    begin = max(0, first - _BEFORE_MARK)
    shown = " ".join(said[begin : begin + 4 * _EXCERPT].split())
    cut = plain.text(shown, _EXCERPT)
    return f"{'…' if begin else ''}{cut}{'…' if len(cut) < len(shown) else ''}"


async def _by_name(asked: Asked, report: Report, exchange: JsonObject) -> None:
    """What the events tell: the names of rules, which are explained here."""
    names = plain.texts(exchange.get("rules"))
    count = plain.whole(exchange.get("changes"))
    report.data["changes"] = [{"rule": name, "repairs": rules.short(name)} for name in names]
    report.say(_head(exchange, count or len(names)))
    if names:
        report.say("The proxy that runs doesn't tell their places and texts.")
    report.show(*(f"- {name}: {rules.short(name)}" for name in names))
    for event in await events.of(asked.api, exchange):
        if event.get("kind") in ("translated", "described", "mended", "fallback") and (line := events.line(event)):
            report.say(line)
