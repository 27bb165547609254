"""Undoes content codings, also nested ones, in pieces of bounded size and number."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Protocol

import brotli
import zstandard

from .json_body import BOM

_STEP = 64 * 1024
"""Bytes that are unpacked at a time, so a body exceeds the limit by at most this many."""
_ZSTD_STEP = 128
"""Bytes of zstd fed at a time. zstandard doesn't bound its output: a block of 4 bytes can hold 128 KiB."""
_FIRST_STEP = 512
"""Bytes fed first to a new gzip member. zlib copies the rest each time, which adds up for many small members."""

_MAX_CODINGS = 4
"""Nested codings of one body."""
_BODY_RATIO, _BODY_FREE = 8, 8 * 2**20
"""A body may unpack to this multiple of its size, and in any case to this many bytes. JSON rarely packs better than
1 : 50."""
_STREAM_RATIO, _STREAM_FREE = 1000, 16 * 2**20

_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"


class CodingError(ValueError):
    """Data that can't be unpacked: damaged, or in an unknown coding. It passes unchanged."""


class TooLarge(Exception):
    """A body that is, or unpacks to, more than the limit, or to a suspicious multiple of its size."""


def unpack(data: bytes, encoding: str, limit: int, checkpoint: Callable[[], None] = lambda: None) -> bytes:
    """`data` without its content codings (gzip, deflate, br, zstd; the last one named was put on last).

    Plain JSON under the name of a coding stays unchanged. gzip and zstd without a name are recognised by their first
    bytes. `checkpoint` is called between two pieces; an exception of it ends the work.
    Raises `TooLarge` as soon as the output is larger than `limit`, or than 8 MiB and 8 times the input, and
    `CodingError` for damaged data or an unknown coding.
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
    """Whether each content coding that `encoding` names can be unpacked."""
    try:
        _codings(encoding)
    except CodingError:
        return False
    return True


def is_packed(data: bytes, encoding: str) -> bool:
    """Whether `encoding` names a content coding, or `data` begins like gzip or zstd."""
    return encoding.strip().lower() not in ("", "identity", "none") or bool(_undeclared(data))


def unpacker(encoding: str) -> Callable[[bytes], bytes]:
    """A function that undoes the codings of a stream, piece by piece. Raises `CodingError` for an unknown coding.

    The function raises `CodingError` for damaged data, and `TooLarge` when the output is larger than 16 MiB and a
    thousand times the input.
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
    """The codings that `encoding` names. Raises `CodingError` for an unknown one, or more than `_MAX_CODINGS`."""
    names = [name.strip().lower() for name in encoding.split(",")]
    codings = [name for name in names if name not in ("", "identity", "none")]
    if len(codings) > _MAX_CODINGS or not all(coding in _UNPACKERS for coding in codings):
        raise CodingError(f"content coding {encoding.strip().lower()[:100]!r} is not understood")
    return codings


def _undeclared(data: bytes) -> str:
    return "gzip" if data.startswith(_GZIP) else "zstd" if data.startswith(_ZSTD) else ""


def _is_json(data: bytes) -> bool:
    return data[:64].removeprefix(BOM).lstrip()[:1] in (b"{", b"[")


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
    """The decoder of one coding for one body or stream. Its methods raise only exceptions of `_DAMAGED`."""

    def feed(self, data: bytes) -> Iterable[bytes]:
        """The output for the next bytes, in small pieces."""

    def finish(self) -> None:
        """Declare the end of the input. Raises if the data is incomplete."""


class _Zlib:
    """gzip or zlib, as `wbits` says, or either. gzip may have several members; bytes after the last are ignored."""

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
    """zlib (RFC 9110 section 8.4.1.2), or the bare deflate stream that some servers send."""

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
    """zstd. The data may have several frames."""

    def __init__(self) -> None:
        # The window bounds the memory that a frame's header can ask for: 8 MiB is what RFC 9659 allows on the web.
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=8 << 20)
        self._frame = self._decompressor.decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_STEP):
            piece = data[start : start + _ZSTD_STEP]
            while piece:
                if self._frame.eof:
                    self._frame = self._decompressor.decompressobj()
                yield self._frame.decompress(piece)
                piece = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> None:
        if not self._frame.eof:
            raise zstandard.ZstdError("the data ends early")


_UNPACKERS: dict[str, Callable[[], _Layer]] = {
    "gzip": _Zlib,
    "x-gzip": _Zlib,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}

_DAMAGED = (zlib.error, brotli.error, zstandard.ZstdError)
