"""Texts without the parts of them that differ from time to time, such as a date or how long a command took."""

from __future__ import annotations

from collections.abc import Iterable


def without(text: str, spans: Iterable[tuple[str, str]]) -> str:
    """`text` without what begins with the first text of a span and ends with the second, or nowhere. In linear time."""
    for begins, ends in spans:
        start = text.find(begins)
        if start < 0:
            continue  # as in most texts
        kept, at = [], 0
        while start >= 0:
            kept.append(text[at:start])
            end = text.find(ends, start + len(begins))
            at = end + len(ends) if end >= 0 else len(text)
            start = text.find(begins, at)
        text = "".join((*kept, text[at:]))
    return text


def emptied(text: str, begins: str, ends: str, most: int) -> str:
    """`text` without what stands between the two, wherever they are at most `most` characters apart: they stay.

    Without an end, all of these characters go. In linear time.
    """
    kept, at, start = [], 0, 0
    while (start := text.find(begins, start)) >= 0:
        start += len(begins)
        limit = start + most + len(ends)
        end = text.find(ends, start, limit) if ends else min(len(text), limit)
        if end >= 0:
            kept.append(text[at:start])
            at = start = end
    return "".join((*kept, text[at:]))
