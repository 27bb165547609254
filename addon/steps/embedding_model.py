"""An embeddings request that goes to another endpoint than its client named gets the model that the user named."""

from __future__ import annotations

from ..exchange import Change, Exchange, Response
from ..wire import rule_names
from .base import Step


class EmbeddingModel(Step):
    """`hunyuan_embeddings_model`, at `hunyuan_embeddings_upstream`."""

    name = rule_names.EMBEDDING_MODEL
    names_model = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Name the model."""
        model = self.settings.embeddings_model
        if not exchange.elsewhere:
            return None
        exchange.note([Change(self.name, "", f"sent to {exchange.base_url}, with the key for that endpoint")])
        if model is not None and exchange.chat.get("model") != model:
            exchange.chat["model"] = model
            exchange.note([Change(self.name, "/model", f"{model} makes embeddings at that endpoint")])
        return None
