"""Empty content: every message says something.

Source: SDK ChatCompletionsRequest.Messages ("且 Content 不能为空"); seen as 400 "messages 中 content 不能为空". A list
needs at least one text part (SDK Content.Type).
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from ..texts import Texts
from . import content
from .base import Rule, RuleContext


def placeholders(body: JsonObject, context: RuleContext) -> Changes:
    """Fill empty content with a text by role, drop blank text parts, put a text beside lone images."""
    changes = Changes()
    filled = _Placeholders(context.texts)
    for index, message in enumerate(body["messages"]):
        given = message.get("content")
        if isinstance(given, str) and given and not given.isspace():
            continue  # as most are
        if content.is_blank(given):
            if message.get("tool_calls") and not context.profile.grammar.content_with_tool_calls:
                if given is not None and given != "":
                    message["content"] = None
                    changes.note("placeholders", index, "blank content beside tool calls becomes null", "/content")
                continue
            names = tuple([call["function"]["name"] for call in message.get("tool_calls") or ()])
            message["content"], why = filled[message["role"], names]
            changes.note("placeholders", index, why, "/content")
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


class _Placeholders(dict[tuple[str, tuple[str, ...]], tuple[str, str]]):
    """Role and names of the called tools -> the placeholder and the reason. A history has few of them."""

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._by_role = {"system": texts.empty_system, "assistant": texts.empty_assistant, "tool": texts.empty_tool}

    def __missing__(self, key: tuple[str, tuple[str, ...]]) -> tuple[str, str]:
        role, names = key
        text = self._by_role.get(role, self._texts.empty_user)
        if role == "assistant" and names:
            text = self._texts.empty_assistant_calls.format(names=", ".join(names))
        self[key] = text, f"empty {role} content gets a placeholder"
        return self[key]


def _fill_list(message: JsonObject, index: int, context: RuleContext, changes: Changes) -> None:
    given = message["content"]
    kept = [part for part in given if not (content.is_text(part) and content.is_blank_text(part["text"]))]
    if len(kept) < len(given):
        changes.note("placeholders", index, "blank text parts are removed", "/content")
    if not any(map(content.is_text, kept)):
        kept.insert(0, content.text_part(context.texts.image_only))
        changes.note("placeholders", index, "content without any text gets a text part", "/content")
    message["content"] = kept
