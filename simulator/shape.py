"""Rows A6 and B10: what the endpoint's JSON decoder would already refuse, before any rule is looked at."""

from collections.abc import Iterator
from typing import Any

from .rows import Finding


def body_shape(body: object) -> Iterator[Finding]:
    """Wrong JSON types and missing fields of a chat body. Later checks rely on this one finding nothing."""
    if not isinstance(body, dict):
        yield Finding("A6", ": the body is not an object")
        return
    yield from model_shape(body)
    messages = body.get("messages")
    if not messages and isinstance(messages, list | None):
        yield Finding("B10", "/messages: missing or empty", "messages")
    elif not isinstance(messages, list):
        yield Finding("A6", "/messages: not a list")
    else:
        for index, message in enumerate(messages):
            yield from _message_shape(f"/messages/{index}", message)


def model_shape(body: dict[str, Any]) -> Iterator[Finding]:
    """`model` must be there and a string."""
    model = body.get("model")
    if model is None or model == "":
        yield Finding("B10", "/model: missing", "model")
    elif not isinstance(model, str):
        yield Finding("A6", "/model: not a string")


def _message_shape(at: str, message: Any) -> Iterator[Finding]:
    if not isinstance(message, dict):
        yield Finding("A6", f"{at}: not an object")
        return
    if not isinstance(message.get("role"), str):
        yield Finding("A6", f"{at}/role: not a string")
    content = message.get("content")
    if isinstance(content, list):
        for index, part in enumerate(content):
            yield from _part_shape(f"{at}/content/{index}", part)
    elif not isinstance(content, str | None):
        yield Finding("A6", f"{at}/content: neither string nor list")
    if not isinstance(message.get("tool_call_id"), str | None):
        yield Finding("A6", f"{at}/tool_call_id: not a string")
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        for index, call in enumerate(calls):
            yield from _call_shape(f"{at}/tool_calls/{index}", call)
    elif calls is not None:
        yield Finding("A6", f"{at}/tool_calls: not a list")


def _part_shape(at: str, part: Any) -> Iterator[Finding]:
    if not isinstance(part, dict):
        yield Finding("A6", f"{at}: not an object")
    elif not isinstance(part.get("type"), str):
        yield Finding("A6", f"{at}/type: not a string")
    elif not isinstance(part.get("text"), str | None):
        yield Finding("A6", f"{at}/text: not a string")


def _call_shape(at: str, call: Any) -> Iterator[Finding]:
    if not isinstance(call, dict):
        yield Finding("A6", f"{at}: not an object")
        return
    function = call.get("function")
    if not isinstance(function, dict):
        yield Finding("A6", f"{at}/function: not an object")
    elif not isinstance(function.get("arguments"), str):
        yield Finding("A6", f"{at}/function/arguments: not a string")
