"""An answer that was given before, in its client's format: whole, or as a stream like that of an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..dialects import DIALECTS, NATIVE
from ..exchange import Exchange, JsonObject, Response
from ..wire import json_body, sse, usage
from . import native, translated
from .streamed import EVENT_STREAM
from .translated import NO_STEPS

_PIECE: Final = 48
"""Characters of a text, or of a call's arguments, in one chunk."""
_MOST_PIECES: Final = 500
"""Chunks of one text: those of a longer one are larger."""
_TEXTS: Final = ("reasoning_content", "reasoning", "content", "refusal")
"""Fields of a message that come in pieces, in the order in which they come."""


def response(exchange: Exchange, body: bytes) -> Response:
    """The answer in `body`, in chat or in the format that the endpoint speaks, for the client of `exchange`.

    Nothing is noted of it, as of what it used: it was paid for by another exchange. The same body gives the same bytes.
    """
    answer = json_body.parse_object(body) or {}
    dialect = DIALECTS[exchange.dialect]
    if exchange.dialect in NATIVE:
        if not exchange.streamed:
            return _whole(answer)
        return _stream([native.event_bytes(event) for event in NATIVE[exchange.dialect].as_events(answer)])
    if exchange.streamed:
        wants_usage = usage.is_asked(exchange.chat)
        events = b"".join(sse.event(json_body.serialise(chunk)) for chunk in chunks(answer, wants_usage=wants_usage))
        events += sse.event(b"[DONE]")
        to_client = translated.to_client(exchange, NO_STEPS)
        return _stream([events] if to_client is None else [*to_client.feed(events), *to_client.finish()])
    return _whole(answer if dialect.is_house else dialect.answer(answer, exchange.note_of(dialect.name)))


def chunks(answer: JsonObject, *, wants_usage: bool) -> Iterator[JsonObject]:
    """The chunks of a stream with a chat answer: each choice's role, reasoning, text and calls piece by piece, its
    finish reason; the usage in one without a choice, if its client `wants_usage`."""
    head = {name: value for name, value in answer.items() if name not in ("choices", "usage", "object")}
    head["object"] = "chat.completion.chunk"
    empty = {"usage": None} if wants_usage else {}

    def chunk(index: Any, delta: JsonObject, finish_reason: object = None, **more: Any) -> JsonObject:
        choice = {"index": index, "delta": delta, "finish_reason": finish_reason, **more}
        return {**head, "choices": [choice], **empty}

    for place, choice in enumerate(answer.get("choices") or ()):
        index, message = choice.get("index", place), choice.get("message") or {}
        others = {
            name: value
            for name, value in message.items()
            if value is not None and name not in ("role", "tool_calls") and name not in _TEXTS
        }
        yield chunk(index, {"role": message.get("role") or "assistant", "content": ""})
        for name in _TEXTS:
            text = message.get(name)
            for piece in _pieces(text) if isinstance(text, str) else ():
                yield chunk(index, {name: piece})
        if others:
            yield chunk(index, others)
        for number, call in enumerate(message.get("tool_calls") or ()):
            yield from (chunk(index, {"tool_calls": [frame]}) for frame in _frames(call, number))
        more = {name: value for name, value in choice.items() if name not in ("index", "message", "finish_reason")}
        yield chunk(index, {}, choice.get("finish_reason") or "stop", **more)
    if wants_usage and isinstance(answer.get("usage"), dict):
        yield {**head, "choices": [], "usage": answer["usage"]}


def _frames(call: JsonObject, number: int) -> Iterator[JsonObject]:
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(arguments, str):
        yield {**call, "index": number}
        return
    yield {**call, "index": number, "function": {**function, "arguments": ""}}
    for piece in _pieces(arguments):
        yield {"index": number, "function": {"arguments": piece}}


def _pieces(text: str) -> Iterator[str]:
    size = max(_PIECE, -(-len(text) // _MOST_PIECES))
    return (text[start : start + size] for start in range(0, len(text), size))


def _whole(answer: JsonObject) -> Response:
    return Response(200, {"content-type": "application/json"}, json_body.serialise(answer))


def _stream(pieces: list[bytes]) -> Response:
    return Response(200, {"content-type": EVENT_STREAM}, b"".join(pieces))
