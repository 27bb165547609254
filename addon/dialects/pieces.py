"""What a message or an output says, in pieces, on its way into the content of a chat message."""

from __future__ import annotations

from typing import Final

from ..exchange import JsonObject
from . import in_words

type Piece = str | JsonObject
"""A text, or a chat content part of another type."""

BLANK_LINE: Final = "\n\n"
"""Stands between two texts that become one."""


def as_content(pieces: list[Piece]) -> str | list[JsonObject]:
    """Pieces as the content of a message: one text, with blank lines between, unless a piece isn't text.

    A list of one text block, which Claude Code sends while a message is the last one, and the plain text that it sends
    afterwards are the same content.
    """
    if len(pieces) == 1 and isinstance(pieces[0], str):  # as in most messages
        return pieces[0]
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return BLANK_LINE.join(texts)
    return [{"type": "text", "text": piece} if isinstance(piece, str) else piece for piece in pieces]


def of_text(text: object) -> list[Piece]:
    """The pieces of what stands in the place of a text: none for an empty one, JSON for what is no text."""
    if text is None or text == "":
        return []
    return [text if isinstance(text, str) else in_words.as_json(text)]
