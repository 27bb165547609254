"""Retired models are replaced by their successors, where the request leaves for another platform."""

from __future__ import annotations

import logging

from ..dialects.tencent_cloud.client_request import UNNAMED
from ..exchange import Exchange, Response
from ..rules import successor
from ..texts.terminal import say
from .base import Step
from .rules import context_of

logger = logging.getLogger("hunyuan_fix")


class Successor(Step):
    """The successor of a chat model answers in its place."""

    name = "successor"

    async def request(self, exchange: Exchange) -> Response | None:
        """Map the model."""
        exchange.note(successor.successor(exchange.chat, context_of(exchange, self.settings)))
        return None


class EmbeddingSuccessor(Step):
    """A retired embedding model is refused: vectors of two models do not fit into one index.

    A client that can name no model is served by the successor, and told so.
    """

    name = "embedding-successor"
    _has_said = False

    async def request(self, exchange: Exchange) -> Response | None:
        """A 404 that names the successor."""
        if exchange.notes.get(exchange.dialect, {}).get(UNNAMED):
            self._serve(exchange)
        return successor.embedding_refusal(exchange.chat, context_of(exchange, self.settings))

    def _serve(self, exchange: Exchange) -> None:
        changes = successor.unnamed_embedding(exchange.chat, context_of(exchange, self.settings))
        if not changes:
            return
        exchange.note(changes)
        exchange.warn(f"vectors are of {exchange.chat['model']}: an index of the retired model must be made anew")
        if not self._has_said:
            self._has_said = True
            said = say(
                "GetEmbedding is answered by {model}: its vectors don't fit into an index that the retired "
                "hunyuan-embedding has made. Make such an index anew. hunyuan_successors=hunyuan-embedding="
                "hunyuan-embedding refuses these requests instead.",
                model=exchange.chat["model"],
            )
            logger.warning("%s", said)
