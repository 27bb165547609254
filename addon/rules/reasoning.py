"""Reasoning in the history: it goes where the endpoint refuses it, and goes by its one name where it is wanted.

Clients keep it in message fields and in content parts of many spellings (NousResearch/hermes-agent#32380,
run-llama/llama_index#21220, tidyverse/ellmer#972). `<think>` inside a text is the client's text, and stays.
"""

from __future__ import annotations

from typing import Any

from ..exchange import Changes, JsonObject
from . import content
from .base import Rule, RuleContext
from .survey import Survey

_NAME = "reasoning_content"
_FIELDS = (
    _NAME,
    "reasoning",
    "reasoning_text",
    "thinking",
    "thinking_content",
    "thinking_blocks",  # LiteLLM
    "reasoning_details",  # OpenRouter
)
"""Message fields that hold reasoning; several of them in one message hold the same."""
_ANY_FIELD = frozenset(_FIELDS)
_PARTS = frozenset(
    [
        "thinking",
        "redactedthinking",
        "thought",
        "thoughts",
        "reasoning",
        "redactedreasoning",
        "reasoningtext",
        "reasoningcontent",
        "reasoningsummary",
        "reasoningencrypted",
        "summary",
        "summarytext",
    ]
)
"""Types of an assistant's content parts that are reasoning, without `_`, `-` and `.`."""
_UNPUNCTUATED = str.maketrans("", "", "_-.")
_TEXT_KEYS = (
    "thinking",
    "reasoning",
    "text",
    _NAME,
    "reasoning_text",
    "reasoningContent",
    "reasoningText",  # Bedrock's two
    "thought",
    "content",
    "summary",
)
"""Where an object of reasoning holds its text. `data`, `signature` and the like are for its vendor alone."""


def reasoning(body: JsonObject, context: RuleContext) -> Changes:
    """Remove an assistant's reasoning, or keep and complete it, as the profile demands.

    Legacy: "请求 messages 的请求参数中包含 reasoning_content，接口将报错" (SDK Message.ReasoningContent). hy3 on
    TokenHub wants it back, as `reasoning_content`; a turn with tool calls that has none gets an empty one while the
    model thinks.
    """
    grammar = context.profile.grammar
    changes = Changes()
    for index, message in enumerate(body["messages"]):
        parts = _taken_parts(message, index, changes) if message["role"] == "assistant" else []
        if grammar.reasoning == "remove":
            _remove(message, index, changes)
        elif message["role"] == "assistant":
            _rename(message, parts, index, changes)
    if context.model.replay == "required" and context.model.thinking and _thinks(body):
        _complete(body["messages"], changes)
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    if context.model.replay == "required" and context.model.thinking:
        return True
    return survey.has_field(_ANY_FIELD) or "assistant" in survey.with_parts


RULE = Rule(
    name="reasoning",
    repairs=(
        "Reasoning in fields and parts of any spelling goes from assistant messages; TokenHub gets it as "
        "`reasoning_content`, and a thinking model's turn with tool calls and without reasoning gets an "
        "empty one."
    ),
    why='SDK Message.ReasoningContent: "接口将报错"; hy3 on TokenHub wants it back (NousResearch/hermes-agent#32380).',
    apply=reasoning,
    after=(
        "roles",
        "calls",
    ),
    needed=_needed,
)


def _taken_parts(message: JsonObject, index: int, changes: Changes) -> list[Any]:
    """The reasoning parts of an assistant's content, taken out of it."""
    given = message.get("content")
    if given is None or isinstance(given, str):
        return []
    listed = content.flattened(given if isinstance(given, list) else [given])
    parts = [part for part in listed if _is_reasoning(part)]
    if parts:
        message["content"] = [part for part in listed if not _is_reasoning(part)] or None
        changes.note("reasoning", index, "reasoning does not belong to what was said: taken out", "/content")
    return parts


def _is_reasoning(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    if isinstance(kind, str):
        named = kind.translate(_UNPUNCTUATED).lower() in _PARTS
        return named or (part.get("thought") is True and kind == "text")  # Gemini
    return part.get("thought") is True or "reasoningContent" in part


def _remove(message: JsonObject, index: int, changes: Changes) -> None:
    for name in _FIELDS:
        if name in message:
            del message[name]
            changes.note("reasoning", index, f"{name} is refused: removed", f"/{name}")


def _rename(message: JsonObject, parts: list[Any], index: int, changes: Changes) -> None:
    """Leave `reasoning_content` as the only field of reasoning, with the text of the first that has any."""
    names = [name for name in _FIELDS if name in message]
    given = message.get(_NAME)
    if names in ([], [_NAME]) and not parts and (given is None or isinstance(given, str)):
        return
    sources = [message.pop(name) for name in names] + [parts]
    text = next((text for source in sources if (text := _text(source))), None)
    if text is not None:
        message[_NAME] = text
    elif isinstance(given, str):
        message[_NAME] = given
    for name in names:
        if name != _NAME:
            changes.note("reasoning", index, f"{name} is called {_NAME} here", f"/{name}")
        elif message.get(_NAME) != given:
            changes.note("reasoning", index, "reasoning is text", f"/{_NAME}")
    if not names and text is not None:
        changes.note("reasoning", index, f"reasoning is called {_NAME} here", "/content")


def _text(value: object) -> str:
    """All that a value of reasoning says, in order; "" where it is empty or redacted."""
    if isinstance(value, str):
        return value
    texts: list[str] = []
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            texts.append(current)
        elif isinstance(current, list):
            waiting.extend(reversed(current))
        elif isinstance(current, dict):
            waiting.append(next((current[key] for key in _TEXT_KEYS if _holds(current.get(key))), None))
    return content.BLANK_LINE.join(text for text in texts if not content.is_blank_text(text))


def is_given(message: JsonObject) -> bool:
    """Whether an assistant's message has reasoning that says anything, in whatever field or part."""
    given = [message[name] for name in _FIELDS if name in message]
    if isinstance(message.get("content"), list):
        given += [part for part in content.flattened(message["content"]) if _is_reasoning(part)]
    return any(not content.is_blank_text(_text(value)) for value in given)


def _holds(value: object) -> bool:
    return isinstance(value, str | list | dict) and bool(value)


def _complete(messages: list[JsonObject], changes: Changes) -> None:
    for index, message in enumerate(messages):
        lacks = not isinstance(message.get(_NAME), str)
        if message["role"] == "assistant" and message.get("tool_calls") and lacks:
            message[_NAME] = ""
            changes.note("reasoning", index, "a thinking model wants its reasoning back: empty added", f"/{_NAME}")


def _thinks(body: JsonObject) -> bool:
    thinking = body.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")
