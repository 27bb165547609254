"""Searches that the proxy made for the model, in Anthropic's blocks: the call, the pages found, citations.

A page's text stands in `encrypted_content`, which clients send back as it is: so the next turn knows what was found
without anything being kept here. What Claude Code makes of the blocks: docs/facts/anthropic.md#web-search.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final

from ...exchange import JsonObject
from ..searching import Found, Search, citations

_OURS: Final = b"hunyuan-fix:search:1:"
_CITED: Final = 150
"""Characters of a page that a citation quotes: as many as Anthropic's."""
_THINKING: Final = frozenset(["thinking", "redacted_thinking"])
_MARKS = re.compile(r"(?:[ \u3000]?\[[1-9][0-9]{0,2}\])+")
_MARK = re.compile(r"\[([0-9]+)\]")


def with_searches(said: list[JsonObject], searches: list[Search], origin: str) -> list[JsonObject]:
    """The blocks of the answer: what was said and found before it, then `said`, with citations in its texts.

    `origin` is the message's id, of which ids of calls are made.
    """
    pages = {page["number"]: page for search in searches for page in search["found"]}
    thinking = [block for block in said if block["type"] in _THINKING]
    blocks = [*thinking, *_blocks(searches, origin.removeprefix("msg_"))]
    for block in said:
        if block["type"] == "text":
            blocks += _cited(block["text"], pages)
        elif block["type"] not in _THINKING:
            blocks.append(block)
    return blocks


def usage(searches: list[Search]) -> JsonObject:
    """What is added to the usage."""
    counted = {"web_search_requests": sum(not search["error"] for search in searches), "web_fetch_requests": 0}
    return {"server_tool_use": counted}


def text_of(page: Mapping[str, object]) -> str:
    """The text of a page that stands in a `web_search_result` block of ours; `""` in any other."""
    given = page.get("encrypted_content")
    if not isinstance(given, str):
        return ""
    try:
        data = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return data.removeprefix(_OURS).decode("utf-8", "replace") if data.startswith(_OURS) else ""


def _blocks(searches: list[Search], origin: str) -> Iterator[JsonObject]:
    for number, search in enumerate(searches):
        if search["said"].strip():
            yield {"type": "text", "text": search["said"]}
        identity = f"srvtoolu_{origin}_{number}"
        yield {"type": "server_tool_use", "id": identity, "name": "web_search", "input": {"query": search["query"]}}
        content: object = [
            {
                "type": "web_search_result",
                "url": page["url"],
                "title": page["title"],
                "encrypted_content": _sealed(page["text"]),
                "page_age": page["age"] or None,
            }
            for page in search["found"]
        ]
        if search["error"]:
            content = {"type": "web_search_tool_result_error", "error_code": search["error"]}
        yield {"type": "web_search_tool_result", "tool_use_id": identity, "content": content}


def _cited(text: str, pages: Mapping[int, Found]) -> list[JsonObject]:
    """`text` in blocks, each as far as the numbers that it cites."""
    blocks: list[JsonObject] = []
    start = 0
    for found in citations(text, _MARKS):
        numbers = [int(number) for number in _MARK.findall(found[0])]
        cited = [pages[number] for number in dict.fromkeys(numbers) if number in pages]
        if not cited:
            continue
        blocks.append({"type": "text", "text": text[start : found.end()], "citations": list(map(_citation, cited))})
        start = found.end()
    rest = text[start:]
    if blocks and (not rest or rest.isspace()):  # no client may send back a blank text
        blocks[-1]["text"] += rest
    else:
        blocks.append({"type": "text", "text": rest})
    return blocks


def _citation(page: Found) -> JsonObject:
    return {
        "type": "web_search_result_location",
        "url": page["url"],
        "title": page["title"],
        "cited_text": page["text"][:_CITED],
        "encrypted_index": _sealed(str(page["number"])),
    }


def _sealed(text: str) -> str:
    return base64.b64encode(_OURS + text.encode("utf-8", "replace")).decode()
