"""Whole chat answers as chat events, for clients that asked for a stream."""

from __future__ import annotations

from ..exchange import Change, Exchange, JsonObject
from ..wire import json_body, rule_names, sse
from ..wire.flaws import Flaw
from . import whole


def repaired_events(exchange: Exchange, answer: Flaw | JsonObject) -> bytes:
    """The events of a whole answer, which is repaired first; an error event for a `Flaw`."""
    if isinstance(answer, Flaw):
        return of_error(whole.error_for(exchange, answer).body)
    whole.repair(exchange, answer)
    exchange.note([Change(rule_names.STREAM, "", "a whole answer, where a stream was asked for")])
    return of_answer(answer)


def of_answer(answer: JsonObject) -> bytes:
    """The events of a repaired whole answer: a chunk with all messages, one with the finish reasons, and `[DONE]`.

    The second chunk has the usage, too. It has choices, since clients that ask for no usage read `choices[0]` of each.
    """
    head = {key: value for key, value in answer.items() if key not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    choices = [choice for choice in answer["choices"] if isinstance(choice, dict)]
    said = [{"index": place, "delta": _delta(choice), "finish_reason": None} for place, choice in enumerate(choices)]
    ends: list[JsonObject] = [
        {"index": place, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        for place, choice in enumerate(choices)
    ]
    usage = {"usage": answer["usage"]} if isinstance(answer.get("usage"), dict) else {}
    chunks = ({**head, "choices": said}, {**head, "choices": ends, **usage})
    return b"".join(sse.event(json_body.serialise(chunk)) for chunk in chunks) + sse.event(b"[DONE]")


def of_error(error: bytes) -> bytes:
    """The event for the JSON text `error`. Nothing follows it: clients stop reading there."""
    return sse.event(json_body.serialise(json_body.parse(error)))


def _delta(choice: JsonObject) -> JsonObject:
    message = choice.get("message")
    delta = {key: value for key, value in message.items() if value is not None} if isinstance(message, dict) else {}
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        frames = [call for call in calls if isinstance(call, dict)]
        delta["tool_calls"] = [{**call, "index": place} for place, call in enumerate(frames)]
    return delta
