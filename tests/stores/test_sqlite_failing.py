"""The SQLite store where something is wrong: the real errors of real files."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hunyuan_fix.stores import Item, StoreError, sqlite_file
from hunyuan_fix.stores.sqlite import Sqlite
from tests.stores.standing import lines

ROOT = Path(__file__).parents[2]
SIZE = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Sqlite]:
    made = Sqlite(path, SIZE)
    yield made
    await made.aclose()


async def written(path: Path, count: int = 100) -> None:
    store = Sqlite(path, SIZE)
    for number in range(count):
        await store.put(f"a{number}", bytes([number % 256]) * 1000)
    await store.aclose()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def set_aside(path: Path) -> Path:
    (aside,) = path.parent.glob("store.corrupt-*T*Z")
    return aside


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def read(path: Path) -> bytes:
    return path.read_bytes()


# Corrupt


GARBAGE = b"this is no database\n" * 500


@pytest.mark.parametrize("work", ["get", "put", "scan", "clear", "delete"])
async def test_garbage_is_set_aside_and_a_new_file_begun(
    path: Path, store: Sqlite, caplog: pytest.LogCaptureFixture, work: str
) -> None:
    write(path, GARBAGE)
    calls: dict[str, Any] = {
        "get": lambda: store.get("a"),
        "put": lambda: store.put("a", b"1"),
        "scan": lambda: store.scan("", 9),
        "clear": lambda: store.clear(""),
        "delete": lambda: store.delete("a"),
    }
    await calls[work]()
    aside = set_aside(path)
    assert read(aside) == GARBAGE
    assert lines(caplog) == [
        f"The store {path} is corrupt (SQLITE_NOTADB: file is not a database). It is set aside as {aside.name}, and a "
        "new one is begun."
    ]
    await store.put("b", b"2")
    assert await store.get("b") == Item(b"2")


async def test_two_set_aside_in_one_second(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda *_: "20261101T120000Z")
    for number in range(3):
        write(path, b"%d" % number * 1000)
        store = Sqlite(path, SIZE)
        assert await store.get("a") is None
        await store.aclose()
    asides = [f"store.corrupt-20261101T120000Z{ending}" for ending in ("", "-2", "-3")]
    assert names(path.parent) == ["store", *asides]
    assert [read(path.parent / name)[:1] for name in asides] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
async def test_a_truncated_file(path: Path, store: Sqlite, part: float) -> None:
    await written(path)
    whole = read(path)
    os.truncate(path, int(len(whole) * part))
    for number in range(100):
        item = await store.get(f"a{number}")
        assert item in (None, Item(bytes([number]) * 1000))
    await store.put("new", b"1")
    assert await store.get("new") == Item(b"1")
    assert whole.startswith(read(set_aside(path)))


async def test_an_emptied_file_is_a_new_one(path: Path, store: Sqlite) -> None:
    await written(path)
    os.truncate(path, 0)
    assert await store.get("a1") is None
    await store.put("a", b"1")
    assert names(path.parent) == ["store", "store-shm", "store-wal"]


@example([(0.068359375, b"\x80")])  # in the schema: Python can't read what SQLite says about it
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=40)), min_size=1, max_size=8)
)
@settings(max_examples=40, deadline=None)
async def test_bytes_changed_anywhere_never_stop_it(damage: list[tuple[float, bytes]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        await written(path, 30)
        data = bytearray(read(path))
        for place, new in damage:
            start = int(place * len(data))
            data[start : start + len(new)] = new
        write(path, bytes(data))
        store = Sqlite(path, SIZE)
        try:
            for number in range(30):
                try:
                    await store.get(f"a{number}")
                    await store.put(f"b{number}", b"x" * random.Random(number).randrange(3000))
                except StoreError:
                    pass  # "another program's database", say: that its marks were hit can't be told apart
            await asyncio.gather(store.scan("", 100), store.clear("a"), return_exceptions=True)
        finally:
            await store.aclose()


async def test_two_that_find_it_corrupt_set_one_file_aside(path: Path) -> None:
    await written(path)
    stores = [Sqlite(path, SIZE) for _ in range(4)]
    for store in stores:
        await store.get("a1")
    with path.open("r+b") as file:
        file.write(GARBAGE)
    # Who has pages in memory may write to the corrupt file until another one finds out.
    await asyncio.gather(*(store.get(f"a{number}") for store in stores for number in range(100)))
    await asyncio.gather(*(store.put("a", b"1") for store in stores))
    await asyncio.gather(*(store.put(f"n{number}", b"1") for number, store in enumerate(stores)))
    assert set_aside(path)
    for store in stores:
        assert len(await store.scan("n", 10)) == 4
        await store.aclose()


async def test_what_another_process_has_begun_anew_is_not_set_aside(path: Path) -> None:
    write(path, GARBAGE)
    seen = sqlite_file.identity(path)
    os.rename(path, path.with_name("by another"))
    await written(path)
    sqlite_file.set_aside(path, seen, sqlite3.DatabaseError("file is not a database"))
    assert names(path.parent) == ["by another", "store"]


@pytest.mark.parametrize("renamed", [False, True])
async def test_a_file_that_goes_away_is_begun_anew(path: Path, store: Sqlite, renamed: bool) -> None:
    await store.put("a", b"1")
    for name in names(path.parent):
        (path.parent / name).rename(path.parent / f"old{name}") if renamed else (path.parent / name).unlink()
    assert await store.get("a") is None
    await store.put("b", b"2")
    other = Sqlite(path, SIZE)
    assert await other.get("b") == Item(b"2")
    await other.aclose()


# Out of reach


async def test_a_directory_in_its_place(path: Path, store: Sqlite) -> None:
    os.mkdir(path)
    with pytest.raises(StoreError, match="SQLITE_CANTOPEN"):
        await store.get("a")
    os.rmdir(path)
    await store.put("a", b"1")
    assert await store.get("a") == Item(b"1")


async def test_a_file_where_its_folder_should_be(path: Path) -> None:
    write(path, b"")
    store = Sqlite(path / "store", SIZE)
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        await store.put("a", b"1")
    await store.aclose()


async def test_a_read_only_file_can_still_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await written(path)
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda file, **options: connect(f"file:{file}?mode=ro", uri=True, **options)
    )
    store = Sqlite(path, SIZE)
    assert await store.get("a1") == Item(b"\1" * 1000)
    with pytest.raises(StoreError, match="SQLITE_READONLY"):
        await store.put("b", b"2")
    for number in range(100):
        assert await store.get(f"a{number}")
    await store.aclose()


# Full


async def test_a_full_disk_can_still_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def limited(file: Path, **options: Any) -> sqlite3.Connection:
        connection = connect(file, **options)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    monkeypatch.setattr(sqlite3, "connect", limited)
    store = Sqlite(path, SIZE)
    await store.put("a", b"1")
    with pytest.raises(StoreError, match="SQLITE_FULL"):
        await store.put("b", b"2" * 100_000)
    assert (await store.get("a"), await store.get("b")) == (Item(b"1"), None)
    await store.put("c", b"3")
    assert await store.get("c") == Item(b"3")
    await store.aclose()


FULL = """
import asyncio, resource, sys
from pathlib import Path
from hunyuan_fix.stores import StoreError
from hunyuan_fix.stores.sqlite import Sqlite

