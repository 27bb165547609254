"""The answers of an endpoint that speaks Messages itself: what the proxy reads of them, and what it changes."""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from ...wire import json_body, rule_names
from ..ending import GOES_ON, name_model
from . import ending, errors

_BLOCK: Final = "content_block_"
"""How the types of events begin that bring what the model says."""
_USAGE: Final = "usage"
"""The key of a stream's counts so far, in the note: the first event counts the input, the last one the output."""
_EMPTY: Final[JsonObject] = {"text": "", "thinking": "", "input": {}, "signature": ""}
"""The fields of a block that come in pieces, as they are where it begins. A signature comes last."""
_DELTAS: Final = {
    "text": ("text", "text_delta"),
    "thinking": ("thinking", "thinking_delta"),
    "input": ("partial_json", "input_json_delta"),
    "signature": ("signature", "signature_delta"),
}
_UNCOUNTED: Final = {"input_tokens": 0, "output_tokens": 0}


class MessagesReader:
    """An outline in chat of Anthropic's answers and events."""

    name = rule_names.ANTHROPIC_NATIVE
    is_house = False

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        """A chat answer without a message, with finish reason and usage; `body` itself where it is no message."""
        if body.get("error") or not (body.get("type") == "message" or isinstance(body.get("content"), list)):
            return body
        choice = {"index": 0, "finish_reason": ending.finish_reason(body.get("stop_reason"))}
        return {"choices": [choice], "usage": ending.usage_in_chat(body.get("usage"), {})}

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        """At most one chunk without a text."""
        kind = event.get("type")
        if event.get("error"):
            return [{"error": event["error"]}]
        if kind == "message_start":
            message = event.get("message")
            given = message.get("usage") if isinstance(message, dict) else None
            return [GOES_ON | {"usage": ending.usage_in_chat(given, note.setdefault(_USAGE, {}))}]
        if kind == "message_delta":
            delta = event.get("delta")
            reason = delta.get("stop_reason") if isinstance(delta, dict) else None
            choice = {"index": 0, "delta": {}, "finish_reason": ending.finish_reason(reason)}
            return [
                {"choices": [choice], "usage": ending.usage_in_chat(event.get("usage"), note.setdefault(_USAGE, {}))}
            ]
        return [GOES_ON] if isinstance(kind, str) and kind.startswith(_BLOCK) else []

    def error(self, status: int, body: bytes) -> bytes:
        """`body` itself: Anthropic's error has its message under `error`, as OpenAI's has."""
        return body


def goes_on(raw: bytes) -> bool:
    """Whether whole events have neither the beginning nor the end of a message, nor an error."""
    return (
        raw.find(b"message_") < 0
        and raw.find(b'"error"') < 0
        and raw.find(b"\\u00") < 0  # a key may be spelt with escapes
    )


def as_events(message: JsonObject) -> list[JsonObject]:
    """The events of a whole message: clients read no text, thinking or input that stands where its block begins."""
    usage = message.get("usage")
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage or _UNCOUNTED}
    events: list[JsonObject] = [{"type": "message_start", "message": begun}]
    content = message.get("content")
    for index, block in enumerate(content if isinstance(content, list) else ()):
        said = block if isinstance(block, dict) else {}
        empty = said | {key: nothing for key, nothing in _EMPTY.items() if key in said}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        for key in (key for key in _EMPTY if key in said):
            piece = said[key] if isinstance(said[key], str) else json_body.serialise(said[key]).decode()
            field, kind = _DELTAS[key]
            events.append({"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}})
        events.append({"type": "content_block_stop", "index": index})
    ending = {key: message.get(key) for key in ("stop_reason", "stop_sequence")}
    events.append({"type": "message_delta", "delta": ending, "usage": usage or _UNCOUNTED})
    return [*events, {"type": "message_stop"}]


def repaired_answer(body: JsonObject, note: JsonObject) -> str:
    """Give a message the name of the model that the client asked for, in place; why, or `""`."""
    return "the answer names the model that was asked for" if name_model(body, note) else ""


def repaired_event(event: JsonObject, note: JsonObject) -> tuple[list[JsonObject], str]:
    """The same for the event that begins a message, and an error's words: the event in its place, and why."""
    message, error = event.get("message"), event.get("error")
    if event.get("type") == "message_start" and isinstance(message, dict):
        return [event], repaired_answer(message, note)
    if not isinstance(error, dict):
        return [event], ""
    meant = errors.event(error, note)
    if event.get("type") == "error" and is_said(error, meant["error"]):
        return [event], ""
    return [meant], "the error is told in the words that its client knows"


def is_said(given: object, meant: JsonObject) -> bool:
    """Whether an error object has the type and the message of another one."""
    return isinstance(given, dict) and all(given.get(key) == meant[key] for key in ("type", "message"))
