"""Content parts of messages and outputs become chat content: text, and `image_url`, `file` and `input_audio` parts.

Parts and what a chat bridge makes of them: docs/facts/responses.md#parts.
"""

from __future__ import annotations

from typing import Any, Final

from ...exchange import JsonObject
from .. import in_words
from ..base import BadRequest
from ..pieces import Piece, of_text
from ..told import Told

_TEXTS: Final = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "summary_text": "text",
    "reasoning_text": "text",
    "refusal": "refusal",
}
"""Type of a part that is text -> the field that has it."""
_CACHE: Final = "prompt_cache_breakpoint"
_IMAGES: Final = frozenset(["input_image", "computer_screenshot", "image_url", "image"])
"""`image`: of MCP servers, whose results some clients pass on, and of Anthropic's format."""
_DETAILS: Final = {"low": "low", "high": "high", "original": "high"}
"""Details of an image that are sent; `auto` is what chat has without one, and has no `original`."""
_PDF_TYPE: Final = "application/pdf"
_PDF_BEGINS: Final = "JVBERi0"
"""`%PDF-` in base64."""


def place(pointer: str) -> str:
    """A JSON Pointer as OpenAI's errors write places: `input[0].content`."""
    first, *rest = pointer.removeprefix("/").split("/")
    return first + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in rest)


class Reader:
    """Reads the parts of one request."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def pieces_of(self, given: object, pointer: str) -> list[Piece]:
        """A content: a text, or a list of parts; null is none.

        Raises `BadRequest` where it is neither text nor a list of objects. `pointer` is where it stands.
        """
        if isinstance(given, str):
            return [given] if given else []
        if given is None:
            return []
        parts = [given] if isinstance(given, dict) else given
        if not isinstance(parts, list):
            where = place(pointer)
            raise BadRequest(f"{where}: must be a text or a list of content parts.", where)
        pieces: list[Piece] = []
        for position, part in enumerate(parts):
            pieces += self._pieces(part, f"{pointer}/{position}")
        return pieces

    def _pieces(self, part: Any, pointer: str) -> list[Piece]:
        if isinstance(part, str):
            return [part] if part else []
        if not isinstance(part, dict):
            where = place(pointer)
            message = f'{where}: must be a content part, an object such as {{"type": "input_text", "text": "…"}}.'
            raise BadRequest(message, where)
        kind = part.get("type")
        if _CACHE in part:
            self._told.count(pointer, "prompt_cache_breakpoint is dropped: the endpoint caches by itself")
        if isinstance(kind, str) and kind in _TEXTS:
            if part.get("annotations"):
                self._told.count(pointer, "annotations are dropped: chat has none")
            return of_text(part.get(_TEXTS[kind]))
        if isinstance(kind, str) and kind in _IMAGES:
            return self._image(part, pointer)
        if kind == "input_file":
            return self._file(part, pointer)
        if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
            return [{"type": "input_audio", "input_audio": part["input_audio"]}]
        self._told.count(pointer, "a part that chat doesn't have is said in words")
        return [in_words.unknown(part)]

    def _image(self, part: JsonObject, pointer: str) -> list[Piece]:
        """An `image_url` part; words where the image isn't in the request."""
        url = part.get("image_url", _data_url(part))
        if isinstance(url, dict):  # as chat has it
            url = url.get("url")
        if isinstance(url, str) and url:
            image: JsonObject = {"url": url}
            detail = part.get("detail")
            if isinstance(detail, str) and detail in _DETAILS:
                image["detail"] = _DETAILS[detail]
            return [{"type": "image_url", "image_url": image}]
        self._told.count(pointer, "an image that isn't in the request is said in words")
        return ["[An image stood here that isn't in the request and can't be fetched.]"]

    def _file(self, part: JsonObject, pointer: str) -> list[Piece]:
        """A `file` part, which the step `documents` reads; words for a file that isn't in the request."""
        data, name = part.get("file_data"), part.get("filename")
        named = name if isinstance(name, str) and name else ""
        if isinstance(data, str) and data:
            is_pdf = not named or named.lower().endswith(".pdf") or data.startswith(_PDF_BEGINS)
            kind = _PDF_TYPE if is_pdf else "text/plain"  # what is no text is named in a note
            url = data if data.startswith("data:") else f"data:{kind};base64,{data}"
            return [{"type": "file", "file": {"filename": named or "document.pdf", "file_data": url}}]
        self._told.count(pointer, "a file that isn't in the request is said in words")
        where = part.get("file_url")
        where = where if isinstance(where, str) and where else named or "a file kept by its vendor"
        return [f"[This file isn't in the request and can't be fetched: {where}]"]


def _data_url(part: JsonObject) -> str | None:
    """The address of an image as MCP servers (`data`, `mimeType`) and Anthropic's format (`source`) have it."""
    source = part.get("source")
    given: JsonObject = source if isinstance(source, dict) else part
    data, kind = given.get("data"), given.get("mimeType") or given.get("media_type")
    if isinstance(data, str) and data:
        return f"data:{kind if isinstance(kind, str) else 'image/png'};base64,{data}"
    url = given.get("url")
    return url if isinstance(url, str) else None
