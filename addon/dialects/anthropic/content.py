"""Content blocks become chat content: text, and `image_url` and `file` parts.

Blocks and what a chat bridge makes of them: docs/facts/anthropic.md#blocks. `cache_control` never gets through, because
every part is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ...exchange import JsonObject
from .. import in_words
from ..base import BadRequest
from ..names import Names
from ..pieces import BLANK_LINE, Piece, of_text
from ..told import Told
from . import words

_IMAGE_TYPE: Final = "image/png"
"""Of an image whose type isn't given."""
_PDF_TYPE: Final = "application/pdf"
_BILLING: Final = "x-anthropic-billing-header:"
"""How the first system block of Claude Code begins."""
_CACHE_CONTROL: Final = "cache_control is dropped: the endpoint caches by itself"


def blocks(given: object, pointer: str) -> list[JsonObject]:
    """The blocks of a content: a text is one block, null none.

    Raises `BadRequest` where it is neither text nor a list of objects. `pointer` is where it stands.
    """
    if isinstance(given, str):
        return [{"type": "text", "text": given}]
    if given is None:
        return []
    if isinstance(given, dict):
        return [given]
    if not isinstance(given, list):
        raise BadRequest(f"{dotted(pointer)}: must be a text or a list of content blocks.", dotted(pointer))
    listed: list[JsonObject] = []
    for position, block in enumerate(given):
        if isinstance(block, dict):
            listed.append(block)
        elif isinstance(block, str):
            listed.append({"type": "text", "text": block})
        else:
            place = dotted(f"{pointer}/{position}")
            message = f'{place}: must be a content block, an object such as {{"type": "text", "text": "…"}}.'
            raise BadRequest(message, place)
    return listed


def as_blocks(given: object) -> list[Any]:
    """As `blocks`, for a request that stays what it is: what is no content is left in, for the endpoint's own error."""
    if isinstance(given, str):
        return [{"type": "text", "text": given}] if given else []
    if isinstance(given, list):
        return [{"type": "text", "text": block} if isinstance(block, str) else block for block in given]
    return [] if given is None else [given]


def without_billing(text: object) -> str | None:
    """What is left of a system text that begins with Claude Code's billing header; `None`: it doesn't.

    The header changes with each request, and with it the beginning that a prompt cache goes by.
    """
    return text.partition("\n")[2] if isinstance(text, str) and text.startswith(_BILLING) else None


def dotted(pointer: str) -> str:
    """A JSON Pointer as Anthropic's errors write places: `messages.0.content`."""
    return pointer.removeprefix("/").replace("/", ".")


def kind_of(block: JsonObject) -> str:
    """The type of a block; "" where it has none."""
    kind = block.get("type")
    return kind if isinstance(kind, str) else ""


def named_tool(block: JsonObject) -> str:
    """The tool that a `tool_reference`, `tool_addition` or `tool_removal` names; "" where it names none."""
    if block.get("type") == "tool_reference":
        return words.tool_name(block)
    return words.tool_name(added_tool(block) or block.get("tool"))


def added_tool(block: JsonObject) -> JsonObject | None:
    """The tool that a `tool_addition` defines; `None` where it only names one."""
    tool = block.get("tool")
    definition = tool.get("definition") if isinstance(tool, dict) else None
    return definition if isinstance(definition, dict) else None


