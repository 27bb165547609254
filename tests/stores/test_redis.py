"""The Redis store against a real redis-server."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.config.option import OptionError
from hunyuan_fix.stores import Item, StoreError
from hunyuan_fix.stores.redis import CONNECTIONS, Redis, redis_client
from tests.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Redis]:
    made = Redis(redis_server.url)
    yield made
    await made.aclose()


async def test_keys_have_a_prefix_and_the_server_lets_them_go(store: Redis, redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url)
    await client.set("theirs", b"x")
    await store.put("a", b"1")
    await store.put("b", b"2", 60.0)
    assert sorted(await client.keys()) == [b"hunyuan-fix:a", b"hunyuan-fix:b", b"theirs"]
    assert 59_000 < await client.pttl("hunyuan-fix:b") <= 60_000
    assert await store.clear("") == 2
    assert await client.keys() == [b"theirs"]
    await client.aclose()


async def test_all_workers_have_the_same(store: Redis, redis_server: RedisServer) -> None:
    other = Redis(redis_server.url)
    await store.put("a", b"1")
    assert await other.get("a") == Item(b"1")
    await other.aclose()


async def test_connections_are_bounded(store: Redis, redis_server: RedisServer) -> None:
    await asyncio.gather(*(store.get(str(number)) for number in range(200)))
    client = redis_client(redis_server.url)
    assert len(await client.client_list()) <= CONNECTIONS + 1
    await client.aclose()


async def test_a_restarted_server_costs_no_error(store: Redis, redis_server: RedisServer) -> None:
    await store.put("a", b"1")
    redis_server.stop()
    redis_server.start()
    assert await store.get("a") is None
    await store.put("a", b"1")
    assert await store.get("a") == Item(b"1")


async def test_a_server_that_is_gone(store: Redis, redis_server: RedisServer) -> None:
    redis_server.stop()
    for work in (store.get("a"), store.put("a", b"1"), store.delete("a"), store.scan("", 1), store.clear("")):
        with pytest.raises(StoreError, match="ConnectionError"):
            await work


async def test_a_server_that_hangs(hurried: None, store: Redis, redis_server: RedisServer) -> None:
    await store.put("a", b"1")
    redis_server.pause()
    async with asyncio.timeout(5):
        with pytest.raises(StoreError, match="Timeout"):
            await store.get("a")
    redis_server.resume()
    assert await store.get("a") == Item(b"1")


async def test_what_was_given_up_answers_nobody_else(store: Redis, redis_server: RedisServer) -> None:
    """A connection whose answer nobody waited for must not give it to the next."""
    for number in range(20):
        await store.put(str(number), str(number).encode())
    for number in range(20):
        getting = asyncio.create_task(store.get(str(number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        getting.cancel()
        await asyncio.wait({getting})
        assert await store.get(str((number + 1) % 20)) == Item(str((number + 1) % 20).encode())


async def test_a_refusal_does_not_quote_the_command(store: Redis, redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url)
    await client.config_set("maxmemory", "1")
    with pytest.raises(StoreError) as caught:
        await store.put("a", b"TELLTALE")
    assert "TELLTALE" not in str(caught.value)
    assert str(caught.value).startswith(("the server refuses: ", "OutOfMemoryError"))
    await client.aclose()


async def test_the_password_comes_from_the_environment_and_is_never_shown(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = redis_client(redis_server.url)
    await client.config_set("requirepass", "s3cret")
    await client.aclose()
    for password, good in (("s3cret", True), ("wr0ng", False)):
        monkeypatch.setenv("HUNYUAN_REDIS_PASSWORD", password)
        store = Redis(redis_server.url)
        if good:
            await store.put("a", b"1")
        else:
            with pytest.raises(StoreError, match="invalid username-password pair") as caught:
                await store.put("a", b"1")
            assert password not in str(caught.value)
        shown = repr(vars(store))
        assert "s3cret" not in shown
        assert "wr0ng" not in shown
        await store.aclose()


@pytest.mark.parametrize(
    "rest", ["0?password=s3cret", "0?socket_timeout=9", "0?db=3", "0?ssl_cert_reqs=none", "name", "0/1", "0#s3cret"]
)
def test_a_url_with_more_than_a_place_is_refused(rest: str) -> None:
    with pytest.raises(OptionError, match=r"^hunyuan_store=redis://\.\.\.: accepted is redis://HOST:PORT/DB") as caught:
        redis_client(f"redis://127.0.0.1:6379/{rest}")
    assert "s3cret" not in str(caught.value)


def test_a_server_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    client = redis_client(f"rediss://127.0.0.1:6379/2?ssl_ca_certs={tmp_path / 'ca.pem'}")
    assert client.connection_pool.connection_kwargs["ssl_ca_certs"] == str(tmp_path / "ca.pem")
    assert client.connection_pool.connection_kwargs["db"] == 2


async def test_a_value_of_another_type_under_our_key(store: Redis, redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url)
    await client.execute_command("LPUSH", "hunyuan-fix:a", "x")
    with pytest.raises(StoreError, match="refuses: WRONGTYPE"):
        await store.get("a")
    await client.aclose()


def test_without_the_package_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    there = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "redis":
            raise ImportError(name)
        return there(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OptionError, match="the Python package redis is not installed"):
        Redis("redis://127.0.0.1:1/0")
