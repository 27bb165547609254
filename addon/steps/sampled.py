"""A request in chat, whatever format it leaves in, and its tokens by a sample: for steps that need only an estimate."""

from __future__ import annotations

from .. import dialects
from ..counting import body as counting
from ..counting import text
from ..dialects.base import BadRequest
from ..exchange import Exchange, JsonObject


def sampled(exchange: Exchange) -> tuple[JsonObject, int]:
    """The request in chat, and the tokens of its input. Takes time by the size of `exchange.chat`: in a thread."""
    if dialects.DIALECTS[exchange.dialect].house == "embeddings":
        return exchange.chat, _of_inputs(exchange.chat.get("input"))
    chat = _in_chat(exchange)
    return chat, counting.rough(chat)


def _in_chat(exchange: Exchange) -> JsonObject:
    """The request in chat, also where it leaves in another format; an empty one for what can't be read."""
    dialect = dialects.DIALECTS[exchange.dialect]
    if dialect.house != "native":
        return exchange.chat
    try:
        return dialect.to_chat(exchange.chat, exchange.headers, {})
    except BadRequest:
        return {}  # the endpoint's own error is the honest answer


def _of_inputs(given: object) -> int:
    """The tokens of an embeddings request's `input`: texts, or lists of token ids."""
    inputs = given if isinstance(given, list) else [given]
    ids = sum(len(each) if isinstance(each, list) else isinstance(each, int) for each in inputs)
    return ids + text.rough([each for each in inputs if isinstance(each, str)])
