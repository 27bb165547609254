"""A conversation's summary at once (`/v1/responses/compact`): the user's messages, and all else in one sealed item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...exchange import JsonObject
from ...wire import rule_names
from ..base import House
from ..variant import Variant
from . import earlier, objects

STAYS: Final = "user_messages"
"""The key of the note for what the summary leaves in its words, until the answer is made."""


class Compact(Variant):
    """A request as of `responses`, whose answer is a shorter conversation."""

    name = rule_names.RESPONSES_COMPACT
    paths: tuple[str, ...] = ("/responses/compact",)
    house: House = "chat"
    is_house = False

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The chat request that asks for a summary of the conversation. Raises `BadRequest`."""
        before, own = note.get("earlier", []), earlier.input_of(body)
        note[STAYS] = [item for item in (*before, *own) if isinstance(item, dict) and _is_users(item)]
        # This answer is never a stream.
        asked = {name: value for name, value in body.items() if name not in ("stream", "stream_options", "background")}
        if own or (before and body.get("input") is None):  # else it is refused, as without the trigger
            asked["input"] = [*own, {"type": "compaction_trigger"}]
        return self._of.to_chat(asked, headers, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """The user's messages and one `compaction` item, as a `response.compaction`."""
        stays = note.pop(STAYS, ())
        made = self._of.answer(chat, note)
        if made["status"] == "failed":  # the model has written no summary
            return made
        return {
            "id": made["id"],
            "object": "response.compaction",
            "created_at": int(made["created_at"]),
            "output": [*objects.listed(stays, made["id"]), *made["output"]],
            "usage": made["usage"],
        }


def _is_users(item: JsonObject) -> bool:
    return item.get("role") == "user" and item.get("type") in (None, "message")
