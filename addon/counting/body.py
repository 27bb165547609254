"""The tokens of a chat request: its texts, calls and tools by arithmetic, its images by their size in pixels.

0 to 25 % more than Qwen's tokenizer counts on what agents and SDKs send (docs/facts/anthropic.md#counting-tokens).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..exchange import JsonObject
from ..images import pixels
from ..wire import json_body
from . import text
from .text import Checkpoint

MESSAGE: Final = 5
"""Tokens around a message in Qwen's chat template: start, role, line end; end, line end."""
_BETWEEN: Final = " "
"""Stands between two texts and costs nothing."""


def count(body: JsonObject, checkpoint: Checkpoint | None = None) -> int:
    """The tokens of the input `body`, at least 0. Takes time by its size: `Workers` for a large one. Raises nothing of
    its own."""
    return text.tokens(_BETWEEN.join(_texts(body)), checkpoint) + _around(body)


def rough(body: JsonObject) -> int:
    """The same from a sample of its texts, for where some percent don't matter and time does."""
    return text.rough(list(_texts(body)), _BETWEEN) + _around(body)


def _texts(body: JsonObject) -> Iterator[str]:
    for message in _messages(body):
        yield from _of_content(message.get("content"))
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            yield _as_text(call.get("function") if isinstance(call, dict) else call)
        for key in ("function_call", "reasoning_content"):
            if message.get(key):
                yield _as_text(message[key])
    for key in ("tools", "functions"):
        if body.get(key):
            yield _as_text(body[key])


def _of_content(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                yield part
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def _around(body: JsonObject) -> int:
    """What messages and images cost beside their texts."""
    messages = body.get("messages")
    amount = MESSAGE * len(messages) if isinstance(messages, list) else 0
    for message in _messages(body):
        content = message.get("content")
        if isinstance(content, list):
            amount += sum(pixels.tokens(source) for part in content if (source := _image(part)) is not None)
    return amount


def _image(part: object) -> str | None:
    """The URL of an image part; `""` where it has none."""
    if not isinstance(part, dict) or part.get("type") != "image_url":
        return None
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) else ""


def _messages(body: JsonObject) -> Iterator[JsonObject]:
    messages = body.get("messages")
    return (message for message in (messages if isinstance(messages, list) else ()) if isinstance(message, dict))


def _as_text(value: object) -> str:
    """`value` as chat templates write it: text as it is, else JSON with a space behind each colon and comma."""
    if isinstance(value, str):
        return value
    return json_body.serialise(value).decode().replace('":', '": ').replace(',"', ', "')
