"""When what happened in an exchange, as bars: came, described, repaired, queued, sent, answered.

    ─── timings: 7,412 ms, 2 tries ───
    came           12 ms  ▏
    described   2,140 ms  ███████████
    queued      4,800 ms             █████████████████████████
    first byte    310 ms                                      ██
    answer        150 ms                                        █

Worked out when a person looks: from mitmproxy's timestamps and from what the exchange has counted. Each bar begins
where the one before it ends, since an exchange does one thing after the other; calls of one kind that run side by side
count as long as the request waited for all of them. The addon's own work is a bar where it took a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass

from mitmproxy import http

from ..columns import width
from ..exchange import DESCRIBED, QUEUED, Exchange
from ..texts.terminal import say
from ..vision.record import waited_ms
from ..wire import rule_names

_BAR = 40
"""Columns of the longest bar: with names and numbers a line takes about 60."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEAST = 1.0
"""Milliseconds from which a part is shown; the request and what is awaited are always."""

CAME, REPAIRED, FIRST_BYTE, ANSWER = "came", "repaired", "first byte", "answer"
"""Kinds of parts, beside those that an exchange can be at: `DESCRIBED`, `QUEUED`."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an exchange. Milliseconds since the request began to come in."""

    kind: str
    begin: float
    end: float
    under_way: bool = False

    @property
    def ms(self) -> float:
        """How long it took, or has taken by now."""
        return max(0.0, self.end - self.begin)


def parts(flow: http.HTTPFlow, exchange: Exchange, now: float) -> list[Part]:
    """What the exchange has spent its time on, until `now` (Unix time) where it is under way."""
    request, response = flow.request, flow.response
    start = request.timestamp_start
    came = 1000 * ((request.timestamp_end or now) - start)
    ended = 1000 * (now - start)
    found = [Part(CAME, 0.0, came, under_way=request.timestamp_end is None and flow.live)]
    # 1. Until it was sent: lengths of which the exchange knows no moment, one after the other.
    described = waited_ms(exchange)
    lengths = [(DESCRIBED, described), (REPAIRED, exchange.milliseconds - described), (QUEUED, exchange.queued)]
    reached = came
    for kind, ms in lengths:
        if exchange.doing == kind and flow.live and exchange.since:
            return [*found, Part(kind, 1000 * (exchange.since - start), ended, under_way=True)]
        if ms >= _LEAST:
            found.append(Part(kind, reached, reached + ms))
            reached += ms
    # 2. The answer.
    if response is None:
        is_waiting = flow.live and flow.error is None
        if is_waiting or (flow.error and flow.error.timestamp):
            end = ended if is_waiting else 1000 * ((flow.error.timestamp if flow.error else now) - start)
            found.append(Part(FIRST_BYTE, min(reached, end), end, under_way=is_waiting))
        return found
    if exchange.answered:
        return found  # no endpoint was asked
    first = 1000 * (response.timestamp_start - start)
    found.append(Part(FIRST_BYTE, min(reached, first), first))
    last = response.timestamp_end
    if last is None and flow.error:
        last = flow.error.timestamp
    end = ended if last is None else 1000 * (last - start)
    found.append(Part(ANSWER, first, end, under_way=last is None and flow.live))
    return found


def lines(flow: http.HTTPFlow, exchange: Exchange, now: float) -> list[str]:
    """The bars with their head."""
    found = parts(flow, exchange, now)
    whole = max((part.end for part in found), default=0.0)
    names = [name(part.kind) for part in found]
    wide = max(map(width, names))
    numbers = [_ms(part.ms) for part in found]
    long = max(map(width, numbers))
    head = [_ms(whole)]
    if exchange.tries > 1:
        head.append(say("{count} tries", count=exchange.tries))
    if rule_names.MENDED in exchange.rules:
        head.append(say("mended and sent once more"))
    if exchange.answered:
        head.append(say("answered by the proxy"))
    if found[-1].under_way:
        head.append(say("under way"))
    shown = [f"─── {say('timings: {facts}', facts=', '.join(head))} ───"]
    for called, number, part in zip(names, numbers, found, strict=True):
        bar = _bar(part.begin, part.end, whole) + ("…" if part.under_way else "")
        shown.append(f"{_padded(called, wide)}  {' ' * (long - width(number))}{number}  {bar}")
    return shown


def _padded(called: str, wide: int) -> str:
    """`called` in `wide` columns.

    Chinese is filled up with spaces of its own width: on a page, where another font draws it than draws the bars, a
    character isn't exactly two columns wide.
    """
    missing = wide - width(called)
    pairs = missing // 2 if width(called) > len(called) else 0
    return called + "\u3000" * pairs + " " * (missing - 2 * pairs)


def name(kind: str) -> str:
    """What a kind of part is called."""
    names = {
        CAME: say("came"),
        DESCRIBED: say("described"),
        REPAIRED: say("repaired"),
        QUEUED: say("queued"),
        FIRST_BYTE: say("first byte"),
        ANSWER: say("answer"),
    }
    return names[kind]


def _ms(ms: float) -> str:
    return f"{ms:,.0f} ms"


def _bar(begin: float, end: float, whole: float) -> str:
    """A bar of eighths of a column, at its place. What has happened has at least one eighth."""
    if whole <= 0:
        return _EIGHTHS[1]
    first = min(round(_BAR * begin / whole), _BAR - 1)
    eighths = min(max(1, round(8 * _BAR * (end - begin) / whole)), 8 * (_BAR - first))
    full, rest = divmod(eighths, 8)
    return " " * first + "█" * full + (_EIGHTHS[rest] if rest else "")
