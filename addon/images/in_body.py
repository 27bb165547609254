"""Images in a chat body: their places, and the question about each. Pure.

An image is a content part of any message role in the shape of any dialect (clients put screenshots into tool results:
docs/facts/clients.md#histories), or is inside a text (in_text.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..exchange import JsonObject
from ..wire import json_body
from . import data as image_data
from . import in_text
from .in_text import Piece

QUESTION_LENGTH = 800
"""Characters of a message's text that are shown to the vision model: enough for a question."""

_IMAGE_TYPES = frozenset({"image_url", "input_image", "image", "image-data", "image_data", "image-url"})
_FILE_TYPES = frozenset({"file", "input_file", "file-data", "file_data", "media", "resource", "document", "blob"})
_TEXT_TYPES = ("text", "input_text", "output_text")
_CARRIERS = ("image_url", "url", "image", "source", "resource", "file", "inline_data", "inlineData", "blob")
"""Fields of a part that hold its image, or an object that does."""
_DATA = ("data", "blob", "file_data", "fileData", "base64", "bytes")
_MIME = ("media_type", "mimeType", "mediaType", "mime_type")
_SHORT = 4096
"""Texts shorter than this many characters are searched together: joining them costs less than a search each."""
_DEPTH = 16
"""How deep a part is searched as an object; deeper parts are searched as JSON text."""


@dataclass(frozen=True, slots=True)
class _Words:
    """A text with images in it."""

    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class _Picture:
    """A part that is an image, and the text beside it in the same part."""

    source: str
    words: str


@dataclass(frozen=True, slots=True)
class Place:
    """A content part, or a whole content (`part` is `None`), with images in it."""

    message: int
    part: int | None
    content: Any
    """The part as sent, with `_Words` and `_Picture` in the places of images."""

    @property
    def pointer(self) -> str:
        """JSON Pointer of the part or content."""
        content = f"/messages/{self.message}/content"
        return content if self.part is None else f"{content}/{self.part}"

    @property
    def is_picture(self) -> bool:
        """Whether the part is an image, not a text that contains one."""
        return isinstance(self.content, _Picture)

    @property
    def words(self) -> str:
        """The text beside an image in its own part."""
        return self.content.words if isinstance(self.content, _Picture) else ""

    def filled(self, write: Callable[[str], str]) -> Any:
        """The part with `write(source)` where each image was, in order."""
        return _filled(self.content, write)


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a chat body, numbered from 1 within its message.

    Numbers over the whole request would change the text of old turns as new images come.
    """

    place: Place
    number: int
    total: int
    """Images in the same message."""
    source: str
    """The image's URL or base64 as sent; data of another dialect is written as a data URL. Empty: there is none."""
    question: str
    """The text of the same message beside its images, as sent, cut to `QUESTION_LENGTH` characters."""


def suspected(body: JsonObject) -> bool:
    """Whether any message of `body` may hold an image, by the types of parts and a few searches in each text."""
    short: list[str] = []
    for message in _messages(body):
        content = message.get("content")
        if isinstance(content, str) and len(content) < _SHORT:
            short.append(content)
        elif content is not None and _suspicious(content):
            return True
    return in_text.suspected("\n".join(short))


def pictures(body: JsonObject) -> int:
    """How many parts of messages are images by their type: cheap, and without those inside texts and other parts."""
    return sum(
        isinstance(part, dict) and part.get("type") in _IMAGE_TYPES
        for message in _messages(body)
        if isinstance(content := message.get("content"), list)
        for part in content
    )


def find(body: JsonObject) -> list[Image]:
    """Every image of `body`, in order."""
    found: list[Image] = []
    for index, message in enumerate(_messages(body)):
        content = message.get("content")
        places = list(_places(index, content)) if _suspicious(content) else []
        if not places:
            continue
        sources: list[tuple[Place, str]] = []
        without: dict[int | None, Any] = {}
        for place in places:
            mine: list[str] = []
            without[place.part] = _filled(place.content, _noting(mine))
            sources += ((place, source) for source in mine)
        question = _question(content, without)
        found += (
            Image(place, number, len(sources), source, question) for number, (place, source) in enumerate(sources, 1)
        )
    return found


def put(body: JsonObject, found: Sequence[Image], texts: Sequence[str]) -> None:
    """Put `texts` in the places of the images `found` (all of them, as `find` returned them for this `body`)."""
    written = iter(texts)
    for place, _ in groupby(found, key=lambda image: image.place):
        message = body["messages"][place.message]
        filled = place.filled(lambda _: next(written))
        if place.part is not None:
            message["content"][place.part] = filled
        else:
            message["content"] = filled if isinstance(filled, str) else [filled]


def _noting(sources: list[str]) -> Callable[[str], str]:
    def write(source: str) -> str:
        sources.append(source)
        return ""

    return write


def _messages(body: JsonObject) -> Iterator[JsonObject]:
    """The messages; a message that is no object is yielded as an empty one, so that indices stay right."""
    messages = body.get("messages")
    if isinstance(messages, list):
        yield from (message if isinstance(message, dict) else {} for message in messages)


