"""Input past the model's limit: the client is warned, or refused (`hunyuan_overlong`, `hunyuan_window`)."""

from __future__ import annotations

import logging

from .. import dialects
from ..counting import body as counting
from ..counting import window
from ..exchange import Exchange, Response
from ..wire import proxy_errors, safe_text
from ..workers import LIGHT
from .base import Step
from .rules import context_of
from .sampled import sampled

logger = logging.getLogger("hunyuan_fix")

_COST_SAMPLED = 4
"""What is counted for the work of repairing a body, to sample its texts: each of them is looked at."""


class Overlong(Step):
    """The endpoint cuts what is too long from the front without an error."""

    name = "overlong"

    async def request(self, exchange: Exchange) -> Response | None:
        """Count the input's tokens, which costs nothing where the body is far below the limit.

        Under `auto` a request in another vendor's format is refused while its client can still send one to compact its
        history: such clients wait for that error. A chat request is sent on, with a warning.
        """
        model = context_of(exchange, self.settings).model
        limit = window.limit(model, exchange.chat.get("max_tokens"), self.settings.window)
        if limit is None:
            return None
        foreign = dialects.is_another_vendors(exchange.dialect)
        refuses = self.settings.overlong == "error" or (self.settings.overlong == "auto" and foreign)
        leaves_room = refuses and foreign
        # Descriptions of images make a body longer than it came, and images have tokens that their bytes don't tell.
        is_told = not (exchange.may_hold_images or exchange.vision_calls or exchange.cached or exchange.cost >= LIGHT)
        if is_told and window.surely_fits(exchange.size, limit, leaves_room=leaves_room, only_warns=not refuses):
            return None
        # A sample first: it takes the same time for any text, and mostly tells.
        is_native = dialects.DIALECTS[exchange.dialect].house == "native"
        chat, tokens = await self.runtime.workers.run(
            lambda _: sampled(exchange), exchange.size if is_native else exchange.cost // _COST_SAMPLED
        )
        if window.is_near(tokens, limit, leaves_room=leaves_room):
            tokens = await self.runtime.workers.run(lambda checkpoint: counting.count(chat, checkpoint), exchange.size)
        if is_native:
            exchange.note_of(exchange.spoken)["input_tokens"] = tokens  # for the endpoint's own error
        excess = window.excess(chat, tokens, limit, leaves_room=leaves_room)
        if excess is None:
            return None
        exchange.notes[self.name] = {"estimated": excess.tokens, "limit": excess.limit}
        outcome = "it is not sent" if refuses else "the endpoint cuts what is too long from the front"
        allowed = f"limit of {safe_text.plain(model.id)} is {excess.limit}"
        warning = f"input estimated at {excess.tokens} tokens, {allowed}: {outcome}"
        exchange.warn(warning)
        logger.warning("%s %s: %s", exchange.method, safe_text.plain(exchange.path), warning)
        if not refuses:
            return None
        return proxy_errors.INPUT_TOO_LONG(model=model.id, tokens=excess.tokens, limit=excess.limit).response()
