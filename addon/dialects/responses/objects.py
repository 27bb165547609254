"""The API's objects that are made of kept answers: responses, lists of items, conversations. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...exchange import JsonObject
from ...wire import json_body
from ..base import BadRequest
from . import earlier

PAGE, LARGEST_PAGE = 20, 100
"""Items of a list that names no limit, and at most (docs/facts/responses.md#what-is-kept)."""


class Turn(Protocol):
    """A kept turn: JSON of its own input items, and of the answer."""

    @property
    def input(self) -> bytes:
        """A list of items."""

    @property
    def answer(self) -> bytes:
        """A response object."""


def output_of(answer: bytes) -> list[JsonObject]:
    """The output items of a response object."""
    output = (json_body.parse_object(answer) or {}).get("output")
    return [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []


def input_of(turn: Turn) -> list[JsonObject]:
    """The input items of a turn."""
    try:
        items = json_body.parse(turn.input)
    except json_body.InvalidJson:
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def items_of_turns(turns: Iterable[Turn]) -> list[JsonObject]:
    """All items of `turns`, in order: each input, then its answer's output."""
    return [item for turn in turns for item in (*input_of(turn), *output_of(turn.answer))]


def output_by_id(turns: Iterable[Turn]) -> dict[str, JsonObject]:
    """The output items of `turns` by their ids."""
    items = (item for turn in turns for item in output_of(turn.answer))
    return {item["id"]: item for item in items if isinstance(item.get("id"), str)}


def listed(items: Iterable[JsonObject], within: str) -> list[JsonObject]:
    """`items` as the API lists them: with a type and an id. An id that is made is the same each time.

    `within`: the id of the answer or the conversation, which made ids depend on.
    """
    return [_listed(item, within, number) for number, item in enumerate(items)]


def _listed(item: JsonObject, within: str, number: int) -> JsonObject:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    whole = {"type": kind, **item}
    whole["type"] = kind
    if kind == "message":
        if isinstance(item.get("content"), str):
            spoken = "output_text" if item.get("role") == "assistant" else "input_text"
            whole["content"] = [{"type": spoken, "text": item["content"]}]
        whole.setdefault("status", "completed")
    if not isinstance(item.get("id"), str):
        digest = hashlib.sha256(f"{within} {number}".encode("utf-8", "surrogatepass")).hexdigest()
        whole["id"] = f"{_PREFIXES.get(str(kind), 'item')}_{digest[:32]}"
    return whole


_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    limit: int = PAGE
    ascending: bool = False
    after: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Page:
        """The page that the parameters of a request's `query` name. Raises `BadRequest`."""
        limit, order = query.get("limit", str(PAGE)), query.get("order", "desc")
        if not (limit.isascii() and limit.isdecimal() and len(limit) < 4 and 1 <= int(limit) <= LARGEST_PAGE):
            raise BadRequest(f"`limit` must be a number from 1 to {LARGEST_PAGE}.", "limit")
        if order not in ("asc", "desc"):
            raise BadRequest("`order` must be asc or desc.", "order")
        return cls(int(limit), order == "asc", query.get("after", ""))

    def of_list(self, items: Sequence[JsonObject]) -> JsonObject:
        """The list object with this part of `items`, which are in ascending order. Raises `BadRequest`."""
        ordered = list(items) if self.ascending else list(reversed(items))
        start = 0
        if self.after:
            start = next((at + 1 for at, item in enumerate(ordered) if item.get("id") == self.after), -1)
            if start < 0:
                raise BadRequest("`after` names no item of this list.", "after")
        data = ordered[start : start + self.limit]
        return {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": start + self.limit < len(ordered),
        }


def conversation(id: str, created_at: int, metadata: Mapping[str, str]) -> JsonObject:
    """A conversation object."""
    return {"id": id, "object": "conversation", "created_at": created_at, "metadata": dict(metadata)}


def metadata_of(body: JsonObject) -> dict[str, str]:
    """The metadata that a request gives: at most 16 pairs of short texts, as OpenAI takes. Raises `BadRequest`."""
    given = body.get("metadata")
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > 16:
        raise BadRequest("`metadata` must be an object of at most 16 texts.", "metadata")
    for key, value in given.items():
        if len(key) > 64 or not isinstance(value, str) or len(value) > 512:
            raise BadRequest(
                "`metadata`: keys have up to 64 characters, and values are texts of up to 512.", "metadata"
            )
    return given


def items_given(body: JsonObject) -> list[JsonObject]:
    """The items that a request adds to a conversation: at most 20, as OpenAI takes. Raises `BadRequest`."""
    given = body.get("items")
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > 20 or not all(isinstance(item, dict) for item in given):
        raise BadRequest("`items` must be a list of at most 20 items.", "items")
    if earlier.references(given):
        raise BadRequest("`items` must be whole: an item_reference can't be added to a conversation.", "items")
    return given
