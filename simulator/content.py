"""Reading message content that passed the checks: its text and its images."""

from collections.abc import Iterator
from typing import Any

from .rows import Json


def text_of(message: Json) -> str:
    """All text of a message, parts joined by line breaks; "" where there is none."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(part["text"] for part in content if _is_text(part))


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def image_urls(body: object) -> Iterator[str]:
    """The URL of every image part of every message, in order; skips whatever is malformed."""
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else []:
            image = part.get("image_url") if isinstance(part, dict) else None
            if isinstance(image, dict) and isinstance(image.get("url"), str):
                yield image["url"]
