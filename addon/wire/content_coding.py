"""Content codings taken off, several on top of each other too, in pieces whose size and number are bounded."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Protocol

import brotli
import zstandard

_STEP = 64 * 1024
"""How much is unpacked at a time, in bytes: what a body can exceed the limit by before it is noticed."""
_ZSTD_STEP = 128
"""Bytes of zstd fed at a time. zstandard doesn't bound what comes out: a block of 4 bytes can hold 128 KiB."""
_FIRST_STEP = 512
"""Bytes fed to a new gzip member: zlib copies what is left over, which for many small members adds up."""

_MAX_CODINGS = 4
"""Codings on top of each other."""
_BODY_RATIO, _BODY_FREE = 8, 8 * 2**20
"""A body may unpack to so many times its size, and to so many bytes whatever its size. JSON packs to a 50th at best."""
_STREAM_RATIO, _STREAM_FREE = 1000, 16 * 2**20

_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"


class CodingError(ValueError):
    """Data that can't be unpacked: damaged, or in a coding that isn't known. It passes as it came."""


class TooLarge(Exception):
    """A body that is, or unpacks to, more than the limit, or to a suspicious multiple of its size."""


def unpack(data: bytes, encoding: str, limit: int, checkpoint: Callable[[], None] = lambda: None) -> bytes:
    """`data` without its content codings (gzip, deflate, br, zstd; the last one named was put on last).

    What is named gzip, deflate, br or zstd and is plain JSON stays; gzip and zstd that nobody names are known by their
    first bytes. `checkpoint` is called between two pieces; what it raises ends the work.
    Raises `TooLarge` once more than `limit` bytes have come out, or more than 8 MiB and 8 times what came in,
    whatever is left to unpack, and `CodingError` for damaged data or an unknown coding.
    """
    codings = _codings(encoding)
    if len(data) > limit:
        raise TooLarge
    most = min(limit, max(_BODY_FREE, _BODY_RATIO * len(data)))
    if not codings:
        try:
            return _plain(data, _undeclared(data), most, checkpoint)
        except CodingError:
            return data
    for coding in reversed(codings):
        data = _plain(data, coding, most, checkpoint)
    return data


def is_known(encoding: str) -> bool:
    """Whether data in this content coding, or in these, can be unpacked at all."""
    try:
        _codings(encoding)
    except CodingError:
        return False
    return True


def is_packed(data: bytes, encoding: str) -> bool:
    """Whether `data` is said to be in a content coding, or begins as gzip or zstd does."""
    return encoding.strip().lower() not in ("", "identity", "none") or bool(_undeclared(data))


def unpacker(encoding: str) -> Callable[[bytes], bytes]:
    """Takes the codings off a stream, piece by piece.

    What it returns raises `CodingError` for damaged data, and `TooLarge` when more than 16 MiB and a thousand times
    what came in have come out. Raises `CodingError` for a coding that isn't known.
    """
    layers = [_UNPACKERS[coding]() for coding in reversed(_codings(encoding))]
    came, given = 0, 0

    def unpacked(data: bytes) -> bytes:
        nonlocal came, given
        came += len(data)
        out = bytearray()
        try:
            for piece in reduce(_through, layers, iter((data,))):
                out += piece
                given += len(piece)
                if given > max(_STREAM_FREE, _STREAM_RATIO * came):
                    raise TooLarge
        except _DAMAGED as error:
            raise CodingError(f"damaged {encoding.strip().lower()} data") from error
        return bytes(out)

    return unpacked if layers else bytes


def _codings(encoding: str) -> list[str]:
    """Raises `CodingError` for one that isn't known, or for more than may be."""
    names = [name.strip().lower() for name in encoding.split(",")]
    codings = [name for name in names if name not in ("", "identity", "none")]
    if len(codings) > _MAX_CODINGS or not all(coding in _UNPACKERS for coding in codings):
        raise CodingError(f"content coding {encoding.strip().lower()[:100]!r} is not understood")
    return codings


