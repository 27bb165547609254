"""Empty content: every message says something.

Source: SDK ChatCompletionsRequest.Messages ("且 Content 不能为空"); seen as 400 "messages 中 content 不能为空". A list
needs at least one text part (SDK Content.Type).
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from ..texts import pieces
from . import content
from .base import Rule, RuleContext

_WHY = {role: f"empty {role} content gets a placeholder" for role in ("system", "user", "assistant", "tool")}


def placeholders(body: JsonObject, context: RuleContext) -> Changes:
    """Fill empty content with a text by role, drop blank text parts, put a text beside lone images."""
    changes = Changes()
    calls_without = not context.profile.grammar.content_with_tool_calls
    for index, message in enumerate(body["messages"]):
        given = message.get("content")
        if isinstance(given, str) and given and not given.isspace():
            continue  # as in most messages
        if given is None or content.is_blank(given):
            if calls_without and message.get("tool_calls"):
                if given is not None and given != "":
                    message["content"] = None
                    changes.note("placeholders", index, "blank content beside tool calls becomes null", "/content")
                continue
            message["content"] = _placeholder(message, context)
            changes.note("placeholders", index, _WHY[message["role"]], "/content")
        elif isinstance(given, list):
            _fill_list(message, index, context, changes)
    return changes


RULE = Rule(
    name="placeholders",
    repairs="Empty content gets a text by role, blank text parts go, an image alone gets a text part.",
    why='SDK ChatCompletionsRequest.Messages: "且 Content 不能为空"; seen: 400 "messages 中 content 不能为空".',
    apply=placeholders,
    after=("merge",),
)


def _placeholder(message: JsonObject, context: RuleContext) -> str:
    texts = context.texts
    if calls := message.get("tool_calls"):
        before, after = pieces(texts.empty_assistant_calls, "names")
        return before + ", ".join([call["function"]["name"] for call in calls]) + after
    match message["role"]:
        case "assistant":
            return texts.empty_assistant
        case "system":
            return texts.empty_system
        case "tool":
            return texts.empty_tool
        case _:
            return texts.empty_user


def _fill_list(message: JsonObject, index: int, context: RuleContext, changes: Changes) -> None:
    given = message["content"]
    kept = [part for part in given if not (content.is_text(part) and content.is_blank_text(part["text"]))]
    if len(kept) < len(given):
        changes.note("placeholders", index, "blank text parts are removed", "/content")
    if not any(map(content.is_text, kept)):
        kept.insert(0, content.text_part(context.texts.image_only))
        changes.note("placeholders", index, "content without any text gets a text part", "/content")
    message["content"] = kept
