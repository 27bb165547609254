"""What a story leaves out, on demand: rows of the two sides, whole texts, images; and the answer alone, as it grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from ..exchange import JsonObject, Response, printable
from ..observe.admin.route import json_answer
from ..wire import proxy_errors
from ..wire.openai_error import ProxyError
from . import story, story_answer, story_changes, story_messages
from .changed_words import Work
from .content import Content
from .raw import of_exchange
from .sources import Sources
from .story_messages import Room
from .story_sides import ShownRow

MOST_ROWS: Final = 100
"""Rows of one answer."""
LONGEST: Final = 2_000_000
"""Characters of one text."""


class Rows(TypedDict):
    """Rows of the two sides. `next`: the number of the first one that isn't among them; -1: there are none."""

    rows: list[ShownRow]
    next: int


class Text(TypedDict):
    """A text. `left_out`: characters that it has more."""

    text: str
    left_out: int


class Growing(TypedDict):
    """An answer, as far as it has come. `answer`: `None` where it is as it was, or isn't there."""

    bytes: int
    under_way: bool
    answer: story_answer.ShownAnswer | None


async def rows(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """Rows that a story has folded. The answer of `/api/exchanges/{id}/rows`."""

    def look(content: Content) -> Response:
        return json_answer(rows_from(content, values.get("first", 0), values.get("count", MOST_ROWS), language))

    return await of_exchange(sources, values["id"], look)


def rows_from(content: Content, first: int, count: int, language: str) -> Rows:
    """So many rows, from that with the number `first` on."""
    bodies = story.read(content)
    if bodies is None:
        return {"rows": [], "next": -1}
    story_changes.shown(bodies.groups, (), bodies.sides, language)  # tells the rows of their changes
    room, work, end = Room(), Work(), min(first + min(count, MOST_ROWS), len(bodies.sides.rows))
    listed = [bodies.sides.row(number, room, work) for number in range(first, end)]
    return {"rows": listed, "next": end if listed and end < len(bodies.sides.rows) else -1}


async def text(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """A text that a story has cut. The answer of `/api/exchanges/{id}/text`."""

    def look(content: Content) -> Response:
        return json_answer(text_of(content, values.get("of", "came"), values.get("at", "")))

    return await of_exchange(sources, values["id"], look)


def text_of(content: Content, side: str, pointer: str) -> Text:
    """All of a text. `side`: `came`, `sent` or `answer`; without a pointer the body as it is."""
    if side == "answer":
        found = story_answer.rest(content, pointer)
    elif not pointer:
        found = ((content.came if side == "came" else content.sent) or b"").decode("utf-8", "replace")
    else:
        found = story_messages.whole_text(_chat(content, side), pointer)
    return {"text": printable(found[:LONGEST]), "left_out": max(0, len(found) - LONGEST)}


async def image(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """An image of a request. The answer of `/api/exchanges/{id}/image`."""

    def look(content: Content) -> Response | ProxyError:
        found = story_messages.image(_chat(content, values.get("of", "came")), values.get("at", ""))
        if found is None:
            return proxy_errors.ADMIN_NO_CONTENT()
        return Response(200, {"content-type": found[0]}, found[1])

    return await of_exchange(sources, values["id"], look)


async def growing(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """The answer alone, as far as it has come. The answer of `/api/exchanges/{id}/answer`."""

    def look(content: Content) -> Response:
        size = len(content.answer or b"")
        is_known = content.under_way and size == values.get("known", -1)
        shown = None if is_known else story_answer.answer(content, language)
        told: Growing = {"bytes": size, "under_way": content.under_way, "answer": shown}
        return json_answer(told)

    return await of_exchange(sources, values["id"], look)


def _chat(content: Content, side: str) -> JsonObject:
    bodies = story.read(content)
    found = None if bodies is None else bodies.came if side == "came" else bodies.sent
    return found or {}
