"""Requests about what is kept of earlier answers: answers and conversations by id. They are answered here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from ...exchange import JsonObject
from ...wire import rule_names
from ..base import House
from ..variant import Variant

type What = Literal["responses", "conversations"]

METHODS: Mapping[str, tuple[str, ...]] = {
    "/responses/{id}": ("GET", "DELETE"),
    "/responses/{id}/input_items": ("GET",),
    "/responses/{id}/cancel": ("POST",),
    "/conversations": ("POST",),
    "/conversations/{id}": ("GET", "POST", "DELETE"),
    "/conversations/{id}/items": ("GET", "POST"),
    "/conversations/{id}/items/{id}": ("GET", "DELETE"),
}
"""The ends of the paths, below a base URL, and the methods that each takes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: of `what`, by `id`, the whole or a `part`, in it a single `item`."""

    method: str
    what: What
    id: str = ""
    part: str = ""
    item: str = ""


def asked(method: str, path: str) -> Asked | None:
    """What a request asks for; `None`: nothing that is known. `path`: without its query, its id as it was sent."""
    parts = [part for part in path.split("/") if part]
    words = [part.lower() for part in parts]
    start = next((at for at in range(len(words) - 1, -1, -1) if words[at] in ("responses", "conversations")), None)
    if start is None:
        return None
    shape = "".join("/{id}" if at in (1, 3) else f"/{word}" for at, word in enumerate(words[start:]))
    if method not in METHODS.get(shape, ()):
        return None
    _, id, part, item = [*parts[start:], "", "", ""][:4]
    return Asked(method, cast("What", words[start]), id, part.lower(), item)


class KeptResponses(Variant):
    """What is asked for by id. There is nothing to translate."""

    name = rule_names.RESPONSES_KEPT
    paths: tuple[str, ...] = tuple(METHODS)
    house: House = "kept"
    is_house = False

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """`body` itself."""
        return body

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """`chat` itself."""
        return chat
