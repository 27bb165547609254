"""The SQLite store where all goes well: restarts, neighbours, bounds, privacy."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.config.values import StorePlaces
from hunyuan_fix.stores import Item, StoreError, open_levels, sqlite_file
from hunyuan_fix.stores.sqlite import USES_NOTED, Sqlite
from tests.stores.standing import Time
from tests.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Sqlite]:
    made = Sqlite(path, 64 << 20)
    yield made
    await made.aclose()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def size(path: Path) -> int:
    """Bytes; 0: there is no such file."""
    return path.stat().st_size if path.exists() else 0


def content(folder: Path) -> dict[str, bytes]:
    """What is in a folder, byte for byte."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def test_it_survives_a_restart(path: Path) -> None:
    clock = Time()
    first = Sqlite(path, 1 << 20, clock)
    await first.put("a", b"1")
    await first.put("b", b"2", 60.0)
    await first.aclose()
    clock.passes(59)
    second = Sqlite(path, 1 << 20, clock)
    assert await second.get("a") == Item(b"1")
    assert await second.get("b") == Item(b"2", 1.0)
    clock.passes(1)
    assert await second.get("b") is None
    await second.aclose()


async def test_so_does_the_order_of_use(path: Path) -> None:
    first = Sqlite(path, 1 << 20)
    for key in "abc":
        await first.put(key, b"")
    await first.get("a")
    await first.aclose()
    second = Sqlite(path, 1 << 20)
    assert [key for key, _ in await second.scan("", 9)] == ["a", "c", "b"]
    await second.aclose()


async def test_what_has_expired_leaves_the_file(path: Path) -> None:
    clock = Time()
    store = Sqlite(path, 1 << 20, clock)
    await store.put("a", b"1", 60.0)
    clock.passes(60)
    await store.put("b", b"2")
    await store.aclose()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT key FROM item").fetchall() == [("b",)]
    connection.close()


async def test_a_closed_store_that_nobody_used(path: Path) -> None:
    await Sqlite(path, 1 << 20).aclose()
    assert content(path.parent) == {}


def test_nothing_is_touched_before_the_first_use(path: Path) -> None:
    levels = open_levels(StorePlaces(path.parent / "new" / "store", "redis://192.0.2.1:1/0"), 1 << 20)
    assert [level.name for level in levels] == ["sqlite", "redis"]
    assert list(path.parent.iterdir()) == []
    assert open_levels(StorePlaces(), 1 << 20) == []


# Who may read it


async def test_only_the_owner_may_read_the_files_from_the_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def looking(file: Path, **options: Any) -> sqlite3.Connection:
        seen.append(mode(file))  # before SQLite has done anything
        return connect(file, **options)

    monkeypatch.setattr(sqlite3, "connect", looking)
    before = os.umask(0)
    try:
        store = Sqlite(tmp_path / "made" / "store", 1 << 20)
        await store.put("a", b"1")
        files = sorted(file.name for file in (tmp_path / "made").iterdir())
        modes = {mode(file) for file in (tmp_path / "made").iterdir()}
        await store.aclose()
    finally:
        os.umask(before)
    assert files == ["store", "store-shm", "store-wal"]
    assert (seen, modes, mode(tmp_path / "made")) == ([0o600], {0o600}, 0o700)


async def test_a_file_that_others_may_read_is_closed_to_them(path: Path, store: Sqlite) -> None:
    os.close(os.open(path, os.O_CREAT))
    os.chmod(path, 0o644)
    folder = mode(path.parent)
    await store.put("a", b"1")
    assert (mode(path), mode(Path(f"{path}-wal"))) == (0o600, 0o600)
    assert mode(path.parent) == folder, "a folder that was there is not ours to change"


async def test_what_is_cleared_is_nowhere_in_the_files(path: Path, store: Sqlite) -> None:
    for number in range(50):
        await store.put(f"a{number}", b"TELLTALE" * 500)
    assert b"TELLTALE" in b"".join(content(path.parent).values())
    await store.clear("a")
    assert b"TELLTALE" not in b"".join(content(path.parent).values())


