"""Parts that carry a file: the text of a text file, and what a note says of any other.

MCP servers send a text resource as `text` or, in base64, as `blob` (danny-avila/LibreChat#15601).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote_to_bytes

from ..exchange import JsonObject

_HOLDERS = ("resource", "file", "source")
_DATA = ("blob", "data", "file_data", "fileData", "url")
_MIME = ("mimeType", "media_type", "mediaType", "mime_type")
_TEXT_TYPES = ("application/json", "application/xml", "application/yaml", "application/javascript")
_NAMES = ("filename", "fileName", "file_name", "title", "name", "uri")
_PDF_TYPE = "application/pdf"
_PDF_BEGINS = "JVBERi0"  # "%PDF-" in base64
_HEADER = 200  # characters in which the comma of a data URL stands
_LONG = 500  # a string this long without any white space is file data, not something to read
_WORD = 40  # what is wrapped in lines has "words" this long
_DEPTH = 100  # what nests deeper is kept or left out whole: a body nests deeper than Python calls
_NUMBERS = 32  # so many numbers in a row are bytes or samples


def text_of(part: JsonObject) -> str | None:
    """The text that `part` or the object in it carries: as `text`, or as data whose MIME type says so."""
    for holder in (part, *(part[name] for name in _HOLDERS if isinstance(part.get(name), dict))):
        if holder is not part and isinstance(holder.get("text"), str):
            return str(holder["text"])
        mime = next((holder[name] for name in _MIME if isinstance(holder.get(name), str)), "")
        for name in _DATA:
            data = holder.get(name)
            if isinstance(data, str) and (text := _decoded(data, mime)) is not None:
                return text
    return None


def pdf_of(part: JsonObject) -> str | None:
    """The base64 of the PDF that `part` or the object in it carries, as data or as a data URL; `None`: it has none."""
    for holder in (part, *(part[name] for name in _HOLDERS if isinstance(part.get(name), dict))):
        mime = next((holder[name] for name in _MIME if isinstance(holder.get(name), str)), "")
        for name in _DATA:
            data = holder.get(name)
            if not isinstance(data, str) or data.startswith(("http:", "https:")):
                continue
            start = data.find(",", 0, _HEADER) + 1 if data[:5].lower() == "data:" else 0
            if data.startswith(_PDF_BEGINS, start) or _PDF_TYPE in f"{mime} {data[:start]}".lower():
                return data[start:]
    return None


def name_of(part: JsonObject) -> str:
    """The name of the file that `part` or the object in it carries; "" where it has none."""
    for holder in (part, *(part[name] for name in _HOLDERS if isinstance(part.get(name), dict))):
        for name in _NAMES:
            if isinstance(holder.get(name), str) and holder[name]:
                return str(holder[name])
    return ""


def short(value: Any, depth: int = 0) -> Any:
    """A part without its type and without file data, for the note that stands for it."""
    if _is_data(value) or (depth == _DEPTH and holds_data(value)):
        return None
    if depth == _DEPTH:
        return value
    if isinstance(value, dict):
        shortened = {key: short(item, depth + 1) for key, item in value.items() if key != "type"}
        return {key: item for key, item in shortened.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [short(item, depth + 1) for item in value]
    return value


def holds_data(part: object) -> bool:
    """Whether file data stands anywhere in `part`."""
    waiting: list[Any] = [part]
    while waiting:
        value = waiting.pop()
        if _is_data(value):
            return True
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False


def _is_data(value: object) -> bool:
    """Whether `value` is file data, in base64 or as numbers, and not something to read."""
    if isinstance(value, list):
        return len(value) >= _NUMBERS and all(isinstance(item, int | float) for item in value)
    if not isinstance(value, str):
        return False
    if value[:5].lower() == "data:" and ";base64," in value[:200].lower():
        return True
    return len(value) >= _LONG and value.isascii() and len(value) >= _WORD * len(value.split())


def _decoded(data: str, mime: str) -> str | None:
    """The text of base64 or of a data URL; `None` if it is no text by its MIME type, or none in UTF-8."""
    encoded = True
    if data[:5].lower() == "data:":
        header, _, data = data.partition(",")
        mime = header[5:]
        encoded = header[-7:].lower() == ";base64"
    mime = mime.lower()
    if not mime.startswith(("text/", *_TEXT_TYPES)):
        return None
    try:
        raw = unquote_to_bytes(data)
        return (base64.b64decode(b"".join(raw.split()), validate=True) if encoded else raw).decode("utf-8-sig")
    except (binascii.Error, UnicodeDecodeError):
        return None
