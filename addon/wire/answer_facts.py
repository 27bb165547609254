"""What an answer says of itself beside its content and its usage: id, model, why it ended. For traces."""

from __future__ import annotations

import re
from typing import Final

from ..exchange import Exchange, JsonObject
from .safe_text import plain

ID, MODEL, FINISH_REASONS = "id", "model", "finish_reasons"

_LONGEST: Final = 128
"""Characters of an id or a model's name."""
_REASON: Final = re.compile(r"[a-z_]{1,30}", re.IGNORECASE)
_MOST_REASONS: Final = 8
_HOLDERS: Final = ("message", "response")
"""Fields of events that have the head of an answer in them: Anthropic's, and those of responses."""


def of_answer(answer: JsonObject) -> JsonObject:
    """The facts of a whole answer or a chunk of chat's, of Anthropic's or Responses' answers; only those it tells."""
    facts: JsonObject = {}
    for name in (ID, MODEL):
        value = answer.get(name)
        if isinstance(value, str) and value:
            facts[name] = plain(value[:_LONGEST])
    choices = answer.get("choices")
    reasons = [_reason(choice) for choice in (choices if isinstance(choices, list) else ())[:_MOST_REASONS]]
    if any(reasons):
        facts[FINISH_REASONS] = [reason for reason in reasons if reason]
    return facts


def of_event(event: JsonObject) -> JsonObject:
    """The facts of an event of a stream in Anthropic's or Responses' format: those of the answer's head in it."""
    heads = [head for name in _HOLDERS if isinstance(head := event.get(name), dict)]
    return of_answer(heads[0]) if heads else {}


def are_wanted(exchange: Exchange) -> bool:
    """Whether the trace of `exchange` is exported. Without it nothing is read."""
    return exchange.trace is not None and exchange.trace.sampled


def note(exchange: Exchange, facts: JsonObject) -> None:
    """Give `exchange` the facts of its answer; what was known before and isn't told again stays."""
    if facts:
        exchange.answer_facts = {**exchange.answer_facts, **facts}


def _reason(choice: object) -> str:
    """Why a choice ended, if it is a word as endpoints write it."""
    reason = choice.get("finish_reason") if isinstance(choice, dict) else None
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""
