"""The store in an SQLite file: survives a restart, and serves several processes on one machine."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from . import sqlite_file
from .store import Item

USES_NOTED = 200
"""Reads after which the order of use is written, unless a write comes first: a read by itself writes nothing."""
LARGEST_SHARE = 4
"""A value larger than the file's size divided by this is not kept: it would evict too many others."""
AT_ONCE = 500
"""Rows that one step deletes, or pages that it frees, so that no step takes long."""

_NEXT_USE = "(SELECT coalesce(max(used), 0) + 1 FROM item)"


class Sqlite:
    """Values in the file `path` of at most `max_bytes`, the least recently used first out.

    Beside it are `-wal`, of some 4 MB while it is busy, and `-shm`. All work is done by one thread of the store's own,
    which opens the file when it is first used. `clock`: Unix time, which means the same after a restart.
    """

    name = "sqlite"

    def __init__(self, path: Path, max_bytes: int, clock: Callable[[], float] = time.time) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "hunyuan-fix-sqlite")
        # Below: used by that thread only.
        self._file = sqlite_file.Connected(path, sqlite_file.STORE)
        self._uses: dict[str, None] = {}
        """Keys that were read since the order of use was last written, the latest last."""

    async def get(self, key: str) -> Item | None:
        """See `Store`."""
        return await self._do(partial(self._get, key))

    async def put(self, key: str, value: bytes, lasts: float | None = None) -> None:
        """See `Store`. A value that is too large is not kept."""
        expires = None if lasts is None else self._clock() + lasts
        await self._do(partial(self._put, key, value, expires))

    async def delete(self, key: str) -> None:
        """See `Store`."""
        await self._do(partial(_delete, key))

    async def scan(self, prefix: str, limit: int) -> list[tuple[str, Item]]:
        """See `Store`. The latest reads may not count yet as use."""
        return await self._do(partial(self._scan, prefix, limit))

    async def clear(self, prefix: str) -> int:
        """See `Store`. The values are erased from the file, too."""
        count = 0
        while gone := await self._do(partial(_clear_some, prefix)):
            count += gone  # in steps: reads come in between
        await self._do(_empty_log)
        return count

    async def aclose(self) -> None:
        """See `Store`."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        finally:
            self._thread.shutdown(wait=False)

    async def _do[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._file.do, work)

    # What follows runs on the store's own thread.

    def _close(self) -> None:
        if self._file.connection is not None:
            self._write_uses_alone(self._file.connection)
        self._file.disconnect()

    def _get(self, key: str, connection: sqlite3.Connection) -> Item | None:
        row = connection.execute("SELECT value, expires FROM item WHERE key = ?", (key,)).fetchone()
        item = self._item(*row) if row else None
        if item is not None:
            self._uses.pop(key, None)
            self._uses[key] = None
            if len(self._uses) >= USES_NOTED:
                self._write_uses_alone(connection)
        return item

    def _put(self, key: str, value: bytes, expires: float | None, connection: sqlite3.Connection) -> None:
        if len(value) > self._max_bytes // LARGEST_SHARE:
            _delete(key, connection)
            return
        connection.execute("BEGIN IMMEDIATE")
        self._write_uses(connection)
        connection.execute(
            "DELETE FROM item WHERE key IN (SELECT key FROM item WHERE expires <= ? LIMIT ?)", (self._clock(), AT_ONCE)
        )
        connection.execute(
            f"INSERT INTO item (key, value, expires, used) VALUES (?, ?, ?, {_NEXT_USE}) ON CONFLICT (key) "  # noqa: S608
            "DO UPDATE SET value = excluded.value, expires = excluded.expires, used = excluded.used",
            (key, value, expires),
        )
        self._shrink(connection)
        connection.execute("COMMIT")
        self._uses.clear()

    def _shrink(self, connection: sqlite3.Connection) -> None:
        """Delete rows until the file is within its bound, `AT_ONCE` at most: the next write deletes more."""
        page = _pragma(connection, "page_size")
        for _ in range(AT_ONCE):
            if page * (_pragma(connection, "page_count") - _pragma(connection, "freelist_count")) <= self._max_bytes:
                break
            connection.execute("DELETE FROM item WHERE used = (SELECT min(used) FROM item)")
        if page * _pragma(connection, "page_count") > self._max_bytes:
            connection.execute(f"PRAGMA incremental_vacuum({AT_ONCE})").fetchall()

    def _write_uses(self, connection: sqlite3.Connection) -> None:
        update = f"UPDATE item SET used = {_NEXT_USE} WHERE key = ?"  # noqa: S608
        connection.executemany(update, [(key,) for key in self._uses])

    def _write_uses_alone(self, connection: sqlite3.Connection) -> None:
        # A failure to write loses the order of use, and must not fail the read.
        with suppress(sqlite3.Error):
            connection.execute("BEGIN IMMEDIATE")
            self._write_uses(connection)
            connection.execute("COMMIT")
        self._uses.clear()

    def _scan(self, prefix: str, limit: int, connection: sqlite3.Connection) -> list[tuple[str, Item]]:
        rows = connection.execute(
            "SELECT key, value, expires FROM item WHERE substr(key, 1, ?) = ? AND (expires IS NULL OR expires > ?) "
            "ORDER BY used DESC LIMIT ?",
            (len(prefix), prefix, self._clock(), limit),
        )
        return [(str(key), item) for key, value, expires in rows if (item := self._item(value, expires))]

    def _item(self, value: object, expires: object) -> Item | None:
        """A row's item; `None` if it has expired or is not of the right types: a broken file may hold anything."""
        lasts = expires - self._clock() if isinstance(expires, float) else None
        if not isinstance(value, bytes) or (lasts is not None and not lasts > 0):
            return None
        return Item(value, lasts)


def _delete(key: str, connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM item WHERE key = ?", (key,))


def _clear_some(prefix: str, connection: sqlite3.Connection) -> int:
    rows = "SELECT key FROM item WHERE substr(key, 1, ?) = ? LIMIT ?"
    gone = connection.execute(f"DELETE FROM item WHERE key IN ({rows})", (len(prefix), prefix, AT_ONCE))  # noqa: S608
    connection.execute(f"PRAGMA incremental_vacuum({2 * AT_ONCE})").fetchall()
    return gone.rowcount


def _empty_log(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
