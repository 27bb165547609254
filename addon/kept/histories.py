"""The conversation in a request, whatever its format, as `turns.Conversation` reads it."""

from __future__ import annotations

from typing import Any, Final

from ..exchange import JsonObject
from ..rules import reasoning, think_tags
from ..rules.roles import role_of
from . import turns
from .turns import Call, Conversation

_TEXTS: Final = (None, "text", "input_text", "output_text", "refusal")
"""Types of parts that are text. Not a set: a client may send a list as a type."""


def of_chat(messages: object) -> Conversation:
    """The conversation in the messages of a chat request."""
    conversation = Conversation()
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        if not isinstance(message, dict):
            continue
        role, content = role_of(message), message.get("content")
        if role == "assistant":
            thought, text = parted(content)
            lacks = not thought and not reasoning.is_given(message)
            conversation.assistant(number, text, calls_in(message), lacks=lacks)
        elif role == "system":
            conversation.system(_all_in(content))
        elif role == "tool":
            conversation.result(_all_in(content))
        else:
            conversation.user(_all_in(content))
    conversation.end()
    return conversation


def calls_in(message: JsonObject) -> list[Call]:
    """The complete calls of a chat message."""
    found: list[Call] = []
    listed = message.get("tool_calls")
    given = listed if isinstance(listed, list) else []
    function = message.get("function_call")
    for call in [*given, *([{"function": function}] if isinstance(function, dict) else [])]:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            made = turns.call_of(function.get("name"), function.get("arguments"), call.get("id"))
            found += [] if made is None else [made]
    return found


def of_messages(messages: object, system: object) -> Conversation:
    """The conversation in an Anthropic Messages request, as its translation into chat would have it.

    Blocks that tell nothing of who says what are left out, as a client's marks for the cache are.
    """
    conversation = Conversation()
    conversation.system(_all_in(system))
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        if not isinstance(message, dict):
            continue
        role, content = message.get("role"), message.get("content")
        if role == "assistant":
            calls = calls_of_blocks(content)
            conversation.assistant(number, text_in(content), calls, lacks=not has_thinking(content))
            continue
        others: list[Any] = []
        for block in content if isinstance(content, list) else [content]:
            if isinstance(block, dict) and block.get("type") == "tool_result":
                conversation.result(_all_in(block.get("content")))
            else:
                others.append(block)
        if not others:
            continue
        if role == "system":
            conversation.system(_all_in(others))
        else:
            conversation.user(_all_in(others))
    conversation.end()
    return conversation


def calls_of_blocks(content: object) -> list[Call]:
    """The complete calls among the blocks of an Anthropic message."""
    found: list[Call] = []
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "tool_use":
            made = turns.call_of(block.get("name"), block.get("input"), block.get("id"))
            found += [] if made is None else [made]
    return found


def is_thinking(block: object) -> bool:
    """Whether a block of an Anthropic message is thinking, in clear or redacted."""
    return isinstance(block, dict) and block.get("type") in ("thinking", "redacted_thinking")


def has_thinking(content: object) -> bool:
    """Whether a message of the assistant's has thinking: its text, or a signature that stands for it.

    Redacted thinking says nothing to an endpoint that didn't redact it.
    """
    return any(
        isinstance(block, dict)
        and block.get("type") == "thinking"
        and bool(_filled(block.get("thinking")) or _filled(block.get("signature")))
        for block in (content if isinstance(content, list) else ())
    )


def _filled(value: object) -> bool:
    return isinstance(value, str) and not value.isspace() and value != ""


def of_items(items: object, instructions: object) -> Conversation:
    """The conversation in the input of a Responses request. `number` of a message is the place of its item.

    Reasoning belongs to what the assistant says and calls after it.
    """
    conversation = Conversation()
    conversation.system(_all_in(instructions))
    if isinstance(items, str):
        conversation.user(turns.text_of(items))
    reasoned = False
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict):
            continue
        kind, role = item.get("type") or "message", item.get("role")
        if kind == "reasoning":
            reasoned = reasoned or bool(item.get("encrypted_content") or thought_in_item(item))
        elif kind == "message" and role == "assistant":
            conversation.assistant(number, text_in(item.get("content")), (), lacks=not reasoned)
        elif kind == "message" and role in ("system", "developer"):
            conversation.system(_all_in(item.get("content")))
        elif kind == "message":
            reasoned = False
            conversation.user(_all_in(item.get("content")))
        elif (call := call_of_item(item)) is not None:
            conversation.assistant(number, b"", [call], lacks=not reasoned)
        elif isinstance(kind, str) and kind.endswith("_output"):
            reasoned = False
            conversation.result(_all_in(item.get("output")))
    conversation.end()
    return conversation


def thought_in_item(item: JsonObject) -> str:
    """The text of an item of reasoning, or else its summary; `""` for one without."""
    for field in ("content", "summary"):
        parts = item.get(field)
        texts = [part.get("text") for part in (parts if isinstance(parts, list) else ()) if isinstance(part, dict)]
        said = "".join(text for text in texts if isinstance(text, str))
        if said.strip():
            return said
    return ""


def call_of_item(item: JsonObject) -> Call | None:
    """The call that an item of a Responses request or answer is; `None` for any other item."""
    kind = item.get("type")
    if kind == "function_call":
        return turns.call_of(item.get("name"), item.get("arguments"), item.get("call_id"))
    if isinstance(kind, str) and kind.endswith("_call"):
        given = item.get("input", item.get("action"))
        return turns.call_of(item.get("name", kind), {"input": given}, item.get("call_id"))
    return None


def parted(content: object) -> tuple[str, bytes]:
    """What the assistant thought, as far as it stands at the head of what it says; and the text of the rest."""
    said = "".join(_texts_in(content))
    found = think_tags.parted(said, False) if "<" in said else None
    return ("", turns.text_of(said)) if found is None else (found[0], turns.text_of(found[1]))


def text_in(content: object) -> bytes:
    """The text of what the assistant says."""
    return turns.text_of(*_texts_in(content))


def _texts_in(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    texts: list[str] = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") in _TEXTS and part.get("thought") is not True:
            texts += [part[name] for name in ("text", "refusal") if isinstance(part.get(name), str)]
    return texts


def _all_in(content: object) -> bytes:
    """The text of what others say, and what stands for images and the like in it."""
    if isinstance(content, str):
        return turns.text_of(content)
    said: list[bytes] = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            said.append(turns.text_of(part))
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            said.append(turns.text_of(part["text"]))
        elif part is not None:
            said.append(turns.mark_of(part))
    return b"".join(said)
