from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from addon.content_coding import CodingError, TooLarge, unpack, unpacker

LIMIT = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip, two members": ("gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
    "zlib in gzip's name": ("gzip", zlib.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate, bare": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "zstd, two frames": ("zstd", lambda data: zstandard.compress(data[:7]) + zstandard.compress(data[7:])),
    "identity": ("identity", bytes),
    "none": ("", bytes),
}
packed = pytest.mark.parametrize(("encoding", "pack"), PACKERS.values(), ids=PACKERS.keys())


@packed
@given(data=st.binary(min_size=1, max_size=3000))
def test_what_was_packed_comes_out(encoding: str, pack: Callable[[bytes], bytes], data: bytes):
    assert unpack(pack(data), encoding, LIMIT) == data


@packed
def test_large_bodies_come_out_whole(encoding: str, pack: Callable[[bytes], bytes]):
    data = bytes(range(256)) * 2048
    assert unpack(pack(data), encoding.upper(), len(data)) == data


@packed
def test_more_than_the_limit_is_refused(encoding: str, pack: Callable[[bytes], bytes]):
    with pytest.raises(TooLarge):
        unpack(pack(b"a" * 100_001), encoding, 100_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_not_unpacked_whole(encoding: str):
    bomb = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}[
        encoding
    ](bytes(64 << 20))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        unpack(bomb, encoding, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(max_size=200))
def test_damaged_data_is_refused_or_comes_out_as_something(encoding: str, data: bytes):
    with suppress(CodingError):
        assert isinstance(unpack(data, encoding, LIMIT), bytes)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_data_that_ends_early_is_refused(encoding: str):
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}[encoding]
    with pytest.raises(CodingError, match="damaged"):
        unpack(pack(bytes(range(256)) * 10)[:-9], encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip, gzip", "compress", "br,gzip", "x"])
def test_codings_that_are_not_understood(encoding: str):
    with pytest.raises(CodingError, match="not understood"):
        unpack(b"x", encoding, LIMIT)
    with pytest.raises(CodingError, match="not understood"):
        unpacker(encoding)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "identity", "none"])
@given(data=st.data())
def test_a_stream_is_unpacked_wherever_it_is_split(name: str, data: st.DataObject):
    encoding, pack = PACKERS[name]
    plain = data.draw(st.binary(min_size=1, max_size=300))
    packed_data = pack(plain)
    cut = data.draw(st.integers(0, len(packed_data)))
    unpack_piece = unpacker(encoding)
    assert unpack_piece(packed_data[:cut]) + unpack_piece(packed_data[cut:]) == plain


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_damaged_streams_are_refused(encoding: str):
    with pytest.raises(CodingError, match="damaged"):
        unpacker(encoding)(b"this was never packed at all")
