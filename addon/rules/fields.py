"""Message fields: reasoning goes where the endpoint refuses it, fields outside the profile go or become text."""

from __future__ import annotations

from addon.exchange import Change, Changes, JsonObject
from addon.rules import content
from addon.rules.context import RuleContext

REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details")


def reasoning(body: JsonObject, context: RuleContext) -> list[Change]:
    """Remove an assistant's reasoning, or keep and complete it, as the profile demands.

    Legacy: "请求 messages 的请求参数中包含 reasoning_content，接口将报错" (SDK Message.ReasoningContent). hy3 on
    TokenHub wants it back; a turn with tool calls that has none gets an empty one while the model thinks.
    """
    if context.profile.grammar.reasoning == "remove":
        return _removed(body)
    changes = _renamed(body)
    if context.profile.grammar.reasoning_required and context.model.thinking and _thinks(body):
        changes += _completed(body)
    return changes


def _removed(body: JsonObject) -> list[Change]:
    changes = Changes()
    for index, message in enumerate(body["messages"]):
        for name in REASONING_FIELDS:
            if name in message:
                del message[name]
                changes.note("reasoning", index, f"{name} is refused: removed", f"/{name}")
    return changes


def _renamed(body: JsonObject) -> list[Change]:
    changes = Changes()
    for index, message in enumerate(body["messages"]):
        if isinstance(message.get("reasoning"), str) and "reasoning_content" not in message:
            message["reasoning_content"] = message.pop("reasoning")
            changes.note("reasoning", index, "reasoning is called reasoning_content here", "/reasoning")
    return changes


def _completed(body: JsonObject) -> list[Change]:
    changes = Changes()
    for index, message in enumerate(body["messages"]):
        lacks = not isinstance(message.get("reasoning_content"), str)
        if message["role"] == "assistant" and message.get("tool_calls") and lacks:
            message["reasoning_content"] = ""
            why = "a thinking model wants its reasoning back: empty added"
            changes.note("reasoning", index, why, "/reasoning_content")
    return changes


def _thinks(body: JsonObject) -> bool:
    thinking = body.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")


def fields(body: JsonObject, context: RuleContext) -> list[Change]:
    """Remove message fields that the profile doesn't list.

    What a person said isn't lost: `refusal` becomes content, a speaker's `name` stands before the text.
    """
    changes = Changes()
    for index, message in enumerate(body["messages"]):
        accepted = context.profile.grammar.fields[message["role"]]
        if accepted.issuperset(message):
            continue
        for name in [name for name in message if name not in accepted]:
            value = message.pop(name)
            why = f"{name} is not accepted in a {message['role']} message: removed"
            if name == "refusal" and isinstance(value, str) and not content.is_blank_text(value):
                message["content"] = content.join(message.get("content"), value)
                why = "refusal becomes content"
            elif name == "name" and isinstance(value, str) and value and message["role"] != "tool":
                why = speak_name(message, value) or why
            changes.note("fields", index, why, f"/{escape(name)}")
    return changes


def speak_name(message: JsonObject, name: str) -> str | None:
    """Put a speaker's name before the text; `None` where there is no text to put it before."""
    if content.is_blank(message.get("content")):
        return None
    message["content"] = content.prefixed(f"{name}: ", message["content"])
    return "the speaker's name stands before the text"


def escape(key: str) -> str:
    """A key as a JSON Pointer token (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
