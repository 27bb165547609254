"""Blocks that chat has no part for, said in words: what a model can read stays, what only a vendor can read goes.

Which blocks there are: docs/facts/anthropic.md#blocks.
"""

from __future__ import annotations

from collections.abc import Callable

from ...exchange import JsonObject
from .. import in_words
from ..pieces import BLANK_LINE
from . import searched


def tool_name(reference: object) -> str:
    """The name of the tool that a `tool_reference` or an entry like it names; "" where it names none."""
    if isinstance(reference, str):
        return reference
    if isinstance(reference, dict):
        name = reference.get("tool_name", reference.get("name"))
        return name if isinstance(name, str) else ""
    return ""


def search_result(block: JsonObject) -> str:
    """A `search_result` block: where it was found, and its texts."""
    return in_words.enclosed(
        "search_result", {"title": block.get("title"), "source": block.get("source")}, texts_of(block)
    )


def texts_of(block: JsonObject) -> str:
    """The text of a block's `content`, which is text, text blocks, or anything else, then as JSON."""
    given = block.get("content")
    if isinstance(given, str):
        return given
    if isinstance(given, list) and all(_is_text(item) for item in given):
        return BLANK_LINE.join(item["text"] for item in given)
    return in_words.as_json(given)


def server_call(block: JsonObject) -> str:
    """A `server_tool_use` or `mcp_tool_use`: a call that the vendor ran."""
    server = block.get("server_name")
    where = f" of {server}" if isinstance(server, str) and server else ""
    return f"[called {block.get('name')}{where}: {in_words.without_data(block.get('input'))}]"


def server_result(block: JsonObject, sent: Callable[[str], str]) -> str:
    """The result of such a call. `sent` gives the name in chat of a tool that a tool search found."""
    content = block.get("content")
    found = content.get("tool_references") if isinstance(content, dict) else None
    if isinstance(found, list):
        names = [name for item in found if (name := tool_name(item))]
        return "\n".join(in_words.available(sent(name)) for name in names) or "[no tool was found]"
    if isinstance(content, list) and any(map(searched.text_of, filter(_is_object, content))):
        return BLANK_LINE.join(_page(page) for page in content if _is_object(page))
    kind = str(block["type"]).removesuffix("_tool_result")
    failed = " failed" if block.get("is_error") is True else ""
    return f"[{kind}{failed}: {texts_of(block)}]"


def _page(page: JsonObject) -> str:
    """A page that a search of the proxy's found."""
    return "\n".join(filter(None, [page.get("title"), page.get("url"), searched.text_of(page)]))


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)
