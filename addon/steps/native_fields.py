"""A request in another vendor's format, for an endpoint that speaks it itself but not all of it."""

from __future__ import annotations

from .. import profiles, texts
from ..dialects import NATIVE
from ..exchange import Changes, Exchange, Response
from ..rules import marks
from ..workers import Checkpoint
from .base import Step


class NativeFields(Step):
    """The request stays in its format and loses, or says in other words, what the profile says is refused.

    It settles the marks, too, that the steps before it have put into the request.
    """

    name = "native"

    async def request(self, exchange: Exchange) -> Response | None:
        """Change the body; in a thread where it is large."""
        accepted = profiles.load(exchange.profile).native[exchange.spoken]
        spoken, note = texts.load(self.settings.language), exchange.note_of(exchange.spoken)
        note["model"] = exchange.model
        if exchange.chat.get("model") not in (None, exchange.model):
            note["answers_as"] = exchange.chat["model"]

        def repaired(_: Checkpoint) -> Changes:
            messages = exchange.chat.get("messages")
            changes = marks.settle(messages) if isinstance(messages, list) else Changes()
            changes += NATIVE[exchange.dialect].repaired(exchange.chat, accepted, spoken, note)
            return changes

        exchange.note(await self.runtime.workers.run(repaired, exchange.cost))
        return None
