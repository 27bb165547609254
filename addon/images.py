"""Images in a chat body: where they stand, what is asked about them, whether they can be sent. Pure.

An image is a content part of any message role (clients put screenshots into tool results: clients.md section 7) or a
string that starts with a base64 data URL.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from addon.exchange import JsonObject

QUESTION_LENGTH = 800
"""Characters of a message's text that are shown to the vision model (issue 2 section 5)."""

_PART_TYPES = ("image_url", "input_image", "image")
_DATA_URL = re.compile(r"data:image/[^\s,]*;base64,[A-Za-z0-9+/]", re.IGNORECASE)
_HTTP_URL = re.compile(r"https?://", re.IGNORECASE)
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"BM.{4}\0{4}", re.DOTALL), "image/bmp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
)
_HEAD_LENGTH = 16  # base64 characters, a multiple of 4: the 12 bytes that the longest signature needs
_DECODE_STEP = 1 << 18
"""Base64 characters decoded at once: `binascii` keeps the interpreter lock, so one step is what a thread may cost
the event loop (well under 1 ms)."""


class BadImage(ValueError):
    """An image that can't be sent. `reason` is a key of `Texts.image_reasons`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a chat body, numbered from 1 within its message.

    Numbers over the whole request would change the text of old turns as new images come.
    """

    message: int
    """Index of the message."""
    part: int | None
    """Index of the content part; `None` where the content is a string."""
    number: int
    total: int
    """Images in the same message."""
    source: str
    """The image's URL as sent; base64 data of another dialect is written as a data URL. Empty: there is none."""
    rest: str
    """What follows the data URL inside the same string; stays as it is."""
    question: str
    """The text of the same message, as sent, cut to `QUESTION_LENGTH` characters."""

    @property
    def pointer(self) -> str:
        """JSON Pointer of the part or string that holds the image."""
        content = f"/messages/{self.message}/content"
        return content if self.part is None else f"{content}/{self.part}"


@dataclass(frozen=True, slots=True)
class _Spot:
    part: int | None
    source: str
    rest: str


def present(body: JsonObject) -> bool:
    """Whether any message of `body` holds an image. Looks at no more than the head of each text."""
    return any(True for message in _messages(body) for _ in _spots(message.get("content")))


def find(body: JsonObject) -> list[Image]:
    """Every image of `body`, in order."""
    found: list[Image] = []
    for index, message in enumerate(_messages(body)):
        content = message.get("content")
        spots = list(_spots(content))
        if spots:
            question = _words(content, spots)
            found += (
                Image(index, spot.part, number, len(spots), spot.source, spot.rest, question)
                for number, spot in enumerate(spots, 1)
            )
    return found


def replace(body: JsonObject, image: Image, text: str) -> None:
    """Put `text` where `image` (found in this very `body`) stands. In place; other parts stay."""
    message = body["messages"][image.message]
    if image.part is None:
        message["content"] = text + image.rest
    else:
        message["content"][image.part] = {"type": "text", "text": text + image.rest}


def digest(source: str) -> bytes:
    """SHA-256 of the image data as sent: the text after a data URL's comma, the whole of any other URL."""
    data = memoryview(source.encode("utf-8", "surrogatepass"))
    start = source.find(",") + 1 if _is_data_url(source) else 0
    return hashlib.sha256(data[start:]).digest()


def is_remote(source: str) -> bool:
    """The image is named by an http(s) URL: what it shows may change."""
    return _HTTP_URL.match(source) is not None


def sendable_url(source: str, max_bytes: int) -> str:
    """The URL to give to the vision model: `source` itself, or a data URL mended so that it can be read.

    Mended are white space, missing padding and a MIME type that isn't what the data's first bytes say. Raises
    `BadImage`: `too_large` (more than `max_bytes` when decoded), `unreadable` (not base64, no image that the endpoint
    may know, neither `data:` nor `http(s):`). An http URL is passed on unseen: fetching it here would let a client
    reach what only the proxy's machine can reach.
    """
    if is_remote(source):
        return source
    header, comma, payload = source.partition(",")
    if not (comma and _is_data_url(header) and header[-7:].lower() == ";base64"):
        raise BadImage("unreadable")
    payload = _canonical(payload)
    if len(payload) // 4 * 3 - payload[-2:].count("=") > max_bytes:
        raise BadImage("too_large")
    mended = f"data:{_mime_type(payload)};base64"
    return source if mended == header and len(source) == len(header) + 1 + len(payload) else f"{mended},{payload}"


