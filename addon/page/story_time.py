"""What an exchange has spent its time on, as parts of one bar: worked out from its events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypedDict

from .. import events
from ..exchange import JsonObject

type Part = Literal["came", "described", "repaired", "queued", "waited", "thought", "answered", "ended"]
"""The body came (and was translated), images were described, the request was repaired, it waited for a slot, for the
endpoint's first byte, for the first token, the answer came; `ended`: what else there was until the end."""

LEAST: Final = 0.5
"""Milliseconds. What took less is no part, though its moment is listed."""
_MOST: Final = 60
_AFTER: Final[dict[str, Part]] = {
    events.CAME: "came",
    events.TRANSLATED: "repaired",
    events.RUNAWAY: "repaired",
    events.BUDGET: "repaired",
    events.DESCRIBED: "repaired",
    events.REPAIRED: "queued",
    events.QUEUED: "queued",
    events.SENT: "waited",
    events.RETRIED: "waited",
    events.MENDED: "waited",
    events.FALLBACK: "waited",
    events.FIRST_BYTE: "answered",
    events.FIRST_TOKEN: "answered",
}
"""Kind of an event -> what an exchange does from then on."""


class BarPart(TypedDict):
    """A part of the bar: from `begin` to `end`, in milliseconds since the request came. `number`: of the try."""

    part: Part
    begin: float
    end: float
    number: int
    note: str
    """Of a try: why the one before it failed, or whom it went to."""


class Moment(TypedDict):
    """Something that happened: an event, its milliseconds, and what it says in short."""

    kind: str
    ms: float
    note: str


class Bar(TypedDict):
    """All of it. `longest`: the part on which most was spent, `share`: how much of the whole, from 0 to 1."""

    ms: float
    under_way: bool
    parts: list[BarPart]
    moments: list[Moment]
    longest: str
    share: float


def bar(timeline: Sequence[JsonObject], now: float) -> Bar:
    """The bar of an exchange by its events (`Kept.timeline`), until `now` (Unix time) where it is not over."""
    over = bool(timeline) and timeline[-1]["kind"] == events.DONE
    began = timeline[0]["at"] if timeline else now
    whole = timeline[-1]["ms"] if over else max(0.0, (now - began) * 1000)
    parts: list[BarPart] = []
    doing: Part = "came"
    since, tries, note = 0.0, 1, ""

    def close(at: float) -> None:
        if at - since >= LEAST and len(parts) < _MOST:
            parts.append({"part": doing, "begin": since, "end": at, "number": tries, "note": note})

    streamed = any(event["kind"] == events.FIRST_TOKEN for event in timeline)
    for event in timeline:
        kind, at, data = event["kind"], max(since, event["ms"]), event["data"]
        if kind in (events.CALLED, events.ENDED):
            continue  # calls of the addon's own, and ends of tries: within a part
        if kind == events.DESCRIBED or (kind == events.REPAIRED and doing == "came"):
            # It tells its end, and how long it took.
            begin = max(since, at - _number(data.get("ms")))
            close(begin)
            since, doing = begin, "described" if kind == events.DESCRIBED else "repaired"
        elif kind == events.QUEUED and doing == "waited" and tries:
            close(at)  # the next try waits for a slot
            since, doing, note = at, "queued", ""
            continue
        elif kind == events.SENT and (waited := _number(data.get("waited_ms"))) and doing != "queued":
            close(max(since, at - waited))
            since, doing = max(since, at - waited), "queued"
        close(at)
        since, note = at, ""
        if kind == events.RETRIED:
            tries = int(_number(data.get("number"))) or tries + 1
            note = str(data.get("reason", ""))[:120]
        elif kind in (events.MENDED, events.FALLBACK):
            note = str(data.get("reason", ""))[:120]
        elif kind == events.SENT:
            note = str(data.get("upstream", ""))[:120]
        doing = "thought" if kind == events.FIRST_BYTE and streamed else _AFTER.get(kind, doing)
    if not over:
        close(whole)
    longest = _longest(parts)
    share = longest[1] / whole if longest[1] and whole > 0 else 0.0
    return {
        "ms": whole,
        "under_way": not over,
        "parts": parts,
        "moments": [_moment(event) for event in timeline[:_MOST]],
        "longest": longest[0],
        "share": min(1.0, share),
    }


def _longest(parts: Sequence[BarPart]) -> tuple[str, float]:
    sums: dict[str, float] = {}
    for part in parts:
        sums[part["part"]] = sums.get(part["part"], 0.0) + part["end"] - part["begin"]
    return max(sums.items(), key=lambda item: item[1], default=("", 0.0))


def _moment(event: JsonObject) -> Moment:
    data = event["data"]
    said = [
        str(data[name])[:120]
        for name in ("upstream", "model", "reason", "outcome", "purpose", "status", "what", "action")
        if data.get(name) not in (None, "")
    ]
    return {"kind": event["kind"], "ms": event["ms"], "note": " · ".join(said)}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
