"""Servers of other kinds than one Redis alone: Sentinels with a failover, a replica, a Cluster's node. Real ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hunyuan_fix.access.client_tokens import Quota
from hunyuan_fix.access.rate_limits import RateLimits
from hunyuan_fix.admission.admission import Admission
from hunyuan_fix.admission.leases import Leases
from hunyuan_fix.observe.health import stores as checks
from hunyuan_fix.observe.health.check import State
from hunyuan_fix.observe.health.stores import RedisCheck
from hunyuan_fix.stores import Item, StoreError
from hunyuan_fix.stores.redis import CONNECTIONS, Redis, redis_client
from tests.redis_server import RedisServer, Started

pytestmark = pytest.mark.usefixtures("unhurried")

CLUSTER = "it is a node of a Redis Cluster, which is not supported"
SENTINEL = "it is a Sentinel and keeps no values"
REPLICA = "it is a read-only replica"


@pytest.fixture(autouse=True)
def unhurried_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_ASKED", 30.0)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Redis]:
    store = Redis(url)
    try:
        yield store
    finally:
        await store.aclose()


async def is_in_sync(master: RedisServer) -> None:
    """Wait until a replica has what `master` has: only such a one is promoted."""
    client = redis_client(master.url)

    async def online() -> bool:
        replication: Any = await client.info("replication")
        return bool(replication.get("slave0", {}).get("state") == "online")

    while not await online():
        await asyncio.sleep(0.02)
    await client.aclose()


async def knows_replica(sentinel: RedisServer) -> None:
    client = redis_client(sentinel.url)
    while not await client.execute_command("SENTINEL", "REPLICAS", "main"):
        await asyncio.sleep(0.02)
    await client.aclose()


@pytest.fixture
async def watched(redis_servers: Started) -> tuple[RedisServer, RedisServer, RedisServer]:
    """A master, its replica, and a Sentinel that watches both."""
    master = redis_servers()
    replica = redis_servers("--replicaof", "127.0.0.1", str(master.port))
    await is_in_sync(master)
    sentinel = redis_servers(sentinel_of=master.port)
    await knows_replica(sentinel)
    return master, replica, sentinel


def by(*sentinels: RedisServer | int) -> str:
    ports = [one if isinstance(one, int) else one.port for one in sentinels]
    return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/main/0"


async def test_values_limits_and_slots_survive_a_failover(
    watched: tuple[RedisServer, RedisServer, RedisServer],
) -> None:
    master, replica, sentinel = watched
    client = redis_client(by(sentinel))
    leases = Leases(redis_client(by(sentinel)), budget=30.0)
    limits = RateLimits(lambda _: Quota(100, 0), budget=30.0)
    limits.share(client)
    async with opened(by(sentinel)) as store:
        await store.put("a", b"1")
        assert await leases.ask(leases.new("account"), 5) is None
        await limits.admit("alice")
        copied = redis_client(replica.url)
        while await copied.get("hunyuan-fix:a") != b"1":
            await asyncio.sleep(0.02)
        await copied.aclose()
        master.stop()

        async def works() -> bool:
            try:
                await store.put("b", b"2")
            except StoreError:
                return False
            return True

        async with asyncio.timeout(60):
            while not await works():
                await asyncio.sleep(0.1)
        assert await store.get("a") == Item(b"1"), "the replica has it"
        assert await store.get("b") == Item(b"2")
        assert leases.state().answers
        assert await leases.ask(leases.new("account"), 5) is None
        assert leases.state().answers
        headers = await limits.admit("alice")
        assert isinstance(headers, dict)
        assert limits.bypasses == 0
    await leases.aclose()
    await client.aclose()


async def test_a_sentinel_that_is_gone_hides_no_other(
    watched: tuple[RedisServer, RedisServer, RedisServer], redis_servers: Started
) -> None:
    gone = redis_servers()
    gone.stop()
    async with opened(by(gone, watched[2])) as store:
        await store.put("a", b"1")
        assert await store.get("a") == Item(b"1")


async def test_connections_by_sentinels_are_bounded_and_closed(
    watched: tuple[RedisServer, RedisServer, RedisServer],
) -> None:
    master, _, sentinel = watched
    looking, asking = redis_client(master.url), redis_client(sentinel.url)
    before = len(await asking.client_list())
    async with opened(by(sentinel)) as store:
        await asyncio.gather(*(store.get(str(number)) for number in range(100)))
        clients = [client for client in await looking.client_list() if client["cmd"] in ("get", "pttl")]
        assert 0 < len(clients) <= CONNECTIONS
    while len(await asking.client_list()) > before:  # Redis notices soon that they are closed
        await asyncio.sleep(0.02)
    await looking.aclose()
    await asking.aclose()


async def test_a_master_that_no_sentinel_knows(watched: tuple[RedisServer, RedisServer, RedisServer]) -> None:
    async with opened(by(watched[2]).replace("/main/", "/other/")) as store:
        with pytest.raises(StoreError, match="no Sentinel that answers knows a master of this name"):
            await store.get("a")


async def test_a_server_in_the_place_of_a_sentinel(redis_server: RedisServer) -> None:
    async with opened(by(redis_server)) as store:
        with pytest.raises(StoreError, match="it is no Sentinel"):
            await store.get("a")


async def trouble_of(url: str, caplog: pytest.LogCaptureFixture) -> str:
    """What the health check says of the server, once the log has said the same of slots and limits."""
    caplog.set_level(logging.INFO)
    leases = Leases(redis_client(url), budget=30.0, probe_every=0.01)
    limits = RateLimits(lambda _: Quota(100, 0), budget=30.0)
    client = redis_client(url)
    limits.share(client)
    lease = leases.new("account")
    assert await leases.ask(lease, 1) is None, "this process's own count holds"
    leases.give_back(lease)
    assert isinstance(await limits.admit("alice"), dict)
    admission = Admission()
    found = await RedisCheck([], lambda: client, admission.state).look()
    assert found.state is State.DEGRADED
    await admission.aclose()
    await leases.aclose()
    await client.aclose()
    return found.message


async def test_a_replica(redis_server: RedisServer, redis_servers: Started, caplog: pytest.LogCaptureFixture) -> None:
    replica = redis_servers("--replicaof", "127.0.0.1", str(redis_server.port))
    await is_in_sync(redis_server)
    async with opened(redis_server.url) as master, opened(replica.url) as store:
        await master.put("a", b"1")
        while await store.get("a") != Item(b"1"):  # what others have written can be read
            await asyncio.sleep(0.02)
        with pytest.raises(StoreError, match=REPLICA):
            await store.put("b", b"2")
    assert REPLICA in await trouble_of(replica.url, caplog)
    assert f"Redis doesn't answer ({REPLICA}" in caplog.text
    assert "Store limits: writing fails (it is a read-only replica" in caplog.text
    assert "answers again" not in caplog.text


async def test_a_probe_finds_a_replica_out_while_nothing_is_under_way(
    redis_server: RedisServer, redis_servers: Started, caplog: pytest.LogCaptureFixture
) -> None:
    """A PING would be answered: the limit would seem to hold, until the next call."""
    caplog.set_level(logging.INFO)
    replica = redis_servers("--replicaof", "127.0.0.1", str(redis_server.port))
    await is_in_sync(redis_server)
    leases = Leases(redis_client(replica.url), lasts=0.05, budget=30.0, probe_every=0.01)
    lease = leases.new("account")
    assert await leases.ask(lease, 1) is None
    leases.give_back(lease)
    async with asyncio.timeout(30):
        while leases.state().failures < 10:  # what was given back is forgotten by then
            await asyncio.sleep(0.01)
    assert not leases.state().answers
    assert "answers again" not in caplog.text
    await leases.aclose()


async def test_a_sentinel(redis_server: RedisServer, redis_servers: Started, caplog: pytest.LogCaptureFixture) -> None:
    sentinel = redis_servers(sentinel_of=redis_server.port)
    async with opened(sentinel.url) as store:
        for work in (store.get("a"), store.put("a", b"1"), store.scan("", 1)):
            with pytest.raises(StoreError, match=SENTINEL):
                await work
    assert SENTINEL in await trouble_of(sentinel.url.replace("/0", ""), caplog)
    assert f"Redis doesn't answer ({SENTINEL}" in caplog.text


async def test_a_node_of_a_cluster(redis_servers: Started, caplog: pytest.LogCaptureFixture) -> None:
    node = redis_servers("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
    client = redis_client(node.url)
    await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    async with asyncio.timeout(30):
        while "cluster_state:ok" not in str(await client.execute_command("CLUSTER", "INFO")):
            await asyncio.sleep(0.02)
    await client.aclose()
    async with opened(node.url) as store:
        for key in "abcdef":  # which it would take, one by one
            with pytest.raises(StoreError, match=CLUSTER):
                await store.put(key, b"1")
    assert CLUSTER in await trouble_of(node.url, caplog)
    assert f"Redis doesn't answer ({CLUSTER}" in caplog.text