def _suspicious(content: object) -> bool:
    if isinstance(content, str):
        return in_text.suspected(content)
    parts = content if isinstance(content, list) else [content]
    return any(map(_suspicious_part, parts))


def _suspicious_part(part: object) -> bool:
    text = _text_of(part)
    if text is not None:
        return in_text.suspected(text)
    return isinstance(part, list) or (isinstance(part, dict) and part.get("type") not in _TEXT_TYPES)


def _places(index: int, content: object) -> Iterator[Place]:
    if not isinstance(content, list):
        if (looked := _looked(content, _DEPTH)) is not content:
            yield Place(index, None, looked)
        return
    for position, part in enumerate(content):
        if (looked := _looked(part, _DEPTH)) is not part:
            yield Place(index, position, looked)


def _looked(value: Any, depth: int) -> Any:
    """`value` with `_Words` and `_Picture` in the places of images; the same object if it has none."""
    if isinstance(value, str):
        pieces = in_text.apart(value)
        return value if pieces is None else _Words(pieces)
    if not isinstance(value, dict | list) or not value:
        return value
    if depth == 0:
        return _looked_as_text(value)
    if isinstance(value, list):
        items = [_looked(item, depth - 1) if isinstance(item, str | dict | list) else item for item in value]
        return value if all(map(_same, items, value)) else items
    source = _source(value)
    if source is not None:
        return _Picture(source, _caption(value.get("text")))
    fields = {name: _looked(field, depth - 1) for name, field in value.items()}
    return value if all(map(_same, fields.values(), value.values())) else fields


def _caption(text: object) -> str:
    """The text beside an image in its own part, without any image of its own."""
    if not isinstance(text, str) or text.isspace():
        return ""
    pieces = in_text.apart(text)
    return text if pieces is None else in_text.join(pieces, lambda _: "")


def _same(one: object, other: object) -> bool:
    return one is other


def _looked_as_text(value: Any) -> Any:
    try:
        pieces = in_text.apart(json_body.serialise(value).decode())
    except (TypeError, ValueError, RecursionError):
        return value
    return value if pieces is None else _Words(pieces)


def _filled(value: Any, write: Callable[[str], str]) -> Any:
    if isinstance(value, _Words):
        return in_text.join(value.pieces, write)
    if isinstance(value, _Picture):
        text = write(value.source)
        return {"type": "text", "text": f"{text}\n{value.words}" if text and value.words else text or value.words}
    if isinstance(value, list):
        return [_filled(item, write) for item in value]
    if isinstance(value, dict):
        return {name: _filled(field, write) for name, field in value.items()}
    return value


def _text_of(part: object) -> str | None:
    """The text of a text part; a bare string in a content list counts as one."""
    if isinstance(part, dict) and part.get("type") in ("text", "input_text"):
        part = part.get("text")
    return part if isinstance(part, str) else None


def _source(part: dict[str, Any]) -> str | None:
    """The URL or base64 of an image part; `None` if the part is no image.

    OpenAI's `image_url` (object or string) and `file`, Responses' `input_image`, AI SDK's `image`, `file` and
    `image-data`, Anthropic's `source`, MCP's `data` with `mimeType` and `resource`, LangChain's `media`, Gemini's
    `inlineData`. A part of an image's type is an image; a file is one by its first bytes or its MIME type.
    """
    given = part.get("type")
    kind = given if isinstance(given, str) else None
    if kind in _IMAGE_TYPES or part.get("image_url"):
        return next(_carried(part), ("", ""))[1]
    if kind in _FILE_TYPES or "inline_data" in part or "inlineData" in part:
        for mime, source in _carried(part):
            if mime.lower().startswith("image/") or image_data.source_kind(source) or image_data.is_labelled(source):
                return source
    return None


def _carried(part: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """MIME types (empty: none is named) and sources that `part` may hold, the likeliest first."""
    for holder in (*(part.get(name) for name in _CARRIERS), part):
        if isinstance(holder, str):
            yield _mime(part), holder
        elif isinstance(holder, list):
            if source := image_data.from_numbers(holder):
                yield "", source
        elif isinstance(holder, dict):
            url = holder.get("url")
            if isinstance(url, str) and holder is not part:
                yield _mime(holder), url
            for name in _DATA:
                data = holder.get(name)
                if isinstance(data, str) and data:
                    yield _mime(holder) or _mime(part), _data_url(data, _mime(holder) or _mime(part))
                elif isinstance(data, list) and (source := image_data.from_numbers(data)):
                    yield "", source


def _mime(holder: dict[str, Any]) -> str:
    return next((mime for name in _MIME if isinstance(mime := holder.get(name), str)), "")


def _data_url(data: str, mime: str) -> str:
    return data if image_data.is_data_url(data) or image_data.is_remote(data) else f"data:{mime};base64,{data}"


def _question(content: object, without: dict[int | None, Any]) -> str:
    """The text of a message beside its images, cut."""
    if isinstance(content, list):
        texts = [_text_of(without.get(index, part)) for index, part in enumerate(content)]
    else:
        texts = [_text_of(without[None])]
    return "\n".join(text for text in texts if text and not text.isspace())[:QUESTION_LENGTH]
