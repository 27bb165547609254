"""The simulator's eyes."""

import base64
import struct
import zlib

import pytest

from hunyuan_fix.simulator.vision import UnreadableImage, data_url, describe, describe_bytes, png_with_text


@pytest.mark.parametrize("text", ["hello", "发票 42 号 🧾", "", "multi\nline"])
def test_a_png_gives_its_text_back(text: str) -> None:
    image = png_with_text(text)
    assert describe(data_url(image)) == text


PLAIN_PNG = png_with_text("").replace(b"text\0", b"note\0")
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x04JF"  # a segment to skip
    b"\xff\xc0\x00\x11\x08\x00\x11\x00\x1f\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"  # SOF0: 17 high, 31 wide
    b"\xff\xd9"
)


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (PLAIN_PNG, " 96x48"),
        (JPEG, " 31x17"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", ""),
        (b"BM\x10\0\0\0", ""),
        (b"GIF89a\x01\0", ""),
    ],
    ids=["png", "jpeg", "webp", "bmp", "gif"],
)
def test_other_images_are_named_by_hash_and_size(image: bytes, size: str) -> None:
    described = describe_bytes(image)
    assert described.startswith("sha256:")
    assert described[7 + 12 :] == size


def test_what_is_seen_depends_on_the_bytes() -> None:
    assert describe_bytes(JPEG) != describe_bytes(JPEG + b"\0")


def test_compressed_international_text_is_read() -> None:
    payload = b"text\0\1\0\0\0" + zlib.compress("压缩".encode())
    chunk = struct.pack(">I", len(payload)) + b"iTXt" + payload + b"\0\0\0\0"
    header, rest = PLAIN_PNG[:33], PLAIN_PNG[33:]  # the signature and IHDR are 33 bytes
    assert describe_bytes(header + chunk + rest) == "压缩"


def test_a_web_address_is_not_fetched() -> None:
    assert "https://example.invalid/cat.png" in describe("https://example.invalid/cat.png")


@pytest.mark.parametrize(
    "payload",
    [
        "%%%",
        "AAA",
        base64.b64encode(b"no image").decode(),
        base64.b64encode(png_with_text("x")[:-8]).decode(),
        base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(),
    ],
)
def test_what_cannot_be_decoded_is_unreadable(payload: str) -> None:
    with pytest.raises(UnreadableImage):
        describe(f"data:image/png;base64,{payload}")
