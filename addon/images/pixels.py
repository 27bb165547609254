"""The size of an image in pixels, read from its first bytes, and what an image of that size costs in tokens. Pure."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

from . import data

_LONGEST_EDGE: Final = 1568
_MOST_TOKENS: Final = 1600
_PIXELS_A_TOKEN: Final = 750
"""Anthropic's formula: width × height / 750, after the image is scaled down to a longest edge of 1568 pixels and at
most about 1,600 tokens (docs/facts/anthropic.md#counting-tokens)."""
_HEAD: Final = 1 << 16
"""Characters of base64 that are decoded: the size of a JPEG stands behind its metadata."""


def tokens(source: str) -> int:
    """What the image at the URL `source` costs. One whose size can't be read counts as the largest."""
    found = size(source)
    if found is None:
        return _MOST_TOKENS
    width, height = found
    scale = min(1.0, _LONGEST_EDGE / max(width, height))
    return min(_MOST_TOKENS, max(1, round(width * scale * height * scale / _PIXELS_A_TOKEN)))


def size(source: str) -> tuple[int, int] | None:
    """Width and height of the image in a data URL; `None` where they can't be read, as of a remote image."""
    if not data.is_data_url(source):
        return None
    header, _, payload = source[: _HEAD + 256].partition(",")
    if not header.endswith("base64"):
        return None
    payload = payload[:_HEAD]
    try:
        head = base64.b64decode(payload[: len(payload) // 4 * 4])
        width, height = _size(head) or (0, 0)
    except (binascii.Error, struct.error, IndexError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _size(head: bytes) -> tuple[int, int] | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return struct.unpack_from(">II", head, 16)
    if head.startswith(b"GIF8"):
        return struct.unpack_from("<HH", head, 6)
    if head.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", head, 18)
        return width, abs(height)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp_size(head)
    return _jpeg_size(head) if head.startswith(b"\xff\xd8") else None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        width, width_high, height, height_high = struct.unpack_from("<HBHB", head, 24)
        return 1 + (width | width_high << 16), 1 + (height | height_high << 16)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """From the first frame header. Segments before it are skipped by their length."""
    place = 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:  # fill bytes, markers without a length
            place += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, place + 5)
            return width, height
        place += 2 + int(struct.unpack_from(">H", head, place + 2)[0])
    return None
