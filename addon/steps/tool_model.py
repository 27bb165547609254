"""A vision model that is offered tools and takes none hands over to the text model."""

from __future__ import annotations

from ..exchange import Exchange, Response
from ..rules.tool_model import tool_model
from .base import Step
from .rules import context_of


class ToolModel(Step):
    """The text model answers, and the cascade reads images to it."""

    name = "tool-model"

    async def request(self, exchange: Exchange) -> Response | None:
        """Change the model."""
        exchange.note(tool_model(exchange.chat, context_of(exchange, self.settings)))
        return None
