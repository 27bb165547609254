"""What every store promises, against each of them: real files, a real redis-server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import batched
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunyuan_fix.stores import Item, Memory, Store
from hunyuan_fix.stores.redis import Redis
from hunyuan_fix.stores.sqlite import Sqlite
from tests.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("unhurried")

KINDS = ["memory", "sqlite", "redis"]


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    if request.param == "memory":
        made = Memory(10_000, 64 << 20)
    elif request.param == "sqlite":
        made = Sqlite(tmp_path / "store.sqlite3", 64 << 20)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        made = Redis(server.url)
    yield made
    await made.aclose()


async def test_nothing_is_there_at_first(store: Store) -> None:
    assert await store.get("a") is None
    assert await store.scan("", 10) == []
    assert await store.clear("") == 0
    await store.delete("a")


@pytest.mark.parametrize("value", [b"", b"text", bytes(range(256)), b"x" * 200_000])
async def test_a_value_comes_back_byte_for_byte(store: Store, value: bytes) -> None:
    await store.put("a", value)
    assert await store.get("a") == Item(value, None)


async def test_the_last_value_counts_and_how_long_that_lasts(store: Store) -> None:
    await store.put("a", b"1")
    await store.put("a", b"2", 60.0)
    item = await store.get("a")
    assert item is not None and item.lasts is not None
    assert (item.value, 0 < item.lasts <= 60) == (b"2", True)
    await store.put("a", b"3")
    assert await store.get("a") == Item(b"3", None)


async def test_what_lasts_a_moment_is_gone_then(store: Store) -> None:
    await store.put("a", b"1", 0.05)
    await store.put("b", b"2")
    async with asyncio.timeout(10):
        while await store.get("a") is not None:
            await asyncio.sleep(0.005)
    assert await store.scan("", 10) == [("b", Item(b"2"))]
    assert await store.clear("b") == 1


async def test_forgotten(store: Store) -> None:
    await store.put("a", b"1")
    await store.put("b", b"2")
    await store.delete("a")
    assert (await store.get("a"), await store.get("b")) == (None, Item(b"2"))


@pytest.mark.parametrize("prefix", ["d:", "*", "d[0-9]", "\\", "d?"])
async def test_a_prefix_is_meant_literally(store: Store, prefix: str) -> None:
    for key in ("d:1", "*2", "d[0-9]3", "\\4", "d?5", "d6"):
        await store.put(key, key.encode(), 60.0)
    found = await store.scan(prefix, 10)
    assert [key for key, _ in found] == [key for key in ("d:1", "*2", "d[0-9]3", "\\4", "d?5") if prefix in key]
    assert all(item.value == key.encode() and item.lasts and item.lasts <= 60 for key, item in found)
    assert await store.clear(prefix) == 1
    assert len(await store.scan("", 10)) == 5


async def test_a_scan_ends_at_its_limit(store: Store) -> None:
    for number in range(20):
        await store.put(f"a{number}", b"")
    assert len(await store.scan("a", 7)) == 7


async def test_very_many_are_cleared(store: Store) -> None:
    for group in batched(range(2400), 50):
        await asyncio.gather(*(store.put(f"{'ab'[number % 2]}{number}", b"v") for number in group))
    assert await store.clear("a") == 1200
    assert await store.scan("a", 10) == []
    assert len(await store.scan("b", 5000)) == 1200


async def test_many_at_the_same_time(store: Store) -> None:
    await asyncio.gather(*(store.put(str(number), str(number).encode()) for number in range(300)))
    items = await asyncio.gather(*(store.get(str(number)) for number in range(300)))
    assert items == [Item(str(number).encode()) for number in range(300)]


keys = st.sampled_from(["a1", "a2", "b1", "b2"])
steps = st.one_of(
    st.tuples(st.just("put"), keys, st.binary(max_size=20)),
    st.tuples(st.just("delete"), keys, st.none()),
    st.tuples(st.just("clear"), st.sampled_from(["a", "b", ""]), st.none()),
)


@given(st.lists(steps, max_size=12))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_it_holds_what_a_dictionary_would(store: Store, taken: list[tuple[str, str, bytes | None]]) -> None:
    await store.clear("")
    model: dict[str, bytes] = {}
    for step, key, value in taken:
        if step == "put" and value is not None:
            await store.put(key, value)
            model[key] = value
        elif step == "delete":
            await store.delete(key)
            model.pop(key, None)
        else:
            gone = [known for known in model if known.startswith(key)]
            assert await store.clear(key) == len(gone)
            for known in gone:
                del model[known]
        assert {key: item.value for key, item in await store.scan("", 100)} == model
        for known in ("a1", "a2", "b1", "b2"):
            item = await store.get(known)
            assert (item.value if item else None) == model.get(known)


@pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)
async def test_the_latest_used_comes_first(store: Store) -> None:
    for key in "abc":
        await store.put(key, b"")
    await store.get("a")
    await store.put("d", b"")
    assert [key for key, _ in await store.scan("", 10)] == ["d", "a", "c", "b"]
    assert [key for key, _ in await store.scan("", 2)] == ["d", "a"]
