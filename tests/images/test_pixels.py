"""The size of an image, from its first bytes."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.images.pixels import size, tokens


def url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02" + bytes(20)


def jpeg(width: int, height: int, before: bytes = b"", marker: int = 0xC0) -> bytes:
    return b"\xff\xd8" + before + struct.pack(">BBHBHH", 0xFF, marker, 17, 8, height, width) + bytes(20)


def segment(marker: int, length: int) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, length + 2) + bytes(length)


WEBP = b"RIFF\0\0\0\0WEBP"


@pytest.mark.parametrize(
    "data",
    [
        png(300, 200),
        b"GIF89a" + struct.pack("<HH", 300, 200) + bytes(20),
        b"BM" + bytes(16) + struct.pack("<ii", 300, -200) + bytes(20),
        jpeg(300, 200),
        jpeg(300, 200, marker=0xC2),
        jpeg(300, 200, segment(0xE0, 14) + segment(0xE1, 20_000) + segment(0xC4, 30) + b"\xff"),
        WEBP + b"VP8X" + bytes(8) + (299).to_bytes(3, "little") + (199).to_bytes(3, "little"),
        WEBP + b"VP8L" + bytes(4) + b"\x2f" + (299 | 199 << 14).to_bytes(4, "little") + bytes(9),
        WEBP + b"VP8 " + bytes(10) + struct.pack("<HH", 300, 200 | 0x4000) + bytes(9),
    ],
    ids=["png", "gif", "bmp", "jpeg", "progressive", "metadata", "webp", "lossless", "lossy"],
)
def test_the_size_is_read(data: bytes) -> None:
    assert size(url(data)) == (300, 200)
    assert tokens(url(data)) == 80


@pytest.mark.parametrize(
    "source",
    [
        "https://example.com/a.png",
        "data:image/png,%89PNG",
        "data:image/png;base64,????",
        url(b""),
        url(b"\x89PNG\r\n\x1a\n"),
        url(b"\xff\xd8\xff"),
        url(jpeg(3, 2, segment(0xE1, 60_000))),
        url(WEBP + b"VP8L"),
        url(png(0, 200)),
        url(b"plain text"),
        "",
    ],
)
def test_where_it_cannot_be_read_the_image_counts_as_the_largest(source: str) -> None:
    assert size(source) is None
    assert tokens(source) == 1600


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(1, 1, 1), (200, 200, 53), (1000, 1000, 1333), (1092, 1092, 1590), (8000, 8000, 1600), (10_000, 100, 33)],
)
def test_large_images_are_scaled_down(width: int, height: int, expected: int) -> None:
    assert tokens(url(png(width, height))) == expected


@given(
    st.binary(max_size=60), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", WEBP + b"VP8L"])
)
def test_nothing_raises(data: bytes, head: bytes) -> None:
    assert 1 <= tokens(url(head + data)) <= 1600
