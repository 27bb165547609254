from __future__ import annotations

import gzip
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire.content_coding import CodingError, TooLarge, is_known, unpack, unpacker

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
QUICK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "deflate": lambda data: zlib.compress(data, 1),
    "br": lambda data: brotli.compress(data, quality=1),
    "zstd": zstandard.compress,
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


@pytest.mark.parametrize("encoding", ["gzip, compress", "compress", "x", "gzip," * 5])
def test_codings_that_are_not_understood(encoding: str):
    with pytest.raises(CodingError, match="not understood"):
        unpack(b"x", encoding, LIMIT)
    with pytest.raises(CodingError, match="not understood"):
        unpacker(encoding)
    assert not is_known(encoding)


@pytest.mark.parametrize("cut", [0, 1, 7, 20, 10_000])
def test_codings_on_top_of_each_other_come_off_in_turn(cut: int):
    data = b'{"a": 1}' * 1000
    stacked = zstandard.compress(brotli.compress(gzip.compress(zlib.compress(data))))
    encoding = "deflate, GZIP,identity, br , zstd"
    assert is_known(encoding)
    assert unpack(stacked, encoding, LIMIT) == data
    take = unpacker(encoding)
    assert take(stacked[:cut]) + take(stacked[cut:]) == data


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_coding_that_nobody_named_is_known_by_its_first_bytes(pack: Callable[[bytes], bytes]):
    assert unpack(pack(b"{}"), "", LIMIT) == b"{}"
    damaged = pack(b"{}")[:5] + b"?" * 20
    assert unpack(damaged, "identity", LIMIT) == damaged


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
@pytest.mark.parametrize("data", [b'{"a": 1}', b"[1]", b"\xef\xbb\xbf {}"])
def test_plain_json_in_the_name_of_a_coding_stays(encoding: str, data: bytes):
    assert unpack(data, encoding, LIMIT) == data


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_what_unpacks_past_eight_times_its_size_is_refused(name: str):
    encoding, pack = name, QUICK[name]
    assert len(unpack(pack(bytes(8 << 20)), encoding, 64 << 20)) == 8 << 20
    with pytest.raises(TooLarge):
        unpack(pack(bytes(9 << 20)), encoding, 64 << 20)
    with pytest.raises(TooLarge):
        unpack(gzip.compress(pack(bytes(9 << 20))), f"{encoding}, gzip", 64 << 20)
    honest = random.Random(1).randbytes(2 << 20) * 5
    assert unpack(pack(honest), encoding, 64 << 20) == honest


@pytest.mark.parametrize("name", ["br", "gzip", "zstd"])
def test_a_stream_that_unpacks_without_end_is_refused_before_it_is_unpacked(name: str):
    encoding, pack = name, QUICK[name]
    bomb = gzip.compress(pack(bytes(64 << 20)))
    take = unpacker(f"{encoding}, gzip")
    tracemalloc.start()
    with pytest.raises(TooLarge):
        take(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 48 << 20
    assert len(unpacker(encoding)(pack(bytes(15 << 20)))) == 15 << 20


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("whole", [True, False])
def test_empty_members_cost_no_more_than_their_number(encoding: str, whole: bool):
    empty = QUICK[encoding](b"")

    def cost(members: int) -> float:
        data = empty * members

        def once() -> float:
            started = time.thread_time()
            assert not (unpack(data, encoding, 64 << 20) if whole else unpacker(encoding)(data))
            return time.thread_time() - started

        return min(once() for _ in range(3))

    assert cost(80_000) < 8 * cost(20_000) + 0.005


@pytest.mark.parametrize("rest", [b"\0" * 100, b"something else"])
def test_what_follows_the_last_member_is_ignored(rest: bytes):
    data = gzip.compress(b"a") + gzip.compress(b"b") + rest
    assert unpack(data, "gzip", LIMIT) == unpacker("gzip")(data) == b"ab"


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_work_ends_at_a_piece_where_nobody_waits_for_it(name: str):
    encoding, pack = name, QUICK[name]
    pieces = 0

    def checkpoint() -> None:
        nonlocal pieces
        pieces += 1
        if pieces == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        unpack(pack(random.Random(1).randbytes(1 << 20)), encoding, 1 << 24, checkpoint)
    assert pieces == 3


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


def test_noise_before_a_bomb_buys_no_more_room() -> None:
    """A ratio that honest text never reaches is reached by noise and zeros together."""
    noise = random.Random(1).randbytes(200_000).hex().encode()
    packed = gzip.compress(noise + b"a" * (32 << 20))
    with pytest.raises(TooLarge):
        unpack(packed, "gzip", 64 << 20)
    assert len(unpack(gzip.compress(noise + b"a" * (7 << 20)), "gzip", 64 << 20)) > 7 << 20


CUT = zstandard.compress(b"x" * 999)[:-1]


@pytest.mark.parametrize("body", [b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd plain text", CUT])
def test_what_only_begins_like_zstd_stays(body: bytes):
    assert unpack(body, "", 10**6) == body
    with pytest.raises(CodingError):
        unpack(body, "zstd", 10**6)


def test_zstd_in_several_frames():
    frames = zstandard.compress(b"a" * 300) + zstandard.compress(b"") + zstandard.compress(b"b" * 300)
    assert unpack(frames, "", 10**6) == b"a" * 300 + b"b" * 300
