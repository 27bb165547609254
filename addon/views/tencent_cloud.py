"""Tencent Cloud's own format in the shapes of chat, for a person to read. Nothing here raises."""

from __future__ import annotations

from typing import Any

from ..dialects.tencent_cloud import fields
from ..exchange import JsonObject


def is_request(body: JsonObject) -> bool:
    """Whether it has messages."""
    return isinstance(body.get("Messages"), list)


def is_answer(body: JsonObject) -> bool:
    """Whether it has the vendor's envelope."""
    return isinstance(body.get("Response"), dict)


def is_event(event: JsonObject) -> bool:
    """Whether it is an event of a stream, which has no envelope."""
    return isinstance(event.get("Choices"), list) or "ErrorMsg" in event


def is_end(event: JsonObject) -> bool:
    """Whether it says why the answer ends, or that it has failed."""
    choices = event.get("Choices")
    listed = choices if isinstance(choices, list) else []
    return bool(event.get("ErrorMsg")) or any(one.get("FinishReason") for one in listed if isinstance(one, dict))


def as_chat(body: JsonObject) -> JsonObject:
    """A request: the names of chat's fields, and parts where they stand in chat."""
    chat: JsonObject = fields.to_chat(body)
    for message in chat["messages"]:
        if isinstance(message, dict) and isinstance(message.get("contents"), list):
            message["content"] = message.pop("contents")
    return chat


def as_completion(body: JsonObject) -> JsonObject:
    """A whole answer, or an error."""
    return _in_chats_words(body["Response"], "Error")


def as_chunk(event: JsonObject) -> JsonObject:
    """An event of a stream."""
    return _in_chats_words(event, "ErrorMsg")


def _in_chats_words(given: JsonObject, name: str) -> JsonObject:
    said: JsonObject = fields.to_chat({key: value for key, value in given.items() if key != name})
    error: Any = given.get(name)
    if isinstance(error, dict) and error:
        words = (error.get("Code"), error.get("Message", error.get("Msg")))
        said["error"] = {"message": ": ".join(str(word) for word in words if word)}
    return said
