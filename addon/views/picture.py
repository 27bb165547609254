"""Facts about an image from its first bytes: format, width and height, size."""

from __future__ import annotations

import base64
import binascii
import re
import struct

from ..texts.terminal import say
from . import shorten

_DATA_URL = re.compile(r"data:image/([\w.+-]+);base64,", re.IGNORECASE)
_HEAD = 64 * 1024  # characters of base64 that are decoded: a JPEG's size may stand behind a long EXIF block


def facts(url: str) -> str:
    """An image as a person reads it: `[image 800×600 png, 412 kB]`; for other addresses the address itself."""
    match = _DATA_URL.match(url)
    if not match:
        return f"[{say('image {facts}', facts=shorten.text(url))}]"
    payload = url[match.end() :]
    measured = dimensions(_decoded(payload[:_HEAD]))
    width_height = f"{measured[0]}×{measured[1]} " if measured else ""
    facts = f"{width_height}{match.group(1).lower()}, {shorten.size(len(payload) * 3 // 4)}"
    return f"[{say('image {facts}', facts=facts)}]"


def dimensions(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, GIF, BMP, WebP or JPEG, from its beginning; `None` if unknown."""
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return _pair(struct.unpack_from(">II", head, 16))
        if head.startswith((b"GIF87a", b"GIF89a")):
            return _pair(struct.unpack_from("<HH", head, 6))
        if head.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", head, 18)
            return abs(width), abs(height)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
        return _jpeg(head) if head.startswith(b"\xff\xd8") else None
    except (struct.error, IndexError):
        return None


def _decoded(payload: str) -> bytes:
    try:
        return base64.b64decode(payload[: len(payload) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _pair(values: tuple[int, int]) -> tuple[int, int]:
    return values


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        at += 2 + struct.unpack_from(">H", head, at + 2)[0]
    return None
