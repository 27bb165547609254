"""Content codings taken off: whole bodies never further than a limit, streams piece by piece."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import brotli
import zstandard

_STEP = 64 * 1024
"""How much is unpacked at a time, in bytes: what a body can exceed the limit by before it is noticed."""


class CodingError(ValueError):
    """Data that can't be unpacked: damaged, or in a coding that isn't known. It passes as it came."""


class TooLarge(Exception):
    """A body that is, or unpacks to, more than the limit."""


def unpack(data: bytes, encoding: str, limit: int) -> bytes:
    """`data` without its content coding (gzip, deflate, br, zstd, identity or `""`).

    Raises `TooLarge` once more than `limit` bytes have come out, whatever is left to unpack, and
    `CodingError` for damaged data, an unknown coding or several on top of each other.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity", "none"):
        if len(data) > limit:
            raise TooLarge
        return data
    if coding not in _UNPACKERS:
        raise CodingError(f"content coding {coding!r} is not understood")
    out = bytearray()
    try:
        for piece in _UNPACKERS[coding](data):
            out += piece
            if len(out) > limit:
                raise TooLarge
    except _DAMAGED as error:
        raise CodingError(f"damaged {coding} data") from error
    return bytes(out)


def is_known(encoding: str) -> bool:
    """Whether data in this content coding can be unpacked at all."""
    return encoding.strip().lower() in ("", "identity", "none", *_UNPACKERS)


def unpacker(encoding: str) -> Callable[[bytes], bytes]:
    """Takes the coding off a stream, piece by piece: what a piece unpacks to is not bounded.

    What it returns raises `CodingError` for damaged data. Raises `CodingError` for a coding that isn't known.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity", "none"):
        return bytes
    if coding not in _STREAM_UNPACKERS:
        raise CodingError(f"content coding {coding!r} is not understood")
    unpack_piece = _STREAM_UNPACKERS[coding]()

    def unpacked(data: bytes) -> bytes:
        try:
            return unpack_piece(data) if data else b""
        except _DAMAGED as error:
            raise CodingError(f"damaged {coding} data") from error

    return unpacked


def _gzip(data: bytes) -> Iterator[bytes]:
    # 32: gzip or zlib, whichever it is; a gzip file may have several members.
    while data:
        member = zlib.decompressobj(32 + zlib.MAX_WBITS)
        yield from _inflate(member, data)
        data = member.unused_data


def _deflate(data: bytes) -> Iterator[bytes]:
    # HTTP says zlib (RFC 9110 section 8.4.1.2), but some send the bare deflate stream.
    is_zlib = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    yield from _inflate(zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS), data)


def _inflate(unpacker: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    while data and not unpacker.eof:
        yield unpacker.decompress(data, _STEP)
        data = unpacker.unconsumed_tail
    if not unpacker.eof:
        yield unpacker.flush(_STEP)
    if not unpacker.eof:
        raise zlib.error("the data ends early")


def _brotli(data: bytes) -> Iterator[bytes]:
    unpacker = brotli.Decompressor()
    yield unpacker.process(data, output_buffer_limit=_STEP)
    while not unpacker.is_finished():
        piece = unpacker.process(b"", output_buffer_limit=_STEP)
        if not piece and unpacker.can_accept_more_data():
            raise brotli.error("the data ends early")
        yield piece


def _zstd(data: bytes) -> Iterator[bytes]:
    # The window bounds the memory that a frame's header can ask for: 8 MiB is what RFC 9659 allows on the web.
    unpacker = zstandard.ZstdDecompressor(max_window_size=8 << 20)
    with unpacker.stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        while piece := reader.read(_STEP):
            yield piece


_UNPACKERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}

_STREAM_UNPACKERS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "gzip": lambda: zlib.decompressobj(32 + zlib.MAX_WBITS).decompress,
    "x-gzip": lambda: zlib.decompressobj(32 + zlib.MAX_WBITS).decompress,
    "deflate": lambda: zlib.decompressobj(32 + zlib.MAX_WBITS).decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress,
}

_DAMAGED = (zlib.error, brotli.error, zstandard.ZstdError)
