"""Eyes: what a vision model says about an image depends on the image's bytes, and on nothing else.

A PNG that carries a text chunk with the keyword "text" is read back word for word. Any other image is named by
its hash and, where its header says so, by its size. A web address is never fetched.
"""

import base64
import binascii
import hashlib
import re
import struct
import zlib
from collections.abc import Iterator

_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"text"


class UnreadableImage(ValueError):
    """The endpoint can't decode the image: "图片处理失败错误" (InvalidParameter.ImageProcessingFailureError)."""


def describe(url: str) -> str:
    """What the model sees behind an `image_url.url`; raises UnreadableImage for bytes that are no image."""
    prefix = _DATA_URL.match(url)
    if prefix is None:
        return f"链接 {url}"
    try:
        data = base64.b64decode(url[prefix.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableImage("not base64") from error
    return describe_bytes(data)


def describe_bytes(data: bytes) -> str:
    """The text that a PNG carries, or else `sha256:<12 hex>` and the size in pixels where it is known."""
    size: tuple[int, int] | None = None
    if data.startswith(_PNG):
        size, text = _read_png(data)
        if text is not None:
            return text
    elif data.startswith(b"\xff\xd8\xff"):
        size = _jpeg_size(data)
    elif not (data[:4] == b"RIFF" and data[8:12] == b"WEBP") and not data.startswith((b"BM", b"GIF8")):
        raise UnreadableImage("no known image format")
    name = f"sha256:{hashlib.sha256(data).hexdigest()[:12]}"
    return name if size is None else f"{name} {size[0]}x{size[1]}"


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, payload = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if len(payload) < length:
            break
        yield kind, payload
        if kind == b"IEND":
            return
        at += 12 + length
    raise UnreadableImage("PNG cut short")


def _read_png(data: bytes) -> tuple[tuple[int, int], str | None]:
    size: tuple[int, int] | None = None
    text: str | None = None
    for kind, payload in _png_chunks(data):
        if kind == b"IHDR" and len(payload) == 13:
            size = struct.unpack_from(">II", payload)
        elif kind == b"tEXt" and payload.startswith(_KEYWORD + b"\0"):
            text = payload[len(_KEYWORD) + 1 :].decode("latin-1")
        elif kind == b"iTXt" and payload.startswith(_KEYWORD + b"\0"):
            text = _international_text(payload)
    if size is None:
        raise UnreadableImage("PNG without a header")
    return size, text


def _international_text(payload: bytes) -> str:
    """The text of an iTXt chunk: keyword, compression flag and method, language, translation, text."""
    flags, rest = payload[len(_KEYWORD) + 1 : len(_KEYWORD) + 3], payload[len(_KEYWORD) + 3 :]
    try:
        _language, _translated, text = rest.split(b"\0", 2)
        return (zlib.decompress(text) if flags[:1] == b"\1" else text).decode("utf-8")
    except (ValueError, zlib.error) as error:
        raise UnreadableImage("bad iTXt chunk") from error


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def png_with_text(text: str, width: int = 96, height: int = 48) -> bytes:
    """A PNG of width x height pixels that carries `text`, with coloured bars drawn from the text's hash."""
    palette = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    row = b"\0" + b"".join(_bar(palette, x * 8 // width) for x in range(width))
    try:
        kind, payload = b"tEXt", _KEYWORD + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        kind, payload = b"iTXt", _KEYWORD + b"\0\0\0\0\0" + text.encode("utf-8")
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (kind, payload), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return _PNG + b"".join(_chunk(kind, payload) for kind, payload in chunks)


def _bar(palette: bytes, index: int) -> bytes:
    return palette[index * 3 : index * 3 + 3]


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def data_url(image: bytes, mime: str = "image/png") -> str:
    """`image` as the data URL that the endpoint takes."""
    return f"data:{mime};base64,{base64.b64encode(image).decode('ascii')}"
