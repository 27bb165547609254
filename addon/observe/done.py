"""What the last event of an exchange tells: the exchange in names and numbers, without any content."""

from __future__ import annotations

from ..events import Done
from ..exchange import Exchange
from ..vision import record


def done(exchange: Exchange, outcome: str, how: str = "answered", status: int | None = None) -> Done:
    """The event `events.DONE` of an exchange that is over. `outcome`: its status, or the way it ended without one."""
    described, trace = record.waited_ms(exchange), exchange.trace
    return {
        "id": exchange.id,
        "profile": exchange.profile,
        "dialect": exchange.dialect or exchange.spoken,
        "mode": exchange.mode,
        "method": exchange.method,
        "path": exchange.path,
        "model": exchange.model,
        "sent_model": exchange.sent_model,
        "client": exchange.client,
        "program": exchange.program,
        "lent": exchange.lent,
        "request_id": exchange.request_id,
        "upstream_id": exchange.upstream_id,
        "session": exchange.session,
        "session_named": exchange.session_named,
        "status": status,
        "how": how,
        "outcome": outcome,
        "failure": exchange.failure,
        "error": exchange.error,
        "left": exchange.left,
        "touched": bool(exchange.dialect),
        "rewritten": exchange.rewritten,
        "rules": exchange.rules,
        "changes": exchange.change_count,
        "vision_calls": exchange.vision_calls,
        "cached": exchange.cached,
        "addon_ms": max(0.0, exchange.milliseconds - exchange.called),
        "vision_ms": described,
        "queue_ms": exchange.queued,
        "first_byte_ms": exchange.first_byte,
        "first_token_ms": exchange.first_token,
        "ms": exchange.elapsed,
        "tries": exchange.tries,
        "streamed": exchange.streamed,
        "json": exchange.json_said,
        "usage": exchange.usage,
        "tokens": exchange.tokens,
        "trace_id": trace.trace_id if trace is not None else "",
        "span_id": trace.span_id if trace is not None else "",
        "answer": exchange.answer_facts,
    }
