"""Content blocks become chat content: text, and `image_url` and `file` parts.

Blocks and what a chat bridge makes of them: docs/facts/anthropic.md#blocks. `cache_control` never gets through, because
every part is made anew.
"""

from __future__ import annotations

from typing import Any, Final

from ...exchange import JsonObject
from ..base import BadRequest
from . import words
from .names import Names
from .told import Told

type Piece = str | JsonObject
"""A text, or a chat content part that is none."""

BLANK_LINE: Final = "\n\n"
_IMAGE_TYPE: Final = "image/png"
"""Of an image whose type isn't given."""
_SERVER_CALLS: Final = frozenset(["server_tool_use", "mcp_tool_use"])
_TOOL_LISTS: Final = ("tool", "tools", "tool_name", "tool_names", "name", "names")
"""Fields in which a `tool_addition` or `tool_removal` names its tools (inferred, docs/facts/anthropic.md#tools)."""


def blocks(given: object, pointer: str) -> list[JsonObject]:
    """The blocks of a content: a text is one block, null none.

    Raises `BadRequest` where it is neither text nor a list of objects. `pointer` is where it stands.
    """
    if given is None:
        return []
    if isinstance(given, str):
        return [{"type": "text", "text": given}]
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


def dotted(pointer: str) -> str:
    """A JSON Pointer as Anthropic's errors write places: `messages.0.content`."""
    return pointer.removeprefix("/").replace("/", ".")


def as_content(pieces: list[Piece]) -> str | list[JsonObject]:
    """Pieces as the content of a message: one text, with blank lines between, unless a piece isn't text.

    A list of one text block, which Claude Code sends while a message is the last one, and the plain text that it sends
    afterwards are the same content.
    """
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return BLANK_LINE.join(texts)
    return [{"type": "text", "text": piece} if isinstance(piece, str) else piece for piece in pieces]


def pieces_of(block: JsonObject, pointer: str, names: Names, told: Told) -> list[Piece]:
    """What a block says, as it stands in any message. Calls, results and an assistant's thinking are `history`'s."""
    kind = kind_of(block)
    if "cache_control" in block:
        told.count(pointer, "cache_control is dropped: the endpoint caches by itself")
    if kind == "text" or (not kind and isinstance(block.get("text"), str)):
        return _text(block, pointer, told)
    if kind == "image":
        return [_image(block.get("source"), pointer, told)]
    if kind == "document":
        return _document(block, pointer, names, told)
    if kind == "tool_reference":
        told.say(pointer, "a tool_reference becomes a line of text")
        name = words.tool_name(block)
        return [words.available(names.sent(name))] if name else []
    if kind in ("tool_addition", "tool_removal"):
        told.say(pointer, f"a {kind} becomes a line of text")
        say = words.available if kind == "tool_addition" else words.gone
        return ["\n".join(say(names.sent(name)) for name in named_tools(block)) or words.unknown(block)]
    if kind == "search_result":
        told.count(pointer, "a search_result becomes text")
        return [words.search_result(block)]
    if kind == "thinking":
        told.count(pointer, "thinking outside of an assistant message becomes text")
        return _texts(block.get("thinking"))
    if kind == "redacted_thinking":
        told.count(pointer, "redacted thinking, which only its vendor can read, is dropped")
        return []
    told.say(pointer, "a block that chat has no part for is said in words")
    if kind in _SERVER_CALLS:
        return [words.server_call(block)]
    if kind.endswith("_tool_result"):
        return [words.server_result(block, names.sent)]
    return [words.unknown(block)]


def kind_of(block: JsonObject) -> str:
    """The type of a block; "" where it has none."""
    kind = block.get("type")
    return kind if isinstance(kind, str) else ""


def named_tools(block: JsonObject) -> list[str]:
    """The names of the tools that a `tool_addition`, a `tool_removal` or a `tool_reference` names."""
    for field in _TOOL_LISTS:
        value = block.get(field)
        if value is not None:
            return [name for item in (value if isinstance(value, list) else [value]) if (name := words.tool_name(item))]
    return []


def added_tools(block: JsonObject) -> list[Any]:
    """The tools that a `tool_addition` brings with their schemas."""
    for field in ("tool", "tools"):
        value = block.get(field)
        if value is not None:
            return value if isinstance(value, list) else [value]
    return []


def _texts(text: object) -> list[Piece]:
    if text is None or text == "":
        return []
    return [text if isinstance(text, str) else words.as_json(text)]


def _text(block: JsonObject, pointer: str, told: Told) -> list[Piece]:
    if block.get("citations"):
        told.count(pointer, "citations are dropped: chat has none")
    return _texts(block.get("text"))


def _image(source: object, pointer: str, told: Told) -> Piece:
    """An `image_url` part; words where the image isn't in the request."""
    if isinstance(source, dict):
        data, url, media_type = source.get("data"), source.get("url"), source.get("media_type")
        if isinstance(data, str) and data:
            kind = media_type if isinstance(media_type, str) and media_type else _IMAGE_TYPE
            return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
        if isinstance(url, str) and url:
            return {"type": "image_url", "image_url": {"url": url}}
    told.say(pointer, "an image that isn't in the request is said in words")
    return f"[An image stood here, which isn't in the request: {words.as_json(source)}]"


def _document(block: JsonObject, pointer: str, names: Names, told: Told) -> list[Piece]:
    """A text between tags; a `file` part for a PDF, which the rules and the steps know; words for one elsewhere."""
    source = block.get("source")
    given: JsonObject = source if isinstance(source, dict) else {"content": source}
    title = block.get("title")
    context = _texts(block.get("context"))
    if "citations" in block:
        told.count(pointer, "citations are dropped: chat has none")
    data, url = given.get("data"), given.get("url")
    if given.get("type") == "base64" and isinstance(data, str):
        media_type = given.get("media_type")
        kind = media_type if isinstance(media_type, str) and media_type else "application/pdf"
        told.say(pointer, "a document becomes a file part")
        file = {"filename": _file_name(title), "file_data": f"data:{kind};base64,{data}"}
        return [*context, {"type": "file", "file": file}]
    if isinstance(data, str):
        told.count(pointer, "a document becomes text")
        return [_enclosed(title, [*context, data])]
    if "content" in given:
        told.count(pointer, "a document becomes text")
        return _contents(given["content"], title, context, f"{pointer}/source/content", names, told)
    told.say(pointer, "a document that isn't in the request is said in words")
    where = url if isinstance(url, str) else words.as_json(given)
    return [_enclosed(title, [*context, f"[This document isn't in the request: {where}]"])]


def _contents(
    given: object, title: object, context: list[Piece], pointer: str, names: Names, told: Told
) -> list[Piece]:
    """A document that consists of blocks: its texts between tags, its other parts after them."""
    if not isinstance(given, str | list | dict):
        return [_enclosed(title, [*context, *_texts(given)])]
    listed = blocks(given, pointer)
    pieces: list[Piece] = [*context]
    for position, block in enumerate(listed):
        place = f"{pointer}/{position}"
        if kind_of(block) == "document":  # not one in another, without an end
            pieces.append(words.unknown(block))
        else:
            pieces += pieces_of(block, place, names, told)
    others = [piece for piece in pieces if not isinstance(piece, str)]
    return [_enclosed(title, [piece for piece in pieces if isinstance(piece, str)]), *others]


def _enclosed(title: object, texts: list[Piece]) -> str:
    return words.enclosed("document", {"title": title}, BLANK_LINE.join(map(str, texts)))


def _file_name(title: object) -> str:
    return title if isinstance(title, str) and title else "document.pdf"
