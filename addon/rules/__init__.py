"""The rules, in their order. Pure: a parsed body in, the changes made in it out.

`docs/rules.md` says what each repairs and why. The order matters: names before everything that repeats them,
instructions before the system rule that joins them, pairing between two merges (answers that move up leave
neighbours of one role behind), placeholders after merges (an empty message that can be joined needs none),
length last of the message rules (it counts what the others added), parameters at the end.
"""

from __future__ import annotations

from addon.exchange import Change, JsonObject
from addon.rules.calls import calls
from addon.rules.context import Rule, RuleContext
from addon.rules.embeddings import embeddings
from addon.rules.fields import fields, reasoning
from addon.rules.intents import intents
from addon.rules.length import length
from addon.rules.media import media
from addon.rules.merge import merge
from addon.rules.order import bridge, edges
from addon.rules.pairing import pairing
from addon.rules.parameters import parameters
from addon.rules.parts import parts
from addon.rules.placeholders import placeholders
from addon.rules.roles import roles
from addon.rules.system import system
from addon.rules.tools import tool_names, tools

__all__ = ["CHAT_RULES", "RuleContext", "apply_chat", "apply_embeddings", "repairable"]

CHAT_RULES: tuple[Rule, ...] = (
    tool_names,
    roles,
    calls,
    reasoning,
    fields,
    parts,
    media,
    tools,
    intents,
    system,
    merge,
    pairing,
    merge,
    placeholders,
    bridge,
    edges,
    length,
    parameters,
)


def repairable(body: JsonObject) -> bool:
    """Whether the rules can do anything: without any message the endpoint's own error is the honest answer."""
    messages = body.get("messages")
    return isinstance(messages, list) and bool(messages)


def apply_chat(body: JsonObject, context: RuleContext) -> list[Change]:
    """Run every chat rule over `body`, in place; an unrepairable body is left alone. Changes in order."""
    if not repairable(body):
        return []
    return [change for rule in CHAT_RULES for change in rule(body, context)]


def apply_embeddings(body: JsonObject, context: RuleContext) -> list[Change]:
    """Run the embeddings rule over `body`, in place."""
    return embeddings(body, context)
