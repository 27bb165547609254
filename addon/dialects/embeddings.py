"""OpenAI's embeddings API: a house language of its own."""

from __future__ import annotations

from .base import House
from .chat import Chat


class Embeddings(Chat):
    """Embeddings, which are never streamed."""

    name = "embeddings"
    paths: tuple[str, ...] = ("/embeddings",)
    house: House = "embeddings"
