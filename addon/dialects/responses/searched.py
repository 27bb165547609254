"""Searches that the proxy made for the model, as items: the calls, and citations of the pages found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ...exchange import JsonObject
from ..searching import Found, Search, citations
from .composer import Says

_MARK = re.compile(r"\[([1-9][0-9]{0,2})\]")


def with_searches(said: list[JsonObject], searches: list[Search], origin: str) -> list[JsonObject]:
    """The items of the answer: what was said and found before it, then `said`, with citations in its texts.

    `origin` is the response's id, of which the ids of the calls are made.
    """
    if not searches:
        return said
    pages = {page["number"]: page for search in searches for page in search["found"]}
    reasoning = [item for item in said if item["type"] == "reasoning"]
    rest = [_cited(item, pages) for item in said if item["type"] != "reasoning"]
    return [*reasoning, *_items(searches, origin.removeprefix("resp_")), *rest]


def spoken_by(item: JsonObject) -> Iterator[tuple[Says, JsonObject, str]]:
    """What the pieces of a whole `item` are, the item before it had any, and its text."""
    match item["type"]:
        case "message":
            part = item["content"][0]
            says: Says = "output_text" if part["type"] == "output_text" else "refusal"
            yield says, {**item, "status": "in_progress", "content": []}, part.get("text") or part.get("refusal", "")
        case "reasoning":
            summary = item["summary"]
            begun = {**item, "status": "in_progress", "summary": [], "content": [], "encrypted_content": None}
            says = "reasoning_summary_text" if summary else "reasoning_text"
            yield says, begun, (summary or item["content"])[0]["text"]
        case "function_call":
            yield "function_call_arguments", {**item, "status": "in_progress", "arguments": ""}, item["arguments"]
        case "custom_tool_call":
            yield "custom_tool_call_input", {**item, "status": "in_progress", "input": ""}, item["input"]
        case _:
            yield "", {**item, "status": "in_progress"}, ""


def _items(searches: list[Search], origin: str) -> Iterator[JsonObject]:
    for number, search in enumerate(searches):
        if search["said"].strip():
            part = {"type": "output_text", "text": search["said"], "annotations": [], "logprobs": []}
            message = {"type": "message", "id": f"msg_{origin}_s{number}", "role": "assistant", "content": [part]}
            yield {**message, "status": "completed"}
        yield {
            "type": "web_search_call",
            "id": f"ws_{origin}_{number}",
            "status": "failed" if search["error"] else "completed",
            "action": {
                "type": "search",
                "query": search["query"],
                "queries": [search["query"]],
                "sources": [{"type": "url", "url": page["url"]} for page in search["found"]],
            },
        }


def _cited(item: JsonObject, pages: Mapping[int, Found]) -> JsonObject:
    """A message with an annotation for each number in its text that cites a page."""
    if item["type"] != "message":
        return item
    return {**item, "content": [{**part, **_annotations(part, pages)} for part in item["content"]]}


def _annotations(part: JsonObject, pages: Mapping[int, Found]) -> JsonObject:
    if part["type"] != "output_text":
        return {}
    text: str = part["text"]
    made: list[JsonObject] = []
    for found in citations(text, _MARK):
        page = pages.get(int(found[1]))
        if page is None:
            continue
        where = {"start_index": found.start(), "end_index": found.end()}
        made.append({"type": "url_citation", "url": page["url"], "title": page["title"], **where})
    return {"annotations": made}
