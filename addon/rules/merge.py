"""Merge: neighbours of one role become one message.

Source: SDK ChatCompletionsRequest.Messages ("user（tool） 和 assistant 需交替出现"); seen as 400/1001 (OpenManus#894).
"""

from __future__ import annotations

from addon.exchange import Change, JsonObject
from addon.rules import content
from addon.rules.context import RuleContext
from addon.rules.fields import speak_name

_MERGED_ROLES = ("user", "assistant")


def merge(body: JsonObject, context: RuleContext) -> list[Change]:
    """Join neighbouring user messages and neighbouring assistant messages, parts and calls kept in order."""
    if not context.profile.grammar.alternate:
        return []
    changes: list[Change] = []
    merged: list[JsonObject] = []
    for index, message in enumerate(body["messages"]):
        if merged and message["role"] in _MERGED_ROLES and merged[-1]["role"] == message["role"]:
            merged[-1] = _joined(merged[-1], message)
            changes.append(Change("merge", f"/messages/{index}", f"joined to the {message['role']} message before"))
        else:
            merged.append(message)
    body["messages"] = merged
    return changes


def _joined(first: JsonObject, second: JsonObject) -> JsonObject:
    if first.get("name") != second.get("name"):
        for message in (first, second):
            name = message.pop("name", None)
            if isinstance(name, str) and name:
                speak_name(message, name)
    result = {**first, "content": content.join(first.get("content"), second.get("content"))}
    calls = [*first.get("tool_calls", ()), *second.get("tool_calls", ())]
    if calls:
        # an `index` counts within its own message, so it can't survive the join
        result["tool_calls"] = [{key: call[key] for key in call if key != "index"} for call in calls]
    if "reasoning_content" in first or "reasoning_content" in second:
        reasoning = content.join(first.get("reasoning_content"), second.get("reasoning_content"))
        result["reasoning_content"] = reasoning or ""
    return result
