"""Whole chat answers as messages. Streams of the same answers are `stream`; `composer` makes the blocks of both."""

from __future__ import annotations

from typing import Any

from ...exchange import JsonObject
from ...rules import arguments
from ...wire import json_body, usage
from .. import spoken
from ..ending import model
from ..searching import searches_in
from . import ending, searched
from .composer import Composer


def message(chat: JsonObject, note: JsonObject) -> JsonObject:
    """The whole chat answer `chat` as a message, for the client whose request left `note`. Raises nothing."""
    choice = spoken.choice_of(chat) or {}
    given = choice.get("message")
    said: JsonObject = given if isinstance(given, dict) else {}
    calls = [{**call, "index": index} for index, call in enumerate(spoken.calls_of(said))]
    identity = ending.message_id(chat.get("id"))

    content = Content()
    composer = Composer(note, content, identity)
    composer.feed({**said, "tool_calls": calls})
    stop_reason, stop_sequence = composer.end(choice)
    blocks, used = content.blocks, ending.usage(usage.of_answer(chat), note, composer.written)
    if searches := searches_in(note):
        blocks, used = searched.with_searches(blocks, searches, identity), used | searched.usage(searches)
    return {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "model": model(chat, note),
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": stop_sequence,
        "usage": used,
    }


class Content:
    """The list of whole blocks."""

    def __init__(self) -> None:
        self.blocks: list[JsonObject] = []
        self._pieces: list[str] = []

    def begin(self, block: JsonObject) -> None:
        """A block without content."""
        self.blocks.append(block)

    def add(self, piece: str) -> None:
        """A piece of its content."""
        self._pieces.append(piece)

    def end(self, signed: str) -> None:
        """Put all pieces into the block."""
        block, text = self.blocks[-1], "".join(self._pieces)
        self._pieces.clear()
        if block["type"] == "tool_use":
            block["input"] = _input(text)
            return
        block[block["type"]] = text
        if block["type"] == "thinking":
            block["signature"] = signed


def _input(text: str) -> Any:
    """The object in `text`; where it has more values than are read, the text itself, kept in one."""
    found = json_body.parse_object(text.encode("utf-8", "replace"))
    return {arguments.KEPT_AS: text} if found is None else found
