"""The chain over real SQLite files and a real redis-server that fail for real: no request fails or waits for them."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from pathlib import Path

import pytest

from hunyuan_fix.config.values import StorePlaces
from hunyuan_fix.stores import Chain, Item, LevelCounts, Memory, open_levels
from tests.redis_server import RedisServer
from tests.stores.standing import Time, lines
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("unhurried")

PATIENT = 20.0
"""Seconds within which nothing hangs."""


def places(path: Path | None, server: RedisServer | None) -> StorePlaces:
    return StorePlaces(path, server.url if server else None)


class Worker:
    """One process's chain; its time for trying again passes when it is told to."""

    def __init__(self, path: Path | None, server: RedisServer | None, max_bytes: int = 1 << 20) -> None:
        self.time = Time()
        levels = open_levels(places(path, server), max_bytes)
        self.chain = Chain(Memory(100, 1 << 20, self.time), levels, self.time, self.time.sleep)

    def counts(self, name: str) -> LevelCounts:
        return next(counts for counts in self.chain.counts() if counts.name == name)

    async def get(self, key: str) -> bytes | None:
        async with asyncio.timeout(PATIENT):
            item = await self.chain.get(key)
        return item.value if item else None

    async def ends(self) -> None:
        async with asyncio.timeout(PATIENT):
            await self.chain.aclose()


async def test_paid_once_for_a_restart_and_for_every_worker(tmp_path: Path, redis_server: RedisServer) -> None:
    first = Worker(tmp_path / "one", redis_server)
    first.chain.put("a", b"1")
    await first.ends()
    restarted = Worker(tmp_path / "one", None)
    assert await restarted.get("a") == b"1"
    await restarted.ends()
    elsewhere = Worker(tmp_path / "two", redis_server)
    assert await elsewhere.get("a") == b"1"
    await elsewhere.ends()
    later = Worker(tmp_path / "two", None)
    assert await later.get("a") == b"1", "the hit in Redis filled the file"
    await later.ends()


