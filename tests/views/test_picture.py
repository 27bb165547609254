"""Images by their first bytes."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.simulator.vision import png_with_text
from hunyuan_fix.views import picture


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (png_with_text("hi", 96, 48), (96, 48)),
        (b"GIF89a" + struct.pack("<HH", 7, 9), (7, 9)),
        (b"BM" + bytes(16) + struct.pack("<ii", 7, -9), (7, 9)),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 7, 9), (7, 9)),
        (b"RIFF\0\0\0\0WEBPVP8L" + bytes(5) + struct.pack("<I", 6 | 8 << 14), (7, 9)),
        (b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\6\0\0\x08\0\0", (7, 9)),
        (b"\xff\xd8\xff\xe0\0\4ab\xff\xc0\0\x11\x08\0\x09\0\7", (7, 9)),
        (b"\xff\xd8\xff\xe0", None),
        (b"hello", None),
        (b"", None),
    ],
)
def test_dimensions(head: bytes, size: tuple[int, int] | None) -> None:
    assert picture.dimensions(head) == size


def test_facts() -> None:
    url = "data:image/png;base64," + base64.b64encode(png_with_text("hi", 96, 48)).decode()
    assert picture.facts(url).startswith("[image 96×48 png, ")
    assert picture.facts("https://example.com/a.png") == "[image https://example.com/a.png]"
    assert picture.facts("data:image/jpeg;base64,????") == "[image jpeg, 3 bytes]"


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBPVP8X", b"\xff\xd8"]), st.binary())
def test_broken_images_raise_nothing(head: bytes, rest: bytes) -> None:
    picture.dimensions(head + rest)
