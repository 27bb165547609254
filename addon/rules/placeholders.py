"""Empty content: every message says something.

Source: SDK ChatCompletionsRequest.Messages ("且 Content 不能为空"); seen as 400 "messages 中 content 不能为空". A list
needs at least one text part (SDK Content.Type).
"""

from __future__ import annotations

from addon.exchange import Change, JsonObject
from addon.rules import content
from addon.rules.context import RuleContext


def placeholders(body: JsonObject, context: RuleContext) -> list[Change]:
    """Fill empty content with a text by role, drop blank text parts, put a text beside lone images."""
    changes: list[Change] = []
    for index, message in enumerate(body["messages"]):
        given = message.get("content")
        if content.is_blank(given):
            pointer = f"/messages/{index}/content"
            if message.get("tool_calls") and not context.profile.grammar.content_with_tool_calls:
                if given is not None and given != "":
                    message["content"] = None
                    changes.append(Change("placeholders", pointer, "blank content beside tool calls becomes null"))
                continue
            message["content"] = _placeholder(message, context)
            changes.append(Change("placeholders", pointer, f"empty {message['role']} content gets a placeholder"))
        elif isinstance(given, list):
            _fill_list(message, f"/messages/{index}/content", context, changes)
    return changes


def _placeholder(message: JsonObject, context: RuleContext) -> str:
    texts = context.texts
    if message["role"] == "assistant" and message.get("tool_calls"):
        names = ", ".join(call["function"]["name"] for call in message["tool_calls"])
        return texts.empty_assistant_calls.format(names=names)
    by_role = {
        "system": texts.empty_system,
        "assistant": texts.empty_assistant,
        "tool": texts.empty_tool,
    }
    return by_role.get(message["role"], texts.empty_user)


def _fill_list(message: JsonObject, pointer: str, context: RuleContext, changes: list[Change]) -> None:
    given = message["content"]
    kept = [part for part in given if not (content.is_text(part) and content.is_blank_text(part["text"]))]
    if len(kept) < len(given):
        changes.append(Change("placeholders", pointer, "blank text parts are removed"))
    if not any(map(content.is_text, kept)):
        kept.insert(0, content.text_part(context.texts.image_only))
        changes.append(Change("placeholders", pointer, "content without any text gets a text part"))
    message["content"] = kept
