"""Bridge: an assistant message stands between a tool message and the user message after it.

It follows from the order of roles, `[system]? user (assistant (user | tool+))*` (docs/facts/hunyuan.md#tool-then-user).
Runs after merge and pairing, so only neighbours of different roles meet here.

What an agent says of itself after a result is no turn of its user's: the reminders with which such a message begins
stand in the result then. The model sees the result last, as its agent means it, and the conversation has two messages
less.
"""

from __future__ import annotations

import re
from typing import Final

from ..exchange import Changes, JsonObject
from . import content
from .base import Rule, RuleContext
from .content import Content
from .survey import Survey

_REMINDERS: Final = re.compile(r"(?:\s*+<system-reminder>.*?</system-reminder>)+", re.DOTALL)
"""The form in which Claude Code and others mark what isn't their user's (docs/facts/anthropic.md#messages)."""


def bridge(body: JsonObject, context: RuleContext) -> Changes:
    """Part tool messages from the user messages after them, by an assistant message whose text is constant."""
    if not context.profile.grammar.bridge:
        return Changes()
    changes = Changes()
    bridged: list[JsonObject] = []
    for index, given in enumerate(body["messages"]):
        message = given
        if message["role"] == "user" and bridged and bridged[-1]["role"] == "tool":
            reminders, rest = _parted(message["content"])
            if reminders:
                bridged[-1] = {**bridged[-1], "content": content.join(bridged[-1]["content"], reminders)}
                changes.note("bridge", index, "reminders of the client's own stand in the tool result before them")
                if rest is None:
                    continue
                if isinstance(rest, list) and not any(map(content.is_text, rest)):
                    rest.insert(0, content.text_part(context.texts.image_only))  # as the rule placeholders has it
                message = {**message, "content": rest}
            bridged.append({"role": "assistant", "content": context.texts.bridge})
            changes.note("bridge", index, "an assistant message between tool and user")
        bridged.append(message)
    body["messages"] = bridged
    return changes


def _parted(given: object) -> tuple[str, Content]:
    """The reminders with which a message begins, and what else it says, `None` for nothing."""
    reminders: list[str] = []
    said = content.pieces(given)
    for place, piece in enumerate(said):
        found = _REMINDERS.match(piece) if isinstance(piece, str) else None
        if found is None:
            break
        reminders.append(found[0])
        rest = piece[found.end() :].lstrip("\n")
        said[place] = "" if content.is_blank_text(rest) else rest
        if said[place]:
            break
    if not reminders:
        return "", None
    return content.BLANK_LINE.join(reminders), content.assemble(filter(None, said)) or None


def _needed(survey: Survey, context: RuleContext) -> bool:
    return context.profile.grammar.bridge and "TU" in survey.order


RULE = Rule(
    name="bridge",
    repairs=(
        "An assistant message stands between a tool result and a user message. What an agent adds to a result as a "
        "`<system-reminder>` stands in the result."
    ),
    why=(
        "Follows from the order of roles in SDK ChatCompletionsRequest.Messages. A reminder is no turn of the user's, "
        "and would take the result its place at the end."
    ),
    apply=bridge,
    after=(
        "merge",
        "pairing",
    ),
    needed=_needed,
)