# One thread


async def test_one_thread_of_its_own_does_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Sqlite(path, 1 << 20)
    threads: set[threading.Thread] = set()
    identity = sqlite_file.identity

    def noting(path: Path) -> Any:
        threads.add(threading.current_thread())
        return identity(path)

    monkeypatch.setattr(sqlite_file, "identity", noting)
    await asyncio.gather(*(store.put(str(number), b"") for number in range(20)))
    await asyncio.gather(*(store.get(str(number)) for number in range(20)))
    (thread,) = threads
    assert thread is not threading.main_thread()
    assert thread.name.startswith("hunyuan-fix-sqlite")
    await store.aclose()
    await until(lambda: not thread.is_alive())


async def test_reading_writes_only_once_in_a_while(path: Path, store: Sqlite) -> None:
    other = sqlite3.connect(path)
    await store.put("a", b"")
    await store.put("b", b"")

    def changes() -> int:
        return int(other.execute("PRAGMA data_version").fetchone()[0])

    before = changes()
    for _ in range(3):
        await store.get("a")
        await store.get("b")
    assert changes() == before
    for number in range(USES_NOTED):
        await store.put(f"n{number}", b"")
    before = changes()
    for number in range(USES_NOTED):
        await store.get(f"n{number}")
    assert changes() == before + 1
    other.close()


# Several of them


WRITER = """
import asyncio, sys
from pathlib import Path
from hunyuan_fix.stores.sqlite import Sqlite

async def main():
    store = Sqlite(Path(sys.argv[1]), 64 << 20)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(150):
        await store.put(f"{sys.argv[2]}{number}", b"v" * 100)
    print(sum([await store.get(f"{sys.argv[2]}{number}") is not None for number in range(150)]), flush=True)
    sys.stdin.readline()
    print(len(await store.scan("", 10_000)), flush=True)
    await store.aclose()

asyncio.run(main())
"""


def test_two_processes_share_one_file(path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]

    def say_and_hear(process: subprocess.Popen[str], said: str | None) -> str:
        assert process.stdin and process.stdout
        if said is not None:
            process.stdin.write(said)
            process.stdin.flush()
            return ""
        return process.stdout.readline().strip()

    try:
        assert [say_and_hear(process, None) for process in processes] == ["ready", "ready"]
        for answer in ("150", "300"):
            for process in processes:
                say_and_hear(process, "go on\n")
            assert [say_and_hear(process, None) for process in processes] == [answer, answer]
        assert [process.wait(20) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


async def test_one_who_dies_leaves_what_it_wrote(path: Path, store: Sqlite) -> None:
    script = WRITER.replace('print("ready", flush=True)', "").replace("    sys.stdin.readline()\n    for", "    for")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(path), "a", cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert (await process.stdout.readline()).strip() == b"150"
    process.kill()
    await process.wait()
    assert len(await store.scan("a", 1000)) == 150


# Its size


CAP = 80_000


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 19), st.sampled_from([10, 900, 2000, 5000, 12_000])),
        st.tuples(st.just("get"), st.integers(0, 19), st.just(0)),
    ),
    min_size=10,
    max_size=40,
)


