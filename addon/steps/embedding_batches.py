"""An embeddings request with more inputs than the endpoint takes is sent as several calls."""

from __future__ import annotations

from .. import profiles
from ..exchange import Exchange, Response
from ..rules import embeddings
from ..upstream.embedding_batches import CONCURRENCY
from ..upstream.retry import allowed
from ..wire import json_body, usage
from .base import PATIENCE, Step
from .rules import context_of
from .target import target_of

TIMEOUT = 60.0
"""Seconds for each call."""


class SendBatches(Step):
    """The answers to the calls are joined into one. Under `hunyuan_mode=observe` nothing is sent, and to the host of a
    plan one call at a time."""

    name = "embeddings"

    def makes_calls(self, exchange: Exchange) -> bool:
        """A request of more than one batch is answered here."""
        return len(embeddings.batches(exchange.chat, context_of(exchange, self.settings))) > 1

    async def request(self, exchange: Exchange) -> Response | None:
        """Send the batches, if there is more than one."""
        batches = embeddings.batches(exchange.chat, context_of(exchange, self.settings))
        if len(batches) == 1:
            return None
        exchange.note_name(self.name)
        if exchange.mode == "observe":
            return None
        profile = profiles.load(exchange.profile)
        with exchange.calling():
            result = await self.runtime.batches.send(
                batches,
                target_of(exchange, profile, self.settings),
                profile,
                TIMEOUT,
                1 if profile.plan else CONCURRENCY,
                tries=allowed(self.settings.own_tries, profile),
                patience=PATIENCE,
            )
        if isinstance(result, Response):
            return result
        usage.note(exchange, result.get("usage"))
        return Response(200, {"content-type": "application/json"}, json_body.serialise(result))
