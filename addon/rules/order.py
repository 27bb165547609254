"""The order of messages: `[system]? user (assistant (user | tool+))*`.

Source: SDK ChatCompletionsRequest.Messages ("以 user 提问开始，user（tool）提问结束"); tool -> user follows from it
(docs/facts/hunyuan.md#tool-then-user). Runs after merge and pairing, so only neighbours of different roles meet here.
"""

from __future__ import annotations

from ..exchange import Change, Changes, JsonObject
from .context import RuleContext


def bridge(body: JsonObject, context: RuleContext) -> list[Change]:
    """Put an assistant message between a tool message and the user message after it. The text is constant."""
    if not context.profile.grammar.bridge:
        return []
    changes = Changes()
    bridged: list[JsonObject] = []
    for index, message in enumerate(body["messages"]):
        if message["role"] == "user" and bridged and bridged[-1]["role"] == "tool":
            bridged.append({"role": "assistant", "content": context.texts.bridge})
            changes.note("bridge", index, "an assistant message between tool and user")
        bridged.append(message)
    body["messages"] = bridged
    return changes


def edges(body: JsonObject, context: RuleContext) -> list[Change]:
    """Start with a user message; where the profile demands it, end with a user or a tool message."""
    changes: list[Change] = []
    messages = body["messages"]
    start = 1 if messages and messages[0]["role"] == "system" else 0
    if len(messages) == start or messages[start]["role"] != "user":
        messages.insert(start, {"role": "user", "content": context.texts.start})
        changes.append(Change("edges", f"/messages/{start}", "the conversation starts with a user message"))
    if context.profile.grammar.end_with_user and messages[-1]["role"] == "assistant":
        messages.append({"role": "user", "content": context.texts.continue_})
        changes.append(Change("edges", f"/messages/{len(messages) - 1}", "a user message after the last assistant"))
    return changes
