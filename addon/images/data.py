"""The data of one image, in any spelling that clients send: base64 or percent-encoded, bare or in a data URL.

An image is recognised by its first bytes: its declared type is often wrong (BerriAI/litellm#8594). Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from urllib.parse import unquote, unquote_to_bytes

_HTTP_URL = re.compile(r"https?://", re.IGNORECASE)
_DATA_URL = re.compile(r"\s*data(:|%3a)", re.IGNORECASE)
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"BM.{4}\0{4}", re.DOTALL), "image/bmp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
)
_HEAD_LENGTH = 16  # base64 characters, a multiple of 4: the 12 bytes that the longest signature needs
HEAD = 16
"""Bytes of a file that tell whether it is an image."""
_SPELT_HEAD = 128  # characters that hold those 16, with what may stand between them
_DECODE_STEP = 1 << 18
"""Base64 characters decoded at once: `binascii` keeps the interpreter lock, so one step is what a thread may cost
the event loop (well under 1 ms)."""

_HEX_ESCAPE = re.compile(r"\\++u00([0-9A-Fa-f]{2})")
_LINE_ESCAPE = re.compile(r"\\++[nrt]")
_URL_SAFE = str.maketrans("-_", "+/")


class BadImage(ValueError):
    """An image that can't be sent. `reason`: a key of `Texts.image_reasons`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_remote(source: str) -> bool:
    """Whether the image is named by an http(s) URL, whose content may change."""
    return _HTTP_URL.match(source) is not None


def is_data_url(source: str) -> bool:
    """Whether `source` begins like a data URL, percent-encoded or not."""
    return _DATA_URL.match(source) is not None


def is_labelled(source: str) -> bool:
    """Whether `source` is a data URL with the MIME type of an image."""
    return is_data_url(source) and "image/" in _plain(source[:64]).lower()


def kind(payload: str) -> str | None:
    """The MIME type of the image in the base64 `payload`, by its first bytes; `None` if it is no image.

    White space, URL-safe letters, percent signs and JSON escapes are decoded.
    """
    try:
        return _signed(binascii.a2b_base64(_canonical(payload[:_SPELT_HEAD])[:_HEAD_LENGTH], strict_mode=True))
    except ValueError:
        return None


def is_image(head: bytes) -> bool:
    """Whether a file that begins with `head`, of `HEAD` bytes at least where it has them, is an image."""
    return _signed(head) is not None


def source_kind(source: str) -> str | None:
    """The same for a data URL or bare base64."""
    if not is_data_url(source):
        return kind(source.lstrip())
    header, comma, payload = _plain(source[: 4 * _SPELT_HEAD]).partition(",")
    if not comma:
        return None
    return kind(payload) if _says_base64(header) else _signed(unquote_to_bytes(payload)[:_HEAD_LENGTH])


def from_numbers(numbers: Sequence[object]) -> str | None:
    """A data URL of the image whose bytes are `numbers`, JSON's form of a buffer; `None` if it is no image."""
    try:
        if _signed(bytes(numbers[:_HEAD_LENGTH])) is None:  # type: ignore[arg-type]
            return None
        return f"data:;base64,{base64.b64encode(bytes(numbers)).decode()}"  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def digest(source: str) -> bytes:
    """SHA-256 of the image's standard base64, whatever its spelling; of any other source, of the source itself."""
    payload = None if is_remote(source) else _payload(source)
    return hashlib.sha256((source if payload is None else payload).encode("utf-8", "surrogatepass")).digest()


def sendable_url(source: str, max_bytes: int) -> str:
    """The URL for the vision model: `source` itself, or a data URL in its standard form.

    The spelling is normalised, and the MIME type is the one that the first bytes say. Raises `BadImage`: `too_large`
    (more than `max_bytes` when decoded), `unreadable` (not base64, no image that the endpoint may know, neither data
    nor `http(s):`). An http URL is passed on without a look at it: fetching it here would let a client reach what only
    the proxy's machine can reach.
    """
    if is_remote(source):
        return source
    payload = _payload(source)
    if payload is None:
        raise BadImage("unreadable")
    if len(payload) // 4 * 3 - payload[-2:].count("=") > max_bytes:
        raise BadImage("too_large")
    standard = f"data:{_mime_type(payload)};base64,{payload}"
    return source if source == standard else standard


def _payload(source: str) -> str | None:
    """The standard base64 of `source`; `None` if it is neither a data URL nor the base64 of an image."""
    if not is_data_url(source):
        return _canonical(source) if kind(source.lstrip()) else None
    header, comma, payload = _plain(source).partition(",")
    if not comma:
        return None
    return _canonical(payload) if _says_base64(header) else base64.b64encode(unquote_to_bytes(payload)).decode()


def _plain(url: str) -> str:
    """A data URL with its colon and comma decoded, if they were percent-encoded."""
    return url if "," in url[:256] else unquote(url)


def _says_base64(header: str) -> bool:
    return any(parameter.strip().lower() == "base64" for parameter in header.split(";")[1:])


def _canonical(payload: str) -> str:
    """Base64 in its standard form: the standard alphabet, padded, without white space."""
    if "%" in payload:
        payload = unquote(payload)
    if "\\" in payload:
        payload = _HEX_ESCAPE.sub(lambda found: chr(int(found[1], 16)), payload)
        payload = _LINE_ESCAPE.sub("", payload).replace("\\", "")
    if any(space in payload for space in " \n\r\t"):
        payload = "".join(payload.split())
    if "-" in payload or "_" in payload:
        payload = payload.translate(_URL_SAFE)
    if len(payload) % 4:
        payload += "=" * (-len(payload) % 4)
    return payload


def _signed(head: bytes) -> str | None:
    return next((mime for signature, mime in _SIGNATURES if signature.match(head)), None)


def _mime_type(payload: str) -> str:
    """The MIME type by the first bytes. Raises `BadImage` if it is no image or `payload` isn't base64."""
    mime = kind(payload)
    if mime is None or "=" in payload[:-2]:
        raise BadImage("unreadable")
    try:
        for start in range(0, len(payload), _DECODE_STEP):
            binascii.a2b_base64(payload[start : start + _DECODE_STEP], strict_mode=True)
    except ValueError:
        raise BadImage("unreadable") from None
    return mime
