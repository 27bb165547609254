"""The rules: a parsed body in, the repaired body and its changes out. Pure.

To add a rule: write its file with a `RULE` in it, and its name into `CHAT_RULES`. docs/rules.md is generated.

The order matters, and `after` in each file says what it depends on: names before everything that repeats them,
instructions before the system rule that joins them, pairing between two merges (answers that move up leave
neighbours of one role behind), placeholders after merges (an empty message that can be joined needs none),
length after them (it counts what they added), marks last of the message rules (it knows the addon's texts from all
others only at the end), parameters at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..exchange import Change, Changes, JsonObject
from ..texts.marks import tracked
from . import added, embeddings
from .base import Rule, RuleContext, in_order, load
from .places import Track
from .survey import Survey

__all__ = ["CHAT_RULES", "Rule", "RuleContext", "apply_chat", "apply_embeddings", "repairable"]

CHAT_RULES = in_order(
    [
        load("thinking"),
        load("tool-names"),
        load("roles"),
        load("calls"),
        load("reasoning"),
        load("fields"),
        load("image-parts"),
        load("parts"),
        load("media"),
        load("tools"),
        load("intents"),
        load("tool-choice"),
        load("builtin-functions"),
        load("system"),
        load("merge"),
        load("pairing"),
        load("merge"),
        load("builtin-results"),
        load("prefill"),
        load("placeholders"),
        load("bridge"),
        load("edges"),
        load("length"),
        load("made-up-reasoning"),
        load("marks"),
        load("parameters"),
        load("session-key"),
    ]
)


def repairable(body: JsonObject) -> bool:
    """Whether the rules can do anything: without any message the endpoint's own error is the honest answer."""
    messages = body.get("messages")
    return isinstance(messages, list) and bool(messages)


def apply_chat(
    body: JsonObject,
    context: RuleContext,
    checkpoint: Callable[[], None] = lambda: None,
    track: Track | None = None,
) -> Changes:
    """Run every chat rule over `body`, in place; an unrepairable body is left alone. Changes in order.

    `checkpoint` is called before each rule; what it raises ends the work, and `body` is half changed then. `track`
    follows the messages.
    """
    if not repairable(body):
        return Changes()
    texts = tracked(context.texts)
    if texts is not context.texts:
        context = replace(context, texts=texts)

    def run(chat_rules: Sequence[Rule], progress: added.Progress) -> Changes:
        changes, survey = Changes(), Survey(body)
        for rule in chat_rules:
            progress.rule = None
            checkpoint()
            progress.rule = rule
            if not rule.needed(survey, context):
                continue
            before = list(body["messages"]) if track is not None else ()
            if made := rule.apply(body, context):
                changes += made
                survey = Survey(body)
                if track is not None:
                    track.follow(before, body["messages"], made)
        return changes

    if context.added is None:
        return run(CHAT_RULES, added.Progress())
    return added.run(context.added, body, context, track, run)


def apply_embeddings(body: JsonObject, context: RuleContext) -> Sequence[Change]:
    """Run the embeddings rule over `body`, in place."""
    return embeddings.RULE.apply(body, context)
