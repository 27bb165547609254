"""Chat answers as messages."""

from __future__ import annotations

from ...exchange import JsonObject


def message(chat: JsonObject, note: JsonObject) -> JsonObject:
    """A whole chat answer as a `message`."""
    raise NotImplementedError
