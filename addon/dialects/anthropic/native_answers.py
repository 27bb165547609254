"""The answers of an endpoint that speaks Messages itself: what the proxy reads of them, and what it changes."""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from ...wire import call_ids, json_body, rule_names
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
CALL_IDS: Final = "call_ids"
"""The key of the note with the ids of earlier calls that another call may get, too."""
_NEW_ID: Final = "a call has an id that no earlier call has"
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


def counted_ids(messages: object) -> list[str]:
    """The ids of the calls in a request's messages that end with a number, the last of them."""
    contents = (
        [message.get("content") for message in messages if isinstance(message, dict)]
        if isinstance(messages, list)
        else []
    )
    blocks = [
        block for content in contents if isinstance(content, list) for block in content if isinstance(block, dict)
    ]
    ids = [block.get("id") for block in blocks if block.get("type") == "tool_use"]
    return [id for id in ids[-call_ids.MOST // 2 :] if isinstance(id, str) and call_ids.is_counted(id)]


def repaired_answer(body: JsonObject, note: JsonObject) -> str:
    """Give a message the name of the model that the client asked for, and its calls ids of their own; why, or `""`."""
    why = "the answer names the model that was asked for" if name_model(body, note) else ""
    content = body.get("content")
    renamed = [_has_new_id(block, note) for block in content] if isinstance(content, list) else []
    return _NEW_ID if any(renamed) else why


def _has_new_id(block: object, note: JsonObject) -> bool:
    """Give a call another id where an earlier call has its own; whether it had one."""
    taken = note.get(CALL_IDS)
    if (
        not taken
        or not isinstance(block, dict)
        or block.get("type") != "tool_use"
        or not isinstance(block.get("id"), str)
    ):
        return False
    if len(taken) >= call_ids.MOST:
        return False  # an answer of that many calls is none that a client runs
    given, block["id"] = block["id"], call_ids.unused(block["id"], frozenset(taken))
    taken.append(block["id"])
    return bool(block["id"] != given)


def repaired_event(event: JsonObject, note: JsonObject) -> tuple[list[JsonObject], str]:
    """The same for events that begin a message or a call, and an error's words: the event in its place, and why."""
    message, error = event.get("message"), event.get("error")
    if event.get("type") == "message_start" and isinstance(message, dict):
        return [event], repaired_answer(message, note)
    if event.get("type") == "content_block_start" and _has_new_id(event.get("content_block"), note):
        return [event], _NEW_ID
    if not isinstance(error, dict):
        return [event], ""
    meant = errors.event(error, note)
    if event.get("type") == "error" and is_said(error, meant["error"]):
        return [event], ""
    return [meant], "the error is told in the words that its client knows"


def is_said(given: object, meant: JsonObject) -> bool:
    """Whether an error object has the type and the message of another one."""
    return isinstance(given, dict) and all(given.get(key) == meant[key] for key in ("type", "message"))
