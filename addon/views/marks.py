"""What mitmproxy's lists show of an exchange: a mark for rewritten ones, a comment that names the rules."""

from __future__ import annotations

from mitmproxy import http

from addon.record import Record

PREFIX = "hunyuan-fix: "
_MARK = ":wrench:"
_OBSERVED_MARK = ":eyes:"


def mark(flow: http.HTTPFlow, exchange: Record) -> None:
    """Mark `flow` and comment it in one line. A person's own mark and comment stay."""
    comment = _comment(exchange)
    if not comment:
        return
    if not flow.marked:
        flow.marked = _OBSERVED_MARK if exchange["mode"] == "observe" else _MARK
    if not flow.comment or flow.comment.startswith(PREFIX):
        flow.comment = PREFIX + comment


def _comment(exchange: Record) -> str:
    parts = []
    if exchange["rules"]:
        would = "would apply " if exchange["mode"] == "observe" else ""
        parts.append(would + ", ".join(exchange["rules"]))
    if exchange["vision_calls"] or exchange["cached"]:
        parts.append(f"{exchange['vision_calls']} vision calls, {exchange['cached']} cached")
    if exchange["answered"]:
        parts.append("answered by the proxy")
    if exchange["warning"]:
        parts.append(exchange["warning"])
    return " · ".join(parts)