def _messages(body: JsonObject) -> Iterator[JsonObject]:
    """The messages; one that is no object stands as an empty one, so that indices hold."""
    messages = body.get("messages")
    if isinstance(messages, list):
        yield from (message if isinstance(message, dict) else {} for message in messages)


def _spots(content: object) -> Iterator[_Spot]:
    if isinstance(content, str):
        if found := _leading_data_url(content):
            yield _Spot(None, *found)
    elif isinstance(content, list):
        for index, part in enumerate(content):
            if found := _image_in(part):
                yield _Spot(index, *found)


def _image_in(part: object) -> tuple[str, str] | None:
    """The source of an image part and the text after it; `None` for any other part."""
    text = _text_of(part)
    if text is not None:
        return _leading_data_url(text)
    if isinstance(part, dict) and (part.get("type") in _PART_TYPES or part.get("image_url")):
        return _source(part), ""
    return None


def _text_of(part: object) -> str | None:
    """The text of a text part; a bare string in a content list counts as one."""
    if isinstance(part, dict) and part.get("type") in ("text", "input_text"):
        part = part.get("text")
    return part if isinstance(part, str) else None


def _source(part: dict[str, Any]) -> str:
    """The URL of an image part in any of the shapes that clients send.

    OpenAI's `image_url` (object or string), Responses' `input_image`, AI SDK's `image`, Anthropic's `source`, MCP's
    `data` with `mimeType`.
    """
    for value in (part.get("image_url"), part.get("url"), part.get("image"), part.get("source"), part):
        if isinstance(value, str):
            return value
        if isinstance(value, dict):
            url, data = value.get("url"), value.get("data")
            if isinstance(url, str):
                return url
            if isinstance(data, str):
                mime = value.get("media_type") or value.get("mimeType") or ""
                return data if _is_data_url(data) else f"data:{mime};base64,{data}"
    return ""


def _leading_data_url(text: str) -> tuple[str, str] | None:
    """The data URL of an image that `text` starts with, and what follows its first white space."""
    if not _DATA_URL.match(text):
        return None
    ends = (text.find(space) for space in " \n\r\t")
    end = min((end for end in ends if end >= 0), default=len(text))
    return text[:end], text[end:]


def _words(content: object, spots: list[_Spot]) -> str:
    """The text of a message beside its images, cut."""
    rests = {spot.part: spot.rest for spot in spots}
    if isinstance(content, list):
        texts = [rests.get(index, _text_of(part)) for index, part in enumerate(content)]
    else:
        texts = [rests[None]]
    return "\n".join(text for text in texts if text and not text.isspace())[:QUESTION_LENGTH]


def _is_data_url(source: str) -> bool:
    return source[:5].lower() == "data:"


def _canonical(payload: str) -> str:
    """Base64 text without white space and with its padding."""
    if any(space in payload for space in " \n\r\t"):
        payload = "".join(payload.split())
    if len(payload) % 4:
        payload += "=" * (-len(payload) % 4)
    return payload


def _mime_type(payload: str) -> str:
    """What the first bytes say that the image is. Raises `BadImage` if it is none or `payload` isn't base64."""
    try:
        head = binascii.a2b_base64(payload[:_HEAD_LENGTH], strict_mode=True)
        mime = next((mime for signature, mime in _SIGNATURES if signature.match(head)), None)
        if mime is None or "=" in payload[:-2]:
            raise BadImage("unreadable")
        for start in range(0, len(payload), _DECODE_STEP):
            binascii.a2b_base64(payload[start : start + _DECODE_STEP], strict_mode=True)
    except ValueError:
        raise BadImage("unreadable") from None
    return mime
