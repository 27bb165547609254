"""Searches of the web, between a dialect whose clients ask for them and the step that makes them.

A dialect that finds `WEB_SEARCH` in its note's `offers` gives the model a function for it and notes what was asked for
under `WANTED`. Under `FOUND` stand the searches that were made, for the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypedDict

from ..exchange import JsonObject

WEB_SEARCH: Final = "web_search"
"""What the step offers."""
WANTED: Final = "search"
"""The key of what was asked for: a `Wanted`."""
FOUND: Final = "searches"
"""The key of the searches that were made: a list of `Search`."""
SEARCHES: Final = {
    "description": "Search the web. Gives numbered pages with title, address and text.",
    "parameters": {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What to search for."}},
        "required": ["query"],
    },
}
"""Description and schema of the function that a model gets for it."""
_FENCE: Final = "```"


class Wanted(TypedDict, total=False):
    """What the client asks for."""

    tool: str
    """The name of the function that the model is offered."""
    max_uses: int
    allowed_domains: list[str]
    blocked_domains: list[str]


class Found(TypedDict):
    """One page; its number is that under which the model may cite it."""

    number: int
    url: str
    title: str
    text: str
    age: str


class Search(TypedDict):
    """One search. `said`: what the model said before it; `error`: why nothing was found, in Anthropic's words."""

    said: str
    query: str
    found: list[Found]
    error: str


def searches_in(note: JsonObject) -> list[Search]:
    """The searches that were made for the answer to the request that left `note`."""
    found: list[Search] = note.get(FOUND) or []
    return found


def citations(text: str, marks: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """Where `marks` are in `text`, except in code, where `[1]` is an index: between two fences. Takes linear time."""
    fences, counted = 0, 0
    for found in marks.finditer(text):
        fences, counted = fences + text.count(_FENCE, counted, found.start()), found.start()
        if fences % 2 == 0:
            yield found
