"""Message content: a string, a list of parts, or nothing. What the message rules share about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..exchange import JsonObject

type Content = str | list[Any] | None

_TEXT = frozenset([str])

BLANK_LINE = "\n\n"
"""What stands between two texts that become one."""


def is_text(part: object) -> bool:
    """Whether a content part is a text part."""
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def is_blank_text(text: str) -> bool:
    """Whether a text is empty or white space alone. `strip` would copy a long one to find that out."""
    return not text or text.isspace()


def is_blank(content: object) -> bool:
    """Whether content is empty: absent, null, white space, or a list that holds blank text parts only.

    White space alone counts as empty: whether the endpoint takes it is contested, so it isn't sent.
    """
    if content is None:
        return True
    if isinstance(content, str):
        return is_blank_text(content)
    if isinstance(content, list):
        return all(is_text(part) and is_blank_text(part["text"]) for part in content)
    return False


def text_part(text: str) -> JsonObject:
    """A text part."""
    return {"type": "text", "text": text}


def flattened(parts: list[Any]) -> list[Any]:
    """Parts without lists among them: what a list holds stands in its place."""
    if not any(isinstance(part, list) for part in parts):
        return parts
    flat: list[Any] = []
    waiting = [iter(parts)]
    while waiting:
        for part in waiting[-1]:
            if isinstance(part, list):
                waiting.append(iter(part))
                break
            flat.append(part)
        else:
            waiting.pop()
    return flat


def pieces(content: object) -> list[Any]:
    """Content as a list of strings (its non-blank texts) and other parts, in order. A part without a list is one."""
    if isinstance(content, str):
        return [] if not content or content.isspace() else [content]
    if not isinstance(content, list):
        return [] if content is None else [content]
    texts_and_parts = (part["text"] if is_text(part) else part for part in content)
    return [piece for piece in texts_and_parts if not isinstance(piece, str) or not is_blank_text(piece)]


def assemble(items: Iterable[Any]) -> str | list[Any]:
    """Pieces as content: one string, joined by blank lines; a list only where a piece isn't text."""
    runs = list(items)
    if set(map(type, runs)) <= _TEXT:  # as most are
        return BLANK_LINE.join(runs)
    runs = list(_joined(runs))
    return [text_part(run) if isinstance(run, str) else run for run in runs]


def join(*contents: object) -> Content:
    """Contents as one, in order. Blank contents are left out; `None` where all are blank."""
    filled = [given for given in contents if not is_blank(given)]
    if len(filled) > 1:
        return assemble([piece for given in filled for piece in pieces(given)])
    return _content(filled[0]) if filled else None


def prefixed(prefix: str, content: object) -> Content:
    """Content with `prefix` directly before its first text."""
    if isinstance(content, str):
        return prefix + content
    if isinstance(content, list):
        for position, part in enumerate(content):
            if is_text(part) and not is_blank_text(part["text"]):
                led = text_part(prefix + part["text"])
                return [*content[:position], led, *content[position + 1 :]]
        return [text_part(prefix.rstrip()), *content] if content else content
    return None if content is None else [text_part(prefix.rstrip()), content]


def _content(value: object) -> Content:
    return value if value is None or isinstance(value, str | list) else [value]


def _joined(items: Iterable[Any]) -> Iterator[Any]:
    texts: list[str] = []
    for item in items:
        if isinstance(item, str):
            texts.append(item)
            continue
        if texts:
            yield BLANK_LINE.join(texts)
            texts = []
        yield item
    if texts:
        yield BLANK_LINE.join(texts)