async def test_redis_goes_and_comes_back(
    tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hunyuan_fix")
    worker = Worker(tmp_path / "store", redis_server)
    assert await worker.get("a") is None
    redis_server.stop()
    assert await worker.get("a") is None
    worker.chain.put("b", b"2")
    for _ in range(20):
        assert await worker.get("c") is None
    assert worker.counts("redis").bypassed == 20
    await until(lambda: worker.counts("sqlite").waiting == 0)
    assert len(lines(caplog)) == 1
    assert lines(caplog)[0].startswith("Store redis: reading fails (ConnectionError: ")
    redis_server.start()
    assert await worker.get("c") is None
    worker.time.passes(5)
    assert await worker.get("c") is None
    await until(lambda: not worker.counts("redis").failing and worker.counts("redis").waiting == 0)
    assert lines(caplog, logging.INFO) == ["Store redis works again, after 5 s."]
    other = Worker(None, redis_server)
    assert await other.get("b") == b"2", "what was put meanwhile is there"
    await other.ends()
    await worker.ends()


async def test_redis_hangs_and_goes_on(
    hurried: None, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(None, redis_server)
    worker.chain.put("a", b"1")
    await worker.chain.flush()
    worker.chain.memory.forget("")
    redis_server.pause()
    results = await asyncio.gather(*(worker.get(key) for key in "a" * 100))
    assert set(results) == {None}
    assert worker.counts("redis").failures >= 1
    failures = worker.counts("redis").failures
    assert await worker.get("a") is None
    assert worker.counts("redis").failures == failures, "it is not even asked"
    (line,) = lines(caplog)
    assert "reading fails" in line
    assert "Timeout" in line or "no answer within 200 ms" in line
    redis_server.resume()
    worker.time.passes(5)
    assert await worker.get("a") == b"1"
    await worker.ends()


async def test_a_locked_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker(tmp_path / "store", None)
    worker.chain.put("a", b"1")
    await worker.chain.flush()
    other = sqlite3.connect(tmp_path / "store", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    worker.chain.put("b", b"2")
    worker.chain.put("c", b"3")
    await until(lambda: worker.counts("sqlite").failures == 1)
    worker.chain.memory.forget("")
    assert (await worker.get("a"), await worker.get("b")) == (b"1", b"2"), "read, and not yet written"
    assert len(lines(caplog)) == 1
    assert "writing fails (SQLITE_BUSY: database is locked)" in lines(caplog)[0]
    other.execute("ROLLBACK")
    other.close()
    worker.time.passes(5)
    await until(lambda: worker.counts("sqlite").waiting == 0)
    await worker.ends()
    again = Worker(tmp_path / "store", None)
    assert [await again.get(key) for key in "abc"] == [b"1", b"2", b"3"]
    await again.ends()


async def test_a_corrupt_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "store").write_bytes(b"garbage" * 1000)
    worker = Worker(tmp_path / "store", None)
    assert await worker.get("a") is None
    worker.chain.put("a", b"1")
    await worker.ends()
    assert worker.counts("memory").misses == 1
    (line,) = lines(caplog)
    assert "is corrupt" in line
    (aside,) = (name for name in os.listdir(tmp_path) if "corrupt" in name)
    assert aside.startswith("store.corrupt-")
    again = Worker(tmp_path / "store", None)
    assert await again.get("a") == b"1"
    await again.ends()


@pytest.mark.parametrize("obstacle", ["directory", "file above", "newer"])
async def test_a_place_that_can_not_be_used(tmp_path: Path, obstacle: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "store"
    if obstacle == "directory":
        path.mkdir()
    elif obstacle == "file above":
        path.write_bytes(b"")
        path /= "store"
    else:
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA application_id = {0x68796678}")
        connection.execute("PRAGMA user_version = 9")
        connection.close()
    worker = Worker(path, None)
    assert await worker.get("a") is None
    worker.chain.put("a", b"1")
    assert await worker.get("a") == b"1"
    await worker.ends()
    assert len([line for line in lines(caplog) if "It is by-passed" in line]) == 1


async def test_a_full_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    connect = sqlite3.connect
    made: list[sqlite3.Connection] = []

    def limited(file: Path, *, timeout: float, isolation_level: None) -> sqlite3.Connection:
        made.append(connect(file, timeout=timeout, isolation_level=isolation_level, check_same_thread=False))
        made[-1].execute("PRAGMA max_page_count = 20")
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", limited)
    worker = Worker(tmp_path / "store", None)
    worker.chain.put("a", b"1")
    await worker.chain.flush()
    worker.chain.put("b", b"2" * 100_000)
    await until(lambda: worker.counts("sqlite").failures == 1)
    worker.chain.memory.forget("")
    assert await worker.get("a") == b"1"
    (line,) = lines(caplog)
    assert "writing fails (SQLITE_FULL: database or disk is full)" in line
    made[-1].execute("PRAGMA max_page_count = 200")
    worker.time.passes(5)
    await until(lambda: worker.counts("sqlite").waiting == 0)
    await worker.ends()


async def test_stores_change_while_running(tmp_path: Path, redis_server: RedisServer) -> None:
    worker = Worker(tmp_path / "one", None)
    worker.chain.put("a", b"1")
    worker.chain.replace(open_levels(places(tmp_path / "two", redis_server), 1 << 20))
    worker.chain.put("b", b"2")
    await worker.ends()
    held = {}
    for name, place in {
        "one": places(tmp_path / "one", None),
        "two": places(tmp_path / "two", None),
        "redis": places(None, redis_server),
    }.items():
        (store,) = open_levels(place, 1 << 20)
        held[name] = await store.scan("", 10)
        await store.aclose()
    assert held == {"one": [("a", Item(b"1"))], "two": [("b", Item(b"2"))], "redis": [("b", Item(b"2"))]}
