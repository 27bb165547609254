"""The stores' checks: real SQLite files, full, locked, read-only, corrupt; a real Redis that stops and starts."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from hunyuan_fix.admission.admission import Admission
from hunyuan_fix.admission.leases import Leases
from hunyuan_fix.observe.health import Finding, State, stores
from hunyuan_fix.observe.health.stores import RedisCheck, SqliteCheck
from hunyuan_fix.stores import Chain, Memory, guard, level, redis
from hunyuan_fix.stores.redis import Redis, redis_client
from hunyuan_fix.stores.sqlite import Sqlite
from tests.redis_server import RedisServer
from tests.waiting import until

ROOT = Path(__file__).parents[3]
SIZE = 1 << 20


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that failed is tried again soon, and fails for what is done to it, not because the machine is busy."""
    monkeypatch.setattr(level, "BUDGET", 30.0)
    monkeypatch.setattr(stores, "_ASKED", 30.0)
    monkeypatch.setattr(redis, "TIMEOUT", 30.0)
    monkeypatch.setattr(guard, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(guard, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "store"


@pytest.fixture
async def chain(path: Path) -> AsyncIterator[Chain]:
    made = Chain(Memory(100, SIZE), [Sqlite(path, SIZE)])
    yield made
    await made.aclose()


@pytest.fixture
def sqlite(chain: Chain, path: Path) -> SqliteCheck:
    """Of two chains, the first of which works."""
    return SqliteCheck([Chain(Memory(1, 1)), chain], lambda: path)


async def put(chain: Chain, key: str = "a", value: bytes = b"1") -> None:
    """Write through to the store, or until that fails."""
    chain.put(key, value)
    await until(lambda: chain._levels[0].counts().waiting == 0 or chain._levels[0].failing)


async def degraded(check: SqliteCheck | RedisCheck, words: str) -> None:
    found = await check.look()
    assert found.state is State.DEGRADED
    assert words in found.message


async def healed(check: SqliteCheck | RedisCheck) -> Finding:
    """The finding once it is healthy, which it becomes without a request."""
    found = await check.look()
    deadline = time.monotonic() + 20
    while found.state is not State.HEALTHY and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
        found = await check.look()
    assert found.state is State.HEALTHY, found.message
    return found


# SQLite


async def test_one_that_works(sqlite: SqliteCheck, chain: Chain, path: Path) -> None:
    assert (await sqlite.look()).message == f"{path} works.", "before it is made"
    assert not path.exists()
    await put(chain)
    assert (await sqlite.look()).message == f"{path} works."


async def test_none_is_asked_for() -> None:
    assert (await SqliteCheck([Chain(Memory(1, 1))], lambda: None).look()).message == "Not used (hunyuan_store)."


async def test_one_that_another_program_holds_locked(sqlite: SqliteCheck, chain: Chain, path: Path) -> None:
    await put(chain)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await put(chain, "b")
    await degraded(sqlite, "Another program holds")
    other.execute("ROLLBACK")
    other.close()
    await healed(sqlite)
    assert await chain._levels[0]._store.get("b"), "what waited is written by itself"


async def test_one_without_room(sqlite: SqliteCheck, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def limited(file: Path, **options: object) -> sqlite3.Connection:
        connection = connect(file, **options)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    monkeypatch.setattr(sqlite3, "connect", limited)
    await put(chain, value=b"2" * 100_000)
    await degraded(sqlite, "No space is left")


async def test_a_folder_in_its_place(sqlite: SqliteCheck, chain: Chain, path: Path) -> None:
    path.mkdir(parents=True)
    await chain.get("a")
    await degraded(sqlite, "is by-passed, since it fails: SQLITE_CANTOPEN")
    path.rmdir()
    await healed(sqlite)


async def test_a_file_that_was_corrupt_is_told_for_a_day(chain: Chain, path: Path) -> None:
    now = [time.time()]
    check = SqliteCheck([chain], lambda: path, lambda: now[0])
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database\n" * 500)
    await put(chain)
    (aside,) = path.parent.glob("store.corrupt-*")
    await degraded(check, f"set aside as {aside.name}")
    now[0] += 86_000
    await degraded(check, aside.name)
    now[0] += 1000
    assert (await check.look()).state is State.HEALTHY
    now[0] -= 1000
    aside.unlink()
    assert (await check.look()).state is State.HEALTHY


@pytest.mark.parametrize(
    "name", ["store.corrupt-x", "store.corrupt-20269901T000000Z", "store2.corrupt-20261101T000000Z"]
)
async def test_other_files_beside_it_are_none_of_it(sqlite: SqliteCheck, path: Path, name: str) -> None:
    path.parent.mkdir(parents=True)
    (path.parent / name).touch()
    assert (await sqlite.look()).state is State.HEALTHY


async def test_a_name_with_marks_of_patterns(tmp_path: Path) -> None:
    path = tmp_path / "store[1]*"
    chain = Chain(Memory(1, 1), [Sqlite(path, SIZE)])
    path.write_bytes(b"this is no database\n" * 500)
    await put(chain)
    await degraded(SqliteCheck([chain], lambda: path), "store[1]*.corrupt-")
    await chain.aclose()


GROWS = """
import asyncio, resource, sys
from pathlib import Path
from hunyuan_fix.observe.health.stores import SqliteCheck
from hunyuan_fix.stores import Chain, Memory
from hunyuan_fix.stores.sqlite import Sqlite

async def main():
    path = Path(sys.argv[1])
    chain = Chain(Memory(9, 1 << 30), [Sqlite(path, 1 << 30)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    check = SqliteCheck([chain], lambda: path)
    for number in range(100):
        chain.put(f"b{number}", b"2" * 10_000)
        while chain.counts()[1].waiting and not chain.counts()[1].failing:
            await asyncio.sleep(0.001)
        found = await check.look()
        if found.state.word == "degraded":
            print(found.message)
            break
    await chain.aclose()

asyncio.run(main())
"""


def test_the_system_refuses_to_let_it_grow(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROWS, str(tmp_path / "store")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "is by-passed, since it fails: SQLITE_IOERR" in done.stdout or "No space is left" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] < 0 or sys.platform != "linux", "of that process alone"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_disk_that_is_full_and_one_that_is_read_only(small_disk: Path) -> None:
    path = small_disk / "store"
    chain = Chain(Memory(9, SIZE), [Sqlite(path, SIZE)])
    check = SqliteCheck([chain], lambda: path)
    await put(chain)
    filler = small_disk / "filler"
    with filler.open("wb", 0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    await put(chain, "b", b"2" * 100_000)
    await degraded(check, "No space is left")
    filler.unlink()
    await healed(check)
    await chain.aclose()

    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)  # noqa: ASYNC221 - nothing else runs
    chain = Chain(Memory(9, SIZE), [Sqlite(path, SIZE)])
    check = SqliteCheck([chain], lambda: path)
    await degraded(check, "can't be written")
    chain.put("c", b"3")
    await until(lambda: chain.counts()[1].failing)
    await degraded(check, "can't be written")
    await chain.aclose()


# Redis


async def test_a_redis_that_stops_and_starts(redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url)
    chain = Chain(Memory(9, SIZE), [Redis(redis_server.url)])
    admission, leases = Admission(), Leases(redis_client(redis_server.url), probe_every=0.05)
    admission.configure(queue_max=1, queue_timeout=1, leases=leases)
    check = RedisCheck([chain], lambda: client, admission.state)
    assert (await check.look()).message == "Redis answers."

    redis_server.stop()
    await degraded(check, "limits hold for each process alone")
    assert redis_server.url not in (await check.look()).message
    redis_server.start()
    assert (await check.look()).message == "Redis answers.", "no request is needed to see it"

    # A store that failed works again, though nobody reads from it.
    redis_server.stop()
    await chain.get("a")
    assert chain.counts()[1].failing
    redis_server.start()
    await healed(check)

    await chain.aclose()
    await admission.aclose()
    await client.aclose()


async def test_one_that_hangs(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = redis_client(redis_server.url)
    check = RedisCheck([], lambda: client, Admission().state)
    redis_server.pause()
    monkeypatch.setattr(stores, "_ASKED", 0.01)
    await degraded(check, "(no answer within 10 ms)")
    redis_server.resume()
    monkeypatch.setattr(stores, "_ASKED", 30.0)
    await healed(check)
    await client.aclose()


async def test_one_that_answers_but_takes_nothing(redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url)
    chain = Chain(Memory(9, SIZE), [Redis(redis_server.url)])
    check = RedisCheck([chain], lambda: client, Admission().state)
    await client.config_set("maxmemory", "1")
    await put(chain)
    await degraded(check, "its store is by-passed, since it fails: the server refuses: OutOfMemoryError")
    await client.config_set("maxmemory", "0")
    await healed(check)
    await chain.aclose()
    await client.aclose()


async def test_slots_without_an_answer_are_told(redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url)
    admission, leases = Admission(), Leases(redis_client("redis://127.0.0.1:1/0"))
    admission.configure(queue_max=1, queue_timeout=1, leases=leases)
    check = RedisCheck([], lambda: client, admission.state)
    assert (await check.look()).state is State.HEALTHY
    lease = leases.new("account")
    await leases.ask(lease, 1)
    await degraded(check, "about slots")
    await admission.aclose()
    await client.aclose()


async def test_no_redis_is_asked_for() -> None:
    assert (await RedisCheck([], lambda: None, Admission().state).look()).message == "Not used (hunyuan_store)."
