"""The mark of a rewritten flow in mitmproxy's lists, and its comment, which says in one line what differs.

hunyuan-t1-latest → hy3 · codex · responses · merge bridge · 2 img · queued 4.8 s · first byte 0.4 s · 1.2k→340 tok
"""

from __future__ import annotations

from mitmproxy import http

from ..exchange import Exchange
from ..texts.terminal import say
from ..vision import record

_MARK = ":wrench:"
_OBSERVED_MARK = ":eyes:"
_SHORTEST_WAIT = 50.0
"""Milliseconds: a shorter wait isn't listed."""
_LONGEST_PATH = 80
"""Characters."""


def mark(flow: http.HTTPFlow, exchange: Exchange, now: str = "") -> None:
    """Set the mark and the comment of `flow`. A mark or comment that the user has set stays.

    `now`: what the exchange is waiting for, while it is under way.
    """
    if exchange.rules and not flow.marked:
        flow.marked = _OBSERVED_MARK if exchange.mode == "observe" else _MARK
    if not flow.comment or flow.comment == exchange.comment:
        flow.comment = exchange.comment = " · ".join(_parts(exchange, now))


def _parts(exchange: Exchange, now: str) -> list[str]:
    """The parts of the comment, in the language of the terminal. What an exchange hasn't got is left out."""
    observed, images = exchange.mode == "observe", exchange.vision_calls + exchange.cached
    parts = []
    # 1. What was asked for, by what.
    if exchange.model:
        parts.append(f"{exchange.model} → {exchange.sent_model}" if exchange.sent_model else exchange.model)
    elif exchange.path:
        parts.append(f"{exchange.method} {exchange.path[:_LONGEST_PATH]}")  # `run --web` has no column for it
    if who := exchange.client or exchange.program:
        parts.append(who)
    if exchange.dialect not in ("chat", ""):
        parts.append(exchange.spoken or exchange.dialect)
    # 2. What was done about it.
    if exchange.rules:
        rules = " ".join(exchange.rules)
        parts.append(f"{say('would apply')} {rules}" if observed else rules)
    if images:
        parts.append(say("would describe {count} img", count=images) if observed else say("{count} img", count=images))
    parts += _times(exchange)
    # 3. What came of it.
    if tokens := _tokens(exchange.usage):
        parts.append(tokens)
    if exchange.failure:
        parts.append(exchange.failure)
    elif exchange.answered:
        parts.append(say("answered by the proxy"))
    if exchange.warning:
        parts.append(exchange.warning)
    if now:
        parts.append(now)
    return parts


def _times(exchange: Exchange) -> list[str]:
    """How long it waited for what."""
    parts = []
    if exchange.queued >= _SHORTEST_WAIT:
        parts.append(say("queued {seconds:g} s", seconds=_seconds(exchange.queued)))
    if (described := record.waited_ms(exchange)) >= _SHORTEST_WAIT:
        parts.append(say("vision {seconds:g} s", seconds=_seconds(described)))
    if exchange.first_byte >= _SHORTEST_WAIT:
        parts.append(say("first byte {seconds:g} s", seconds=_seconds(exchange.first_byte)))
    if exchange.tries > 1:
        parts.append(say("{count} tries", count=exchange.tries))
    return parts


def _tokens(usage: dict[str, int]) -> str:
    """`1.2k→340 tok`; `""` where the answer didn't tell."""
    known = [_short(usage[kind]) for kind in ("input", "output") if kind in usage]
    return f"{'→'.join(known)} tok" if known else ""


def _short(count: int) -> str:
    if count < 1000:
        return str(count)
    thousands = count / 1000
    return f"{thousands:.1f}k" if thousands < 100 else f"{thousands:.0f}k"


def _seconds(ms: float) -> float:
    """Seconds, with as many digits as a person reads: 12.3, 0.41."""
    return round(ms / 1000, 1 if ms >= 1000 else 2)
