"""Input past the model's limit: the client is warned, or refused (`hunyuan_overlong`)."""

from __future__ import annotations

import logging

from ..exchange import Exchange, Response
from ..rules import overlong
from ..wire import proxy_errors, safe_text
from ..workers import LIGHT
from .base import Step
from .rules import context_of

logger = logging.getLogger("hunyuan_fix")

_COST_COUNTED = 4
"""What is counted for the work of repairing one."""


class Overlong(Step):
    """The endpoint cuts what is too long from the front without an error."""

    name = "overlong"

    async def request(self, exchange: Exchange) -> Response | None:
        """Estimate the input's tokens, which costs nothing where the body is far below the limit."""
        context = context_of(exchange, self.settings)
        # Descriptions of images make a body longer than it came; `size` counts the texts of documents.
        size = None if exchange.vision_calls or exchange.cached or exchange.cost >= LIGHT else exchange.size
        found = await self.runtime.workers.run(
            lambda _: overlong.overlong(exchange.chat, context, size), exchange.cost // _COST_COUNTED
        )
        if found is None:
            return None
        estimated, limit = found
        exchange.notes[self.name] = {"estimated": estimated, "limit": limit}
        exchange.warning = (
            f"input estimated at {estimated} tokens or more, limit of {safe_text.plain(context.model.id)} is {limit}: "
            "the endpoint cuts what is too long from the front"
        )
        logger.warning("%s %s: %s", exchange.method, safe_text.plain(exchange.path), exchange.warning)
        return (
            proxy_errors.INPUT_TOO_LONG(model=context.model.id, estimated=estimated, limit=limit).response()
            if self.settings.overlong == "error"
            else None
        )
