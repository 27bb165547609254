"""What the last event of an exchange tells: the exchange in names and numbers, without any content."""

from __future__ import annotations

from typing import Final

from ..events import Done
from ..exchange import Exchange, JsonObject
from ..rules import made_up_reasoning, reasoning
from ..vision import record
from ..wire import rule_names
from . import prompt_cache

_REASONING: Final = frozenset([rule_names.REASONING_MEMORY, reasoning.RULE.name, made_up_reasoning.RULE.name])


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
        "kind": exchange.kind,
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
        "reasoning": _reasoning(exchange),
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
        "prompt_cache": _prompt_cache(exchange),
        "trace_id": trace.trace_id if trace is not None else "",
        "span_id": trace.span_id if trace is not None else "",
        "answer": exchange.answer_facts,
    }


def _reasoning(exchange: Exchange) -> dict[str, int]:
    """How many turns got reasoning that their client had lost, by where it is from."""
    if _REASONING.isdisjoint(exchange.rules):
        return {}  # as of most
    found: dict[str, int] = {}
    for (rule, why), count in exchange.changes.counted().items():
        source = ""
        if rule == rule_names.REASONING_MEMORY:
            source = "kept"
        elif rule == made_up_reasoning.RULE.name:
            source = "made_up"
        elif rule == reasoning.RULE.name and why in reasoning.RECOVERED:
            source = "recovered"
        if source:
            found[source] = found.get(source, 0) + count
    return found


def _prompt_cache(exchange: Exchange) -> JsonObject:
    """What is known of its prompt's cache, beside its usage."""
    note = exchange.notes.get(prompt_cache.NAME)
    return {name: note[name] for name in prompt_cache.TOLD if name in note} if note else {}
