"""Retired models are replaced by their successors, where the request leaves for another platform."""

from __future__ import annotations

from ..exchange import Exchange, Response
from ..rules import successor
from .base import Step
from .rules import context_of


class Successor(Step):
    """The successor of a chat model answers in its place."""

    name = "successor"

    async def request(self, exchange: Exchange) -> Response | None:
        """Map the model."""
        exchange.note(successor.successor(exchange.chat, context_of(exchange, self.settings)))
        return None


class EmbeddingSuccessor(Step):
    """A retired embedding model is refused: vectors of two models do not fit into one index."""

    name = "embedding-successor"

    async def request(self, exchange: Exchange) -> Response | None:
        """A 404 that names the successor."""
        return successor.embedding_refusal(exchange.chat, context_of(exchange, self.settings))
