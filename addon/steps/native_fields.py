"""A request in another vendor's format, for an endpoint that speaks it itself but not all of it."""

from __future__ import annotations

from .. import profiles, texts
from ..dialects.anthropic import native
from ..exchange import Exchange, Response
from ..wire import rule_names
from .base import Step


class NativeFields(Step):
    """The request stays in its format and loses, or says in other words, what the profile says is refused."""

    name = rule_names.ANTHROPIC_NATIVE

    async def request(self, exchange: Exchange) -> Response | None:
        """Change the body; in a thread where it is large."""
        accepted = profiles.load(exchange.profile).native[exchange.spoken]
        spoken = texts.load(self.settings.language)
        exchange.note(
            await self.runtime.workers.run(lambda _: native.repaired(exchange.chat, accepted, spoken), exchange.cost)
        )
        return None
