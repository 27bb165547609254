"""A kind of value that the product doesn't have, kept by one codec, through every store."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hunyuan_fix.stores import Chain, Item, Memory, Store
from hunyuan_fix.stores.kept import Kept
from hunyuan_fix.stores.redis import Redis
from hunyuan_fix.stores.sqlite import Sqlite
from tests.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("unhurried")


@dataclass(frozen=True)
class Price:
    cents: int


class PriceCodec:
    prefix = "price:"

    def dump(self, value: Price) -> bytes:
        return struct.pack("<q", value.cents)

    def load(self, data: bytes) -> Price | None:
        return Price(*struct.unpack("<q", data)) if len(data) == 8 else None


class CountCodec:
    """Zero is a value too."""

    prefix = "count:"

    def dump(self, value: int) -> bytes:
        return str(value).encode()

    def load(self, data: bytes) -> int | None:
        return int(data) if data.isdigit() else None


def key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def chain(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Chain]:
    below: list[Store] = []
    if request.param == "sqlite":
        below = [Sqlite(tmp_path / "store", 1 << 20)]
    elif request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        below = [Redis(server.url)]
    made = Chain(Memory(100, 1 << 20), below)
    yield made
    await made.aclose()


def stores(chain: Chain) -> int:
    return len(chain.counts())


async def test_it_comes_back_from_every_store(chain: Chain) -> None:
    kept = Kept(chain, PriceCodec())
    kept.put(key("a"), Price(5))
    assert kept.at_hand(key("a")) == Price(5)
    await chain.flush()
    if stores(chain) > 1:
        await Memory.aclose(chain.memory)  # as after a restart
        assert kept.at_hand(key("a")) is None
    assert await kept.get(key("a")) == Price(5)
    assert kept.at_hand(key("a")) == Price(5), "nearer from now on"
    assert await kept.get(key("b")) is None
    assert await kept.get_many([key("b"), key("a"), key("a")]) == {key("a"): Price(5)}


async def test_kinds_stay_apart(chain: Chain) -> None:
    prices, counts = Kept(chain, PriceCodec()), Kept(chain, CountCodec())
    prices.put(key("a"), Price(5))
    counts.put(key("a"), 0)
    await chain.flush()
    assert (await prices.get(key("a")), await counts.get(key("a"))) == (Price(5), 0)
    assert await counts.get_many([key("a"), key("b")]) == {key("a"): 0}, "a value that is false is a value"
    if stores(chain) > 1:
        chain.memory.drop("count:" + key("a").hex())
    assert await counts.get_many([key("a"), key("b")]) == {key("a"): 0}, "from below too"
    assert prices.listed(10) == [(key("a").hex(), Price(5))]
    assert prices.clear() == 1
    await chain.flush()
    assert (await prices.get(key("a")), await counts.get(key("a"))) == (None, 0)
    below = [items for _, items in sorted((await counts.listed_below(10)).items())]
    assert below == [[(key("a").hex(), 0)]] * (stores(chain) - 1)


async def test_what_a_codec_does_not_know_is_not_there(chain: Chain) -> None:
    kept = Kept(chain, PriceCodec())
    chain.put("price:" + key("a").hex(), b"junk")
    await chain.flush()
    assert await kept.get(key("a")) is None
    assert await kept.get_many([key("a")]) == {}
    assert kept.listed(10) == [(key("a").hex(), None)]


async def test_forgotten_and_for_a_time(chain: Chain) -> None:
    kept = Kept(chain, PriceCodec())
    kept.put(key("a"), Price(1), 60.0)
    item = chain.at_hand("price:" + key("a").hex())
    assert isinstance(item, Item)
    assert item.lasts is not None and 0 < item.lasts <= 60
    kept.delete(key("a"))
    await chain.flush()
    assert await kept.get(key("a")) is None


async def test_a_slow_store_delays_only_once(unhurried: None) -> None:
    class Slow(Memory):
        name = "slow"

        async def get(self, key: str) -> Item | None:
            asked.append(key)
            await all_asked.wait()
            return None

    asked: list[str] = []
    all_asked = asyncio.Event()
    chain = Chain(Memory(10, 1000), [Slow(10, 1000)])
    looking = asyncio.create_task(Kept(chain, PriceCodec()).get_many([key(str(n)) for n in range(50)]))
    async with asyncio.timeout(10):
        while len(asked) < 50:
            await asyncio.sleep(0)
    all_asked.set()
    assert await looking == {}
    await chain.aclose()
