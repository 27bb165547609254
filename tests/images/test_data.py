"""The data of one image, in any spelling."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.images import data as image_data
from hunyuan_fix.images.data import BadImage
from tests.vision_server import PNG, png

DATA = png("a")
PAYLOAD = DATA.partition(",")[2]
PICTURE = PNG + bytes(range(256)) * 3  # base64 of it has + and /
STANDARD = base64.b64encode(PICTURE).decode()


def data_url(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


WEBP = b"RIFF\x10\0\0\0WEBPVP8 "
BMP = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0"


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (WEBP, "image/webp"),
        (BMP, "image/bmp"),
        (b"GIF89a\1\0", "image/gif"),
        (b"GIF87a\1\0", "image/gif"),
    ],
)
@pytest.mark.parametrize("declared", ["image/png", "image/jpg", "image/jpeg", "application/octet-stream", ""])
def test_mime_type_is_what_the_bytes_say(data: bytes, mime: str, declared: str) -> None:
    assert image_data.sendable_url(data_url(data, declared), 1000) == data_url(data, mime)


def test_good_data_url_is_sent_as_it_is() -> None:
    assert image_data.sendable_url(DATA, 1000) is DATA


@pytest.mark.parametrize("wrapped", [DATA.rstrip("="), DATA.replace("AAA", "AA\r\n A"), DATA.upper()[:15] + DATA[15:]])
def test_spelling_is_mended(wrapped: str) -> None:
    assert image_data.sendable_url(wrapped, 1000) == image_data.sendable_url(DATA, 1000)


@pytest.mark.parametrize("url", ["https://example.com/a.png?x=1", "HTTP://example.com/"])
def test_http_urls_pass_unseen(url: str) -> None:
    assert image_data.sendable_url(url, 1) == url
    assert image_data.is_remote(url)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "attachment:image.png",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/svg+xml,%3Csvg%3E",
        "data:image/png;base64,iVBORw0KGgo \u2026",  # as recorders shorten it
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg\u2026",
        "data:image/png;base64,\ud800",
        DATA + "=A==",
        DATA[:-5],  # one character left over
        data_url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        data_url(b"%PDF-1.7 and so on"),
        data_url(b"BM is how this sentence begins"),
        data_url(PNG + bytes(1 << 20))[:-8] + "*" * 8,
    ],
)
def test_unreadable(source: str) -> None:
    with pytest.raises(BadImage) as caught:
        image_data.sendable_url(source, 1 << 24)
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("filling", [0, 1, 2])
def test_size_is_that_of_the_decoded_image(filling: int) -> None:
    data = PNG + bytes(1000 + filling)
    image_data.sendable_url(data_url(data), len(data))
    with pytest.raises(BadImage) as caught:
        image_data.sendable_url(data_url(data), len(data) - 1)
    assert caught.value.reason == "too_large"


WRAPPED = "\n".join(STANDARD[at : at + 76] for at in range(0, len(STANDARD), 76))
SPELLINGS = {
    "standard": f"data:image/png;base64,{STANDARD}",
    "bare": STANDARD,
    "bare with white space": f" {WRAPPED}\n",
    "url-safe": f"data:image/png;base64,{STANDARD.translate(str.maketrans('+/', '-_')).rstrip('=')}",
    "url-safe with padding": f"data:image/png;base64,{STANDARD.translate(str.maketrans('+/', '-_'))}",
    "bare url-safe": STANDARD.translate(str.maketrans("+/", "-_")),
    "line breaks": f"data:image/png;base64,{WRAPPED}",
    "percent": f"data:image/png;base64,{quote(STANDARD, safe='')}",
    "percent throughout": quote(f"data:image/png;base64,{STANDARD}", safe=""),
    "percent, no base64": f"data:image/png,{quote(PICTURE, safe='')}",
    "parameters": f"data:image/png;name=a.png;charset=utf-8;base64,{STANDARD}",
    "parameter at the end": f"data:image/png;base64;name=a.png,{STANDARD}",
    "capitals": f"DATA:IMAGE/PNG;BASE64,{STANDARD}",
    "another type": f"data:application/octet-stream;base64,{STANDARD}",
    "no type": f"data:;base64,{STANDARD}",
    "space after the comma": f"data:image/png;base64, {STANDARD}",
    "JSON's escapes": f"data:image/png;base64,{STANDARD.replace('/', chr(92) + '/').replace('+', chr(92) + 'u002b')}",
    "JSON's line breaks": f"data:image/png;base64,{WRAPPED.replace(chr(10), chr(92) + 'n')}",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_one_image_however_it_is_spelt(spelling: str) -> None:
    assert image_data.sendable_url(spelling, len(PICTURE)) == SPELLINGS["standard"]
    assert image_data.digest(spelling) == image_data.digest(SPELLINGS["standard"])
    assert image_data.source_kind(spelling) == "image/png"


def test_image_in_numbers() -> None:
    assert image_data.sendable_url(str(image_data.from_numbers(list(PICTURE))), 1 << 20) == SPELLINGS["standard"]
    for numbers in ([], [1, 2, 3], list(range(255)), [*PNG, 256], [*PNG, "x"], [*PNG, -1], [None]):
        assert image_data.from_numbers(numbers) is None


def test_digest_is_of_the_data_as_sent() -> None:
    assert image_data.digest(DATA) == hashlib.sha256(PAYLOAD.encode()).digest()
    assert image_data.digest(DATA.replace("image/png", "image/jpeg")) == image_data.digest(DATA)
    url = "https://example.com/a,b"
    assert image_data.digest(url) == hashlib.sha256(url.encode()).digest()
    assert image_data.digest("\ud800") != image_data.digest("")


@given(st.binary(max_size=200), st.integers(0, 300))
def test_every_image_is_sent_or_refused(data: bytes, most: int) -> None:
    if len(PNG + data) > most:
        with pytest.raises(BadImage, match="too_large"):
            image_data.sendable_url(data_url(PNG + data), most)
    else:
        url = image_data.sendable_url(data_url(PNG + data), most)
        assert base64.b64decode(url.partition(",")[2]) == PNG + data
