"""Bridge: an assistant message stands between a tool message and the user message after it.

It follows from the order of roles, `[system]? user (assistant (user | tool+))*` (docs/facts/hunyuan.md#tool-then-user).
Runs after merge and pairing, so only neighbours of different roles meet here.
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from .base import Rule, RuleContext
from .survey import Survey


def bridge(body: JsonObject, context: RuleContext) -> Changes:
    """Put an assistant message between a tool message and the user message after it. The text is constant."""
    if not context.profile.grammar.bridge:
        return Changes()
    changes = Changes()
    bridged: list[JsonObject] = []
    for index, message in enumerate(body["messages"]):
        if message["role"] == "user" and bridged and bridged[-1]["role"] == "tool":
            bridged.append({"role": "assistant", "content": context.texts.bridge})
            changes.note("bridge", index, "an assistant message between tool and user")
        bridged.append(message)
    body["messages"] = bridged
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    return context.profile.grammar.bridge and "TU" in survey.order


RULE = Rule(
    name="bridge",
    repairs="An assistant message stands between a tool result and a user message.",
    why="Follows from the order of roles in SDK ChatCompletionsRequest.Messages.",
    apply=bridge,
    after=(
        "merge",
        "pairing",
    ),
    needed=_needed,
)