class Reader:
    """Reads the blocks of one request. Calls, results and an assistant's thinking are `history`'s."""

    def __init__(self, names: Names, told: Told) -> None:
        self._names = names
        self._told = told

    def pieces(self, block: JsonObject, pointer: str) -> list[Piece]:
        """What a block says, as it stands in any message."""
        self.drop_cache_control(block, pointer)
        kind = kind_of(block)
        if kind == "text":  # as most are
            return self._text(block, pointer)
        read = _READ.get(kind)
        if read is not None:
            return read(self, block, pointer)
        self._told.count(pointer, "a block that chat has no part for is said in words")
        if kind.endswith("_tool_result"):
            return [words.server_result(block, self._names.sent)]
        return [in_words.unknown(block)]

    def drop_cache_control(self, block: JsonObject, pointer: str) -> None:
        """Tell that a mark for Anthropic's cache isn't sent."""
        if "cache_control" in block:
            self._told.count(pointer, _CACHE_CONTROL)

    def _text(self, block: JsonObject, pointer: str) -> list[Piece]:
        if block.get("citations"):
            self._told.count(pointer, "citations are dropped: chat has none")
        return of_text(block.get("text"))

    def _image(self, block: JsonObject, pointer: str) -> list[Piece]:
        """An `image_url` part; words where the image isn't in the request."""
        source = block.get("source")
        if isinstance(source, dict):
            data, url = source.get("data"), source.get("url")
            if isinstance(data, str) and data:
                given = source.get("media_type")
                kind = given if isinstance(given, str) and given else _IMAGE_TYPE
                return [{"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}]
            if isinstance(url, str) and url:
                return [{"type": "image_url", "image_url": {"url": url}}]
        self._told.say(pointer, "an image that isn't in the request is said in words")
        return [f"[An image stood here that isn't in the request and can't be fetched: {in_words.as_json(source)}]"]

    def _document(self, block: JsonObject, pointer: str) -> list[Piece]:
        """A text between tags; a `file` part for a PDF, which the step `documents` reads; words for one elsewhere."""
        source, title, context = block.get("source"), block.get("title"), of_text(block.get("context"))
        given: JsonObject = source if isinstance(source, dict) else {"content": source}
        if block.get("citations"):
            self._told.count(pointer, "citations are dropped: chat has none")
        data, url = given.get("data"), given.get("url")
        if given.get("type") == "base64" and isinstance(data, str):
            media_type = given.get("media_type")
            kind = media_type if isinstance(media_type, str) and media_type else _PDF_TYPE
            self._told.count(pointer, "a document becomes a file part")
            file = {"filename": title if isinstance(title, str) and title else "document.pdf"}
            file["file_data"] = f"data:{kind};base64,{data}"
            return [*context, {"type": "file", "file": file}]
        if isinstance(data, str):
            self._told.count(pointer, "a document becomes text")
            return [_enclosed(title, [*context, data])]
        if "content" in given:
            self._told.count(pointer, "a document becomes text")
            return self._parts(given["content"], title, context, f"{pointer}/source/content")
        self._told.say(pointer, "a document that isn't in the request is said in words")
        where = url if isinstance(url, str) else in_words.as_json(given)
        missing = f"[This document isn't in the request and can't be fetched: {where}]"
        return [_enclosed(title, [*context, missing])]

    def _parts(self, given: object, title: object, context: list[Piece], pointer: str) -> list[Piece]:
        """A document that consists of blocks, between tags."""
        if not isinstance(given, str | list | dict):
            return [_enclosed(title, [*context, *of_text(given)])]
        pieces: list[Piece] = [*context]
        for position, block in enumerate(blocks(given, pointer)):
            nested = kind_of(block) == "document"  # no document in a document, without an end
            pieces += [in_words.unknown(block)] if nested else self.pieces(block, f"{pointer}/{position}")
        if all(isinstance(piece, str) for piece in pieces):
            return [_enclosed(title, pieces)]
        before, after = in_words.tags("document", {"title": title})
        return [before, *pieces, after]

    def _search_result(self, block: JsonObject, pointer: str) -> list[Piece]:
        self._told.count(pointer, "a search_result becomes text")
        return [words.search_result(block)]

    def _tool_change(self, block: JsonObject, pointer: str) -> list[Piece]:
        kind, name = kind_of(block), named_tool(block)
        self._told.count(pointer, f"a {kind} becomes a line of text")
        say = in_words.gone if kind == "tool_removal" else in_words.available
        return [say(self._names.sent(name)) if name else in_words.unknown(block)]

    def _server_call(self, block: JsonObject, pointer: str) -> list[Piece]:
        self._told.count(pointer, "a call that its vendor ran is said in words")
        return [words.server_call(block)]

    def _misplaced_call(self, block: JsonObject, pointer: str) -> list[Piece]:
        self._told.count(pointer, "a call outside of an assistant message is said in words")
        return [words.server_call(block)]

    def _thinking(self, block: JsonObject, pointer: str) -> list[Piece]:
        self._told.count(pointer, "thinking outside of an assistant message becomes text")
        return of_text(block.get("thinking"))

    def _redacted(self, block: JsonObject, pointer: str) -> list[Piece]:
        self._told.count(pointer, "redacted thinking, which only its vendor can read, is dropped")
        return []

    def _not_shown(self, block: JsonObject, pointer: str) -> list[Piece]:
        self._told.count(pointer, f"a {kind_of(block)} block, which no model is shown, is dropped")
        return []


_READ: Final[dict[str, Callable[[Reader, JsonObject, str], list[Piece]]]] = {
    "image": Reader._image,
    "document": Reader._document,
    "search_result": Reader._search_result,
    "tool_reference": Reader._tool_change,
    "tool_addition": Reader._tool_change,
    "tool_removal": Reader._tool_change,
    "server_tool_use": Reader._server_call,
    "mcp_tool_use": Reader._server_call,
    "tool_use": Reader._misplaced_call,
    "thinking": Reader._thinking,
    "redacted_thinking": Reader._redacted,
    "fallback": Reader._not_shown,
    "mcp_tool_listing": Reader._not_shown,
}
"""Type of a block -> how it is read."""


def _enclosed(title: object, texts: Sequence[Piece]) -> str:
    return in_words.enclosed("document", {"title": title}, BLANK_LINE.join(map(str, texts)))