def _undeclared(data: bytes) -> str:
    return "gzip" if data.startswith(_GZIP) else "zstd" if data.startswith(_ZSTD) else ""


def _is_json(data: bytes) -> bool:
    return data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _plain(data: bytes, coding: str, most: int, checkpoint: Callable[[], None]) -> bytes:
    if not coding:
        return data
    layer = _UNPACKERS[coding]()
    out = bytearray()
    try:
        for piece in layer.feed(data):
            checkpoint()
            out += piece
            if len(out) > most:
                raise TooLarge
        layer.finish()
    except _DAMAGED as error:
        if _is_json(data):
            return data
        raise CodingError(f"damaged {coding} data") from error
    return bytes(out)


def _through(pieces: Iterator[bytes], layer: _Layer) -> Iterator[bytes]:
    return (unpacked for piece in pieces for unpacked in layer.feed(piece))


class _Layer(Protocol):
    """One coding of one body or stream. All its methods raise one of `_DAMAGED`."""

    def feed(self, data: bytes) -> Iterable[bytes]:
        """What comes out of the next bytes, in small pieces."""

    def finish(self) -> None:
        """There is no more. Raises if that is too early."""


class _Zlib:
    """gzip, zlib, or whichever of them it is. A gzip file may have several members; what isn't one is ignored."""

    def __init__(self, wbits: int = 32 + zlib.MAX_WBITS) -> None:
        self._wbits = wbits
        self._member = zlib.decompressobj(wbits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        position, step = 0, _FIRST_STEP
        view = memoryview(data)
        while position < len(data):
            if self._member.eof:
                if self._wbits < 32 or data[position] != _GZIP[0]:
                    return
                self._member, step = zlib.decompressobj(self._wbits), _FIRST_STEP
            fed: bytes | memoryview = view[position : position + step]
            position += len(fed)
            while fed and not self._member.eof:
                yield self._member.decompress(fed, _STEP)
                fed = self._member.unconsumed_tail
            position -= len(self._member.unused_data)
            step = min(2 * step, _STEP)

    def finish(self) -> None:
        if not self._member.eof:
            raise zlib.error("the data ends early")


class _Deflate:
    """HTTP says zlib (RFC 9110 section 8.4.1.2), but some send the bare deflate stream."""

    def __init__(self) -> None:
        self._head = b""
        self._layer: _Zlib | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._layer is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            is_zlib = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._layer = _Zlib(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        yield from self._layer.feed(data)

    def finish(self) -> None:
        if self._layer is None:
            raise zlib.error("the data ends early")
        self._layer.finish()


class _Brotli:
    def __init__(self) -> None:
        self._unpacker = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _STEP):
            if self._unpacker.is_finished():
                return
            yield self._unpacker.process(data[start : start + _STEP], output_buffer_limit=_STEP)
            while not self._unpacker.is_finished():
                piece = self._unpacker.process(b"", output_buffer_limit=_STEP)
                if not piece and self._unpacker.can_accept_more_data():
                    break
                yield piece

    def finish(self) -> None:
        if not self._unpacker.is_finished():
            raise brotli.error("the data ends early")


class _Zstd:
    def __init__(self) -> None:
        # The window bounds the memory that a frame's header can ask for: 8 MiB is what RFC 9659 allows on the web.
        unpacker = zstandard.ZstdDecompressor(max_window_size=8 << 20)
        self._unpacker = unpacker.decompressobj(read_across_frames=True)

    def feed(self, data: bytes) -> Iterator[bytes]:
        return (
            self._unpacker.decompress(data[start : start + _ZSTD_STEP]) for start in range(0, len(data), _ZSTD_STEP)
        )

    def finish(self) -> None:
        pass  # zstandard doesn't say whether a frame is complete; JSON that is cut is none


_UNPACKERS: dict[str, Callable[[], _Layer]] = {
    "gzip": _Zlib,
    "x-gzip": _Zlib,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}

_DAMAGED = (zlib.error, brotli.error, zstandard.ZstdError)
