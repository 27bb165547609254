"""The mark of a rewritten flow in mitmproxy's lists, and its comment, which names the rules."""

from __future__ import annotations

from mitmproxy import http

from ..exchange import Exchange

PREFIX = "hunyuan-fix: "
_MARK = ":wrench:"
_OBSERVED_MARK = ":eyes:"


def mark(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Set the mark and a one-line comment of `flow`. A mark or comment that the user has set stays."""
    comment = _comment(exchange)
    if not comment:
        return
    if exchange.rules and not flow.marked:
        flow.marked = _OBSERVED_MARK if exchange.mode == "observe" else _MARK
    if not flow.comment or flow.comment.startswith(PREFIX):
        flow.comment = PREFIX + comment


def _comment(exchange: Exchange) -> str:
    parts = []
    observed, calls = exchange.mode == "observe", exchange.vision_calls
    if exchange.rules:
        parts.append(("would apply " if observed else "") + ", ".join(exchange.rules))
    if calls or exchange.cached:
        would = "would make " if observed else ""
        parts.append(f"{would}{calls} vision call{'' if calls == 1 else 's'}, {exchange.cached} cached")
    if exchange.answered:
        parts.append("answered by the proxy")
    if exchange.warning:
        parts.append(exchange.warning)
    return " · ".join(parts)
