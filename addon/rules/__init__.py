"""The rules, in their order. Pure: a parsed body in, the changes made in it out.

`docs/rules.md` says what each repairs and why. The order matters: names before everything that repeats them,
instructions before the system rule that joins them, pairing between two merges (answers that move up leave
neighbours of one role behind), placeholders after merges (an empty message that can be joined needs none),
length after them (it counts what they added), marks last of the message rules (it knows the addon's texts from all
others only at the end), parameters at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..exchange import Change, JsonObject
from ..texts.marks import tracked
from . import (
    calls,
    embeddings,
    fields,
    intents,
    length,
    marks,
    media,
    merge,
    order,
    pairing,
    parameters,
    parts,
    placeholders,
    reasoning,
    roles,
    system,
    tools,
)
from .context import Rule, RuleContext

__all__ = ["CHAT_RULES", "RuleContext", "apply_chat", "apply_embeddings", "embeddings", "repairable"]

CHAT_RULES: tuple[Rule, ...] = (
    tools.tool_names,
    roles.roles,
    calls.calls,
    reasoning.reasoning,
    fields.fields,
    media.image_parts,
    parts.parts,
    media.media,
    tools.tools,
    intents.intents,
    system.system,
    merge.merge,
    pairing.pairing,
    merge.merge,
    placeholders.placeholders,
    order.bridge,
    order.edges,
    length.length,
    marks.marks,
    parameters.parameters,
)


def repairable(body: JsonObject) -> bool:
    """Whether the rules can do anything: without any message the endpoint's own error is the honest answer."""
    messages = body.get("messages")
    return isinstance(messages, list) and bool(messages)


def apply_chat(body: JsonObject, context: RuleContext, checkpoint: Callable[[], None] = lambda: None) -> list[Change]:
    """Run every chat rule over `body`, in place; an unrepairable body is left alone. Changes in order.

    `checkpoint` is called before each rule; what it raises ends the work, and `body` is half changed then.
    """
    if not repairable(body):
        return []
    context = replace(context, texts=tracked(context.texts))
    changes: list[Change] = []
    for rule in CHAT_RULES:
        checkpoint()
        changes += rule(body, context)
    return changes


def apply_embeddings(body: JsonObject, context: RuleContext) -> list[Change]:
    """Run the embeddings rule over `body`, in place."""
    return embeddings.embeddings(body, context)
