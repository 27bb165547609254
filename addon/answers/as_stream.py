"""A whole chat answer as the stream that was asked for."""

from __future__ import annotations

from ..exchange import Change, Exchange, JsonObject
from ..wire import json_body, rule_names, sse
from ..wire.flaws import Flaw
from . import whole


def repaired_events(exchange: Exchange, answer: Flaw | JsonObject) -> bytes:
    """A whole answer, repaired, or the error for what is wrong with it, as chat events."""
    if isinstance(answer, Flaw):
        return of_error(whole.error_for(exchange, answer).body)
    whole.repair(exchange, answer)
    exchange.note([Change(rule_names.STREAM, "", "a whole answer, where a stream was asked for")])
    return of_answer(answer)


def of_answer(answer: JsonObject) -> bytes:
    """The events of a repaired whole answer: what each choice says, its end with the usage, `[DONE]`.

    The usage stands in the last chunk with choices: clients that didn't ask for it read `choices[0]` in each chunk.
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
    """The event for an error in the JSON text `error`. Clients read no further."""
    return sse.event(json_body.serialise(json_body.parse(error)))


def _delta(choice: JsonObject) -> JsonObject:
    message = choice.get("message")
    delta = {key: value for key, value in message.items() if value is not None} if isinstance(message, dict) else {}
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        frames = [call for call in calls if isinstance(call, dict)]
        delta["tool_calls"] = [{**call, "index": place} for place, call in enumerate(frames)]
    return delta
