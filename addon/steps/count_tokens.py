"""A count of tokens is answered here: no endpoint is known to have one (docs/facts/anthropic.md#beside-messages)."""

from __future__ import annotations

from ..counting import body
from ..dialects import DIALECTS
from ..exchange import Exchange, Response
from ..wire import json_body
from .base import Step


class CountTokens(Step):
    """The last step of a request whose house is `count`."""

    name = "count-tokens"

    async def request(self, exchange: Exchange) -> Response | None:
        """The number of tokens of the chat request, in the client's format; in a thread where it is large."""
        chat, dialect = exchange.chat, DIALECTS[exchange.dialect]
        counted = await self.runtime.workers.run(lambda checkpoint: body.count(chat, checkpoint), exchange.size)
        answer = dialect.answer({"usage": {"prompt_tokens": counted}}, exchange.note_of(dialect.name))
        return Response(200, {"content-type": "application/json"}, json_body.serialise(answer))
