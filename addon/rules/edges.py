"""Edges: a conversation starts with a user message, and ends with a user or a tool message, where that is demanded.

Source: SDK ChatCompletionsRequest.Messages ("以 user 提问开始，user（tool）提问结束").
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from .base import Rule, RuleContext
from .survey import Survey


def edges(body: JsonObject, context: RuleContext) -> Changes:
    """Start with a user message, and end with a user or a tool message, where that is demanded. No list stays empty."""
    changes = Changes()
    messages = body["messages"]
    start = 1 if messages and messages[0]["role"] == "system" else 0
    begins_well = messages[start]["role"] == "user" if len(messages) > start else False
    if not messages or (context.profile.grammar.start_with_user and not begins_well):
        messages.insert(start, {"role": "user", "content": context.texts.start})
        changes.note("edges", start, "the conversation starts with a user message")
    if context.profile.grammar.end_with_user and messages[-1]["role"] == "assistant":
        messages.append({"role": "user", "content": context.texts.continue_})
        changes.note("edges", len(messages) - 1, "a user message after the last assistant")
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    order, grammar = survey.order, context.profile.grammar
    begins_well = order.startswith(("U", "SU")) if grammar.start_with_user else bool(order)
    ends_well = not grammar.end_with_user or not order.endswith("A")
    return not (begins_well and ends_well)


RULE = Rule(
    name="edges",
    repairs="Where that is demanded: the first message is a user's, and after a trailing assistant message comes one.",
    why='SDK ChatCompletionsRequest.Messages: "以 user 提问开始，user（tool）提问结束".',
    apply=edges,
    after=(
        "merge",
        "pairing",
    ),
    needed=_needed,
)
