"""Message fields: those outside the profile go, or become text."""

from __future__ import annotations

from collections.abc import Mapping

from ..exchange import Changes, JsonObject
from . import content
from .base import Rule, RuleContext
from .survey import Survey


def fields(body: JsonObject, context: RuleContext) -> Changes:
    """Remove message fields that the profile doesn't list.

    Text is kept: `refusal` becomes content, a speaker's `name` stands before the text.
    """
    changes = Changes()
    by_role = _accepted(context)
    for index, message in enumerate(body["messages"]):
        accepted = by_role[message["role"]]
        if accepted.issuperset(message):
            continue
        for name in [name for name in message if name not in accepted]:
            value = message.pop(name)
            why = f"{name} is not accepted in a {message['role']} message: removed"
            if name == "refusal" and isinstance(value, str) and not content.is_blank_text(value):
                message["content"] = content.join(message.get("content"), value)
                why = "refusal becomes content"
                context.may_hold_images = True
            elif name == "name" and isinstance(value, str) and value and message["role"] != "tool":
                why = prefix_with_speaker(message, value) or why
                context.may_hold_images = True
            changes.note("fields", index, why, f"/{escape(name)}")
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    accepted = _accepted(context)
    return any(not fields <= accepted[role] for role, fields in survey.fields.items())


def _accepted(context: RuleContext) -> Mapping[str, frozenset[str]]:
    """Role -> the fields that messages of it may have: the profile's, and the one of reasoning that answers show."""
    fields = context.profile.grammar.fields
    if context.reasoning_field is None or not context.keeps_reasoning:
        return fields
    return {**fields, "assistant": fields["assistant"] | {context.reasoning_field}}


RULE = Rule(
    name="fields",
    repairs=(
        "Message fields that aren't documented go; a `refusal` becomes content, a speaker's `name` stands "
        "before the text."
    ),
    why="SDK Message.",
    apply=fields,
    after=(
        "roles",
        "reasoning",
    ),
    needed=_needed,
)


def prefix_with_speaker(message: JsonObject, name: str) -> str | None:
    """Put a speaker's name before the text; `None` where there is no text to put it before."""
    if content.is_blank(message.get("content")):
        return None
    message["content"] = content.prefixed(f"{name}: ", message["content"])
    return "the speaker's name stands before the text"


def escape(key: str) -> str:
    """A key as a JSON Pointer token (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