@given(steps)
@settings(max_examples=30, deadline=None)
async def test_under_its_size_and_the_least_recently_used_goes_first(taken: list[tuple[str, int, int]]) -> None:
    """What is there is always what was used last: no gap in the order of use."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        store = Sqlite(path, CAP)
        watching: sqlite3.Connection | None = None
        used: list[str] = []
        try:
            for step, number, length in taken:
                key = f"{number * 7919 % 20:x}-key"
                if step == "put":
                    await store.put(key, os.urandom(length))
                elif await store.get(key) is None:
                    continue
                used = [*(one for one in used if one != key), key]
                there = {found for found, _ in await store.scan("", 100)}
                assert set(used[len(used) - len(there) :]) == there
                assert key in there
                watching = watching or sqlite3.connect(path)
                pages, page = (watching.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
                assert pages * page <= CAP
        finally:
            if watching:
                watching.close()
            await store.aclose()
        assert size(path) <= CAP


async def test_the_room_is_used(path: Path) -> None:
    store = Sqlite(path, CAP)
    for number in range(200):
        await store.put(str(number), b"x" * 2000)
    assert len(await store.scan("", 1000)) * 2000 > CAP / 2
    await store.aclose()


async def test_what_would_push_out_too_many_is_not_kept(path: Path) -> None:
    store = Sqlite(path, CAP)
    await store.put("a", b"small")
    await store.put("b", b"small")
    await store.put("a", b"x" * (CAP // 4 + 1))
    assert await store.get("a") is None, "the old value does not stay either"
    assert await store.get("b") == Item(b"small")
    await store.put("a", b"x" * (CAP // 4))
    assert await store.get("a") is not None
    await store.aclose()


async def test_a_smaller_bound_shrinks_the_file(path: Path) -> None:
    first = Sqlite(path, 10 * CAP)
    for number in range(400):
        await first.put(str(number), b"x" * 3000)
    await first.aclose()
    assert size(path) > 9 * CAP
    second = Sqlite(path, CAP)
    await second.put("new", b"x")
    await second.put("newer", b"x")
    assert [key for key, _ in await second.scan("", 3)] == ["newer", "new", "399"]
    await second.aclose()
    assert size(path) <= CAP


async def test_clearing_gives_the_room_back(path: Path, store: Sqlite) -> None:
    for number in range(400):
        await store.put(str(number), b"x" * 3000)
    await store.clear("")
    assert size(path) < 100_000


@pytest.mark.parametrize("max_bytes", [1, 4096, 30_000])
async def test_a_bound_below_all_sense(path: Path, max_bytes: int) -> None:
    store = Sqlite(path, max_bytes)
    await store.put("a", b"")
    await store.put("b", b"x" * 1000)
    await store.get("a")
    await store.aclose()


# Its schema


async def test_an_older_file_is_brought_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Sqlite(path, 1 << 20)
    await first.put("a", b"1")
    await first.aclose()
    newer = (*sqlite_file.STORE.migrations, ("ALTER TABLE item ADD COLUMN note TEXT",))
    monkeypatch.setattr(sqlite_file, "STORE", replace(sqlite_file.STORE, migrations=newer))
    second = Sqlite(path, 1 << 20)
    assert await second.get("a") == Item(b"1")
    await second.put("b", b"2")
    await second.aclose()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT note FROM item").fetchall() == [(None,), (None,)]
    connection.close()


async def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Sqlite(path, 1 << 20)
    await first.put("a", b"1")
    await first.aclose()
    with monkeypatch.context() as patched:
        broken = (*sqlite_file.STORE.migrations, ("ALTER TABLE item ADD COLUMN note TEXT", "NONSENSE"))
        patched.setattr(sqlite_file, "STORE", replace(sqlite_file.STORE, migrations=broken))
        second = Sqlite(path, 1 << 20)
        with pytest.raises(StoreError, match="syntax error"):
            await second.get("a")
        await second.aclose()
    third = Sqlite(path, 1 << 20)
    assert await third.get("a") == Item(b"1")
    await third.aclose()


async def test_a_newer_file_is_left_alone(path: Path, store: Sqlite) -> None:
    other = Sqlite(path, 1 << 20)
    await other.put("a", b"1")
    await other.aclose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    before = content(path.parent)
    for work in (store.get("a"), store.put("b", b"2"), store.clear("")):
        with pytest.raises(StoreError, match=r"newer version of hunyuan-fix \(schema 7, this one knows 1\)"):
            await work
    assert content(path.parent) == before


async def test_so_is_another_programs_database(path: Path, store: Sqlite) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = content(path.parent)
    with pytest.raises(StoreError, match="another program's database"):
        await store.put("b", b"2")
    assert content(path.parent) == before
