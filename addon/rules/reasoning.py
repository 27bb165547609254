"""Reasoning in the history: it goes where the endpoint refuses it, and goes by its one name where it is wanted.

Clients keep it in message fields and in content parts of many spellings (NousResearch/hermes-agent#32380,
run-llama/llama_index#21220, tidyverse/ellmer#972). `<think>` inside a text is the client's text, and stays, but in a
turn that should have its reasoning and has none in a field.

What nothing is left of is the rule `made-up-reasoning`'s.
"""

from __future__ import annotations

from typing import Any, Final

from ..exchange import Changes, JsonObject
from ..profiles import Model
from . import content, think_tags
from .base import Rule, RuleContext
from .survey import Survey

_FROM_TAGS: Final = "recovered from the text between think tags"
_FROM_BEFORE: Final = "recovered from the message before, of the same turn"
RECOVERED: Final = (_FROM_TAGS, _FROM_BEFORE)
"""Why a turn got reasoning that was lost, from elsewhere in the request."""
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
_SEALED = frozenset(["reasoning_details", "thinking_blocks"])
"""Those that hold objects, of a vendor's own."""
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
    """Remove an assistant's reasoning, or keep it in the one place where the endpoint looks for it.

    Legacy: "请求 messages 的请求参数中包含 reasoning_content，接口将报错" (SDK Message.ReasoningContent). Where a turn
    that should have its reasoning has none in a field, it is recovered from its content
    (`context.counts["recovered"]`). What a client put beside a turn of another model is real, too, and stays.
    """
    changes = Changes()
    keeps = context.keeps_reasoning
    for index, message in enumerate(body["messages"]):
        if message["role"] != "assistant":
            if not keeps:
                _remove(message, index, changes)
            continue
        parts = _taken_parts(message, index, changes)
        if not keeps:
            _remove(message, index, changes)
            continue
        _rename(message, parts, index, changes, context)
        if is_wanted(message, body, context) and not has_reasoning(message, context):
            _recover(message, index, changes, context)
            if index and message.get("tool_calls") and not has_reasoning(message, context):
                _recover_from_before(message, body["messages"][index - 1], index, changes, context)
    return changes


def is_wanted(message: JsonObject, body: JsonObject, context: RuleContext) -> bool:
    """Whether the model wants the reasoning of an assistant message back, in a field."""
    return _replays(context) and (bool(message.get("tool_calls")) or every_turn(body, context.model))


def every_turn(body: JsonObject, model: Model) -> bool:
    """Whether the reasoning of every turn is wanted back, not of those with calls alone."""
    asked = body.get("thinking")
    return model.replay_turns == "all" or (isinstance(asked, dict) and asked.get("keep") == "all")


def _replays(context: RuleContext) -> bool:
    """Whether the model wants any reasoning back, in a field. Of one that nothing is known of: no."""
    model = context.model
    if model.replay_in == "content" or not context.keeps_reasoning:
        return False
    return model.replay == "required" or (model.replay == "wanted" and model.thinking is not None)


def has_reasoning(message: JsonObject, context: RuleContext) -> bool:
    """Whether a message has its reasoning. Where the model takes that, `""` is one: of a model that thought nothing."""
    given = message.get(context.reasoning_name)
    return isinstance(given, str) and (bool(given) or context.model.empty_reasoning)


def _needed(survey: Survey, context: RuleContext) -> bool:
    if survey.has_field(_ANY_FIELD) or "assistant" in survey.with_parts:
        return True
    if context.reasoning_field is not None and survey.has_field(frozenset([context.reasoning_field])):
        return True
    if not _replays(context) or "assistant" not in survey.fields:
        return False
    return "tool_calls" in survey.fields["assistant"] or every_turn(survey.body, context.model)


RULE = Rule(
    name="reasoning",
    repairs=(
        "Reasoning in fields and parts of any spelling goes from assistant messages where the endpoint refuses it; "
        "where it is wanted it goes by the endpoint's name for it, and a turn that has none in a field gets what its "
        "text holds between `<think>` tags."
    ),
    why=(
        'SDK Message.ReasoningContent: "接口将报错"; thinking models refuse a turn with calls and without its '
        "reasoning, or answer worse (NousResearch/hermes-agent#32380, BerriAI/litellm#26156)."
    ),
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


def _rename(message: JsonObject, parts: list[Any], index: int, changes: Changes, context: RuleContext) -> None:
    """Leave one field of text, the endpoint's own, with the text of the first that has any.

    Fields of objects that the endpoint takes stay beside it: their vendor has signed or sealed what is in there.
    """
    own = context.reasoning_name
    stay = _SEALED & context.profile.grammar.fields["assistant"]
    names = [name for name in dict.fromkeys((own, *_FIELDS)) if name in message and name not in stay]
    given = message.get(own)
    is_text = given is None or isinstance(given, str)
    if is_text and names in ([], [own]) and not parts and (given or stay.isdisjoint(message)):
        return
    sources = [message.pop(name) for name in names] + [parts] + [message[name] for name in stay if name in message]
    text = next((text for source in sources if (text := _text(source))), None)
    if text is None and "" in sources:
        text = ""
    if text is not None:
        message[own] = text
    elif given is None and names == [own]:
        message[own] = None
    for name in names:
        if name != own:
            changes.note("reasoning", index, f"{name} is called {own} here", f"/{name}")
        elif message.get(own) != given:
            changes.note("reasoning", index, "reasoning is text", f"/{own}")
    if not names and own in message:
        changes.note("reasoning", index, f"reasoning is called {own} here", "/content")


def _recover(message: JsonObject, index: int, changes: Changes, context: RuleContext) -> None:
    """Move what a text holds between tags into the field of reasoning."""
    given = message.get("content")
    everywhere = context.model.replay == "required"
    parts: list[Any] = given if isinstance(given, list) else [{"type": "text", "text": given}]
    thoughts: list[str] = []
    said: list[Any] = []
    for number, part in enumerate(parts):
        found = (
            think_tags.parted(part["text"], everywhere)
            if content.is_text(part) and (everywhere or not number)
            else None
        )
        if found is None:
            said.append(part)
            continue
        thoughts.append(found[0])
        if found[1]:
            said.append({**part, "text": found[1]})
    if not thoughts:
        return
    message[context.reasoning_name] = content.BLANK_LINE.join(thoughts)
    if isinstance(given, list):
        message["content"] = said or None
    else:
        message["content"] = said[0]["text"] if said else None
    context.counts["recovered"] += 1
    changes.note("reasoning", index, _FROM_TAGS, "/content")


def _recover_from_before(
    message: JsonObject, before: JsonObject, index: int, changes: Changes, context: RuleContext
) -> None:
    """Give calls the reasoning of the text before them, where a client has parted one turn into two messages."""
    if before["role"] != "assistant" or before.get("tool_calls"):
        return
    name = context.reasoning_name
    if not has_reasoning(before, context):
        _recover(before, index - 1, changes, context)
    if not before.get(name) or context.profile.grammar.alternate:
        return  # there is none, or the rule `merge` will join the two
    message[name] = before[name]
    context.counts["recovered"] += 1
    changes.note("reasoning", index, _FROM_BEFORE, f"/{name}")


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
