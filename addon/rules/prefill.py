"""Prefill: an assistant message at the end is the beginning of the answer, where the endpoint has a word for that.

Kimi's partial mode: `partial: true` in the last message; the answer doesn't repeat it. Not together with JSON: the two
contradict each other by the vendor's own word (docs/facts/kimi.md#models).
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from . import content
from .base import Rule, RuleContext
from .survey import Survey

_FIELD = "partial"


def prefill(body: JsonObject, context: RuleContext) -> Changes:
    """Mark the last message where it is the beginning of the answer."""
    changes = Changes()
    if not _is_marked(context) or not body["messages"]:
        return changes
    last = body["messages"][-1]
    said = last.get("content")
    if last["role"] != "assistant" or last.get("tool_calls") or _FIELD in last:
        return changes
    if not isinstance(said, str) or content.is_blank_text(said) or _wants_json(body):
        return changes
    if said == context.texts.empty_assistant:
        return changes  # what the rule `placeholders` says where the client says nothing
    last[_FIELD] = True
    changes.note("prefill", len(body["messages"]) - 1, "the answer goes on from here: partial mode", f"/{_FIELD}")
    return changes


def _wants_json(body: JsonObject) -> bool:
    asked = body.get("response_format")
    return isinstance(asked, dict) and asked.get("type") != "text"


def _is_marked(context: RuleContext) -> bool:
    return context.model.prefill == "partial" and not context.profile.grammar.end_with_user


def _needed(survey: Survey, context: RuleContext) -> bool:
    return _is_marked(context) and survey.order.endswith("A")


RULE = Rule(
    name="prefill",
    repairs="An assistant message at the end gets `partial: true`, where the endpoint completes answers that way.",
    why="Kimi's partial mode; other formats need no mark for it.",
    apply=prefill,
    after=("pairing",),
    needed=_needed,
)
