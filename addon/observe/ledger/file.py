"""The ledger's file: SQLite, which several processes write at the same time and others read meanwhile."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ...config.values import data_folder
from ...stores import sqlite_file
from ...stores.sqlite_file import Connected, Schema
from .rows import NAMES, Row

SCHEMA: Final = Schema(
    0x68796675,  # `hyfu`
    (
        (
            "CREATE TABLE call (id INTEGER PRIMARY KEY, at REAL NOT NULL, exchange TEXT NOT NULL, "
            "purpose TEXT NOT NULL, client TEXT NOT NULL, session TEXT NOT NULL, dialect TEXT NOT NULL, "
            "profile TEXT NOT NULL, upstream TEXT NOT NULL, asked TEXT NOT NULL, model TEXT NOT NULL, "
            "input INTEGER, cached INTEGER, written INTEGER, output INTEGER, reasoning INTEGER, "
            "amount INTEGER, currency TEXT NOT NULL, priced TEXT NOT NULL, status INTEGER NOT NULL, "
            "ms INTEGER NOT NULL, estimated INTEGER NOT NULL, cancelled INTEGER NOT NULL)",
            "CREATE INDEX call_by_time ON call (at)",
        ),
    ),
    patience=2.0,
)
MOST_ROWS: Final = 1_000_000
"""Rows that are kept, some 200 MB."""
_AT_ONCE: Final = 1000
"""Old rows that one write deletes."""
_BETWEEN: Final = 60.0
"""Seconds between two looks for old rows that found none."""

_INSERT: Final = f"INSERT INTO call ({', '.join(NAMES)}) VALUES ({', '.join('?' * len(NAMES))})"  # noqa: S608


def default_path() -> Path:
    """Where it is."""
    return data_folder() / "usage.sqlite3"


class LedgerFile:
    """Takes in rows, and drops those that are older than `days` or more than `most`. For one thread."""

    def __init__(self, path: Path, days: int, *, most: int = MOST_ROWS, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._days = days
        self._most = most
        self._clock = clock
        self._file = Connected(path, SCHEMA)
        self._next_look = 0.0

    def add(self, rows: Sequence[Row]) -> None:
        """Write `rows`: all of them, or none. Raises `StoreError`."""
        now = self._clock()

        def write(connection: sqlite3.Connection) -> int:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, rows)
            dropped = (
                self._drop_old(connection, now) if now >= self._next_look or now < self._next_look - _BETWEEN else 0
            )
            connection.execute("COMMIT")
            return dropped

        dropped = self._file.do(write)
        if dropped:
            self._file.do(lambda connection: connection.execute(f"PRAGMA incremental_vacuum({_AT_ONCE})").fetchall())
        elif now >= self._next_look:
            self._next_look = now + _BETWEEN

    def close(self) -> None:
        """Close it. It is opened again when it is used."""
        self._file.disconnect()

    def _drop_old(self, connection: sqlite3.Connection, now: float) -> int:
        """Delete some of the rows that are too old or too many; how many."""
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM call").fetchone()
        old = "SELECT id FROM call WHERE at < ? ORDER BY at LIMIT ?"
        gone = connection.execute(
            f"DELETE FROM call WHERE id IN ({old})",  # noqa: S608
            (now - 86_400 * self._days, _AT_ONCE),
        ).rowcount
        many = "SELECT id FROM call WHERE id <= ? ORDER BY id LIMIT ?"
        gone += connection.execute(f"DELETE FROM call WHERE id IN ({many})", (last - self._most, _AT_ONCE)).rowcount  # noqa: S608
        return gone


def reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads the file at `path`, while others write it.

    Raises `FileNotFoundError`, `StoreError` for another program's file, and `sqlite3.Error`.
    """
    return sqlite_file.connect_to_read(path, SCHEMA)