async def main():
    store = Sqlite(Path(sys.argv[1]), 1 << 30)
    await store.put("a", b"1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    failed = 0
    for number in range(100):
        try:
            await store.put(f"b{number}", b"2" * 10_000)
        except StoreError:
            failed += 1
    assert failed and (await store.get("a")).value == b"1"
    await store.aclose()
    print(failed)

asyncio.run(main())
"""


async def test_the_system_refuses_to_let_it_grow(path: Path, store: Sqlite) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL, str(path), cwd=ROOT, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert int(output) > 0
    assert await store.get("a") == Item(b"1")
    await store.put("c", b"3")


# Locked


async def test_who_waits_for_another_writer_waits_not_long(path: Path, store: Sqlite) -> None:
    await store.put("a", b"1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="SQLITE_BUSY: database is locked"):
        await store.put("b", b"2")
    assert await store.get("a") == Item(b"1"), "reading needs no lock"
    other.execute("ROLLBACK")
    other.close()
    await store.put("b", b"2")
    assert await store.get("b") == Item(b"2")


async def test_nor_for_another_who_is_just_opening(path: Path, store: Sqlite) -> None:
    handle = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(StoreError, match="another process"):
        await store.get("a")
    os.close(handle)
    assert await store.get("a") is None


async def test_opening_keeps_the_locks_of_others_in_the_process(path: Path) -> None:
    """POSIX locks go with the first handle of a file that is closed (sqlite.org/howtocorrupt.html section 2.2)."""
    holding = sqlite3.connect(path, isolation_level=None)
    holding.execute("PRAGMA journal_mode = DELETE")
    holding.execute("CREATE TABLE t (a)")
    holding.execute("BEGIN EXCLUSIVE")
    store = Sqlite(path, SIZE)
    with pytest.raises(StoreError):
        await store.get("a")
    script = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM t')"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path), stderr=subprocess.PIPE)
    _, complaint = await process.communicate()
    assert b"database is locked" in complaint
    holding.close()
    await store.aclose()


async def test_texts_of_errors_hold_no_value(path: Path, store: Sqlite) -> None:
    await store.put("a", b"1")
    other = sqlite3.connect(path)
    other.execute("CREATE TRIGGER no BEFORE UPDATE ON item BEGIN SELECT RAISE(ABORT, 'no'); END")
    other.close()
    with pytest.raises(StoreError) as caught:
        await store.put("a", b"TELLTALE")
    assert str(caught.value) == "SQLITE_CONSTRAINT_TRIGGER: no"
    assert caught.value.__cause__ is None
