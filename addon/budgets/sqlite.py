"""Counters of budgets in an SQLite file: for all workers of one machine. Each operation is one transaction.

All work is done by one thread of their own. The file is private (0600). A power cut may cost the last second's counts;
a process that dies, none.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from ..stores import sqlite_file
from ..stores.store import StoreError
from .counters import MOST, Answer, Claim, Settlement, Standing, fits

LOCK_WAIT: Final = 5.0
"""Seconds to wait for other processes that are writing: SQLite lets in any that waits, not the one that came first."""
APPLICATION_ID: Final = 0x68796662
"""`hyfb` in the file's header: this program's budgets."""
VERSION: Final = 1
_KEPT: Final = 86_400
"""Seconds for which a counter is kept after its end: a call that began in it settles there."""
_REMEMBERED: Final = 3600
"""Seconds in which a settlement that is told again counts once."""
_AT_ONCE: Final = 500
"""Rows that one operation deletes."""
_SCHEMA: Final = (
    "CREATE TABLE counter (key TEXT PRIMARY KEY, spent INTEGER NOT NULL, ends REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX counter_by_end ON counter (ends)",
    "CREATE TABLE held (key TEXT, id TEXT, amount INTEGER NOT NULL, expires REAL NOT NULL, PRIMARY KEY (key, id)) "
    "WITHOUT ROWID",
    "CREATE INDEX held_by_id ON held (id)",
    "CREATE TABLE settled (id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX settled_by_time ON settled (at)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
_SPEND: Final = (
    "INSERT INTO counter (key, spent, ends) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET spent = min(spent + excluded.spent, ?), ends = excluded.ends"
)


class SqliteCounters:
    """As `Counters`, in the file `path`, which is opened when it is first used. `clock`: Unix time."""

    name = "sqlite"

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "hunyuan-fix-budgets")
        # Below: used by that thread only.
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    async def reserve(self, id: str, claims: Sequence[Claim], lasts: float) -> Answer:
        """See `Counters`."""
        return await self._do(partial(self._reserve, id, claims, lasts))

    async def renew(self, held: Mapping[str, Sequence[str]], lasts: float) -> None:
        """See `Counters`."""
        until = self._clock() + lasts
        rows = [(until, key, id) for id, keys in held.items() for key in keys]
        await self._do(lambda db: db.executemany("UPDATE held SET expires = ? WHERE key = ? AND id = ?", rows))

    async def settle(self, settlement: Settlement) -> None:
        """See `Counters`."""
        await self._do(partial(self._settle, settlement))

    async def look(self, keys: Sequence[str]) -> Sequence[Standing]:
        """See `Counters`."""
        return await self._do(lambda db: [_standing(db, key, self._clock()) for key in keys])

    async def aclose(self) -> None:
        """See `Counters`."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        finally:
            self._thread.shutdown(wait=False)

    async def _do[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._try, work)

    # What follows runs on the counters' own thread.

    def _try[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            try:
                return self._done(work)
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if not sqlite_file.is_corrupt(error):
                    raise
                self._close()
                sqlite_file.set_aside(self._path, self._file, error)
            return self._done(work)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._close()  # the next operation begins anew
            raise StoreError(sqlite_file.reason(error)) from None
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror or type(error).__name__}") from None

    def _done[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, in one transaction."""
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and sqlite_file.identity(self._path) == self._file:
            return self._connection
        self._close()  # deleted, or set aside by another process: a new file is begun
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self._file = sqlite_file.identity(self._path)
        connection = sqlite3.connect(self._path, timeout=LOCK_WAIT, isolation_level=None)
        try:
            self._make_ready(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _make_ready(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")  # one snapshot: another process may be making the tables at this moment
        self._check(connection)  # before anything is written
        connection.execute("COMMIT")
        _use_log(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        if not self._check(connection):
            for statement in _SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")

    def _check(self, connection: sqlite3.Connection) -> int:
        """The version of the file's schema; 0: it is empty. Raises `StoreError` for one that is not for us."""
        whose, version, tables = (
            int(connection.execute(query).fetchone()[0])
            for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if whose != APPLICATION_ID and (whose or tables):
            raise StoreError(f"{self._path} is another program's database; it is left alone")
        if version > VERSION:
            raise StoreError(f"{self._path} was made by a newer version of hunyuan-fix; it is left alone")
        return version

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _reserve(self, id: str, claims: Sequence[Claim], lasts: float, db: sqlite3.Connection) -> Answer:
        now = self._clock()
        db.execute("DELETE FROM held WHERE id = ?", (id,))
        standings = [_standing(db, claim.key, now) for claim in claims]
        if not all(map(fits, claims, standings)):
            return Answer(standings, is_taken=False)
        for claim in claims:
            db.execute("INSERT INTO held VALUES (?, ?, ?, ?)", (claim.key, id, claim.amount, now + lasts))
        return Answer(standings, is_taken=True)

    def _settle(self, settlement: Settlement, db: sqlite3.Connection) -> None:
        now = self._clock()
        found = db.execute("INSERT OR IGNORE INTO settled VALUES (?, ?)", (settlement.id, now))
        if not found.rowcount:
            return
        db.executemany(_SPEND, [(key, amount, ends, MOST) for key, (amount, ends) in settlement.spent.items()])
        db.executemany("DELETE FROM held WHERE id = ?", [(id,) for id in settlement.released])
        for table, column, least in (
            ("counter", "ends", now - _KEPT),
            ("settled", "at", now - _REMEMBERED),
        ):
            key = "key" if table == "counter" else "id"
            db.execute(
                f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {column} < ? LIMIT ?)",  # noqa: S608
                (least, _AT_ONCE),
            )


def _use_log(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. While another process does so at this moment SQLite doesn't wait by itself."""
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _standing(db: sqlite3.Connection, key: str, now: float) -> Standing:
    db.execute("DELETE FROM held WHERE key = ? AND expires <= ?", (key, now))
    spent = db.execute("SELECT spent FROM counter WHERE key = ?", (key,)).fetchone()
    held = db.execute("SELECT coalesce(sum(amount), 0) FROM held WHERE key = ?", (key,)).fetchone()
    return Standing(spent[0] if spent else 0, held[0])
