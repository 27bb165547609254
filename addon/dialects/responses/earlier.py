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
        conversation = conversation.get("id", False)
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
    if isinstance(given, dict):
        return [given]
    return given if isinstance(given, list) else []


def references(items: Iterable[object]) -> tuple[str, ...]:
    """The ids of those `items` that are only references, each once."""
    return tuple(dict.fromkeys(id for item in items if (id := _referred_to(item)) is not None))


def resolved(items: Iterable[object], found: Mapping[str, JsonObject]) -> list[object]:
    """`items` with what is referred to in the place of each reference. Raises `KeyError` for one that isn't `found`."""
    return [item if (id := _referred_to(item)) is None else found[id] for item in items]


def _referred_to(item: object) -> str | None:
    """The id of the item that `item` refers to; `None` for one that is whole."""
    if not isinstance(item, dict) or not isinstance(id := item.get("id"), str):
        return None
    kind = item.get("type")
    # The type may be null or missing (docs/facts/responses.md#what-is-kept).
    return id if kind == "item_reference" or (kind is None and item.keys() <= {"id", "type"}) else None
