"""What a request continues: an earlier answer, a conversation, single items of earlier answers. Pure.

`steps.keep_answers` looks them up. Here a request says which it needs, and gets what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...exchange import JsonObject
from ..base import BadRequest


@dataclass(frozen=True, slots=True)
class Needed:
    """What a request continues, by id; empty where it continues nothing."""

    previous: str = ""
    """The answer before it."""
    conversation: str = ""
    items: tuple[str, ...] = ()
    """The items that stand in its input by their ids alone, each once."""

    def __bool__(self) -> bool:
        """Whether there is anything to be looked up."""
        return bool(self.previous or self.conversation or self.items)


def needed(body: JsonObject) -> Needed:
    """What the request `body` continues. Raises `BadRequest` for ids that are no text, and for two histories."""
    previous, conversation = body.get("previous_response_id"), body.get("conversation")
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    for name, id in (("previous_response_id", previous), ("conversation", conversation)):
        if id is not None and not isinstance(id, str):
            raise BadRequest(f"`{name}` must be an id.", name)
    if previous and conversation:
        raise BadRequest(
            "`previous_response_id` and `conversation` exclude each other: a conversation knows its last answer.",
            "previous_response_id",
        )
    return Needed(previous or "", conversation or "", references(input_of(body)))


def input_of(body: JsonObject) -> list[object]:
    """The request's own input as a list of items."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return given if isinstance(given, list) else []


def references(items: Iterable[object]) -> tuple[str, ...]:
    """The ids of those `items` that are only references, each once."""
    return tuple(dict.fromkeys(str(item["id"]) for item in items if _is_reference(item)))


def resolved(items: Iterable[object], found: Mapping[str, JsonObject]) -> list[object]:
    """`items` with what is referred to in the place of each reference. Raises `KeyError` for one that isn't `found`."""
    return [found[item["id"]] if _is_reference(item) else item for item in items]


def _is_reference(item: object) -> bool:
    # OpenAI's schema lets the type be null or missing.
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return False
    return item.get("type") == "item_reference" or (item.get("type") is None and item.keys() <= {"id", "type"})
