"""Opening the SQLite file: private, of a known schema, set aside when it is corrupt."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..config import operating_system
from ..texts.terminal import say
from .store import StoreError

LOCK_WAIT = 0.1
"""Seconds to wait for another process that is writing. Half of what one operation of a store may take."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What one kind of this program's files has in it."""

    application_id: int
    """In the file's header."""
    migrations: tuple[tuple[str, ...], ...]
    """The statements from each version to the next; the first from an empty file. Their number is the version."""
    patience: float = LOCK_WAIT
    """Seconds to wait for another process that is writing."""


STORE = Schema(
    0x68796678,  # `hyfx`
    (
        (
            "CREATE TABLE item (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL, used INTEGER NOT NULL)",
            "CREATE INDEX item_by_use ON item (used)",
            "CREATE INDEX item_by_expiry ON item (expires) WHERE expires IS NOT NULL",
        ),
    ),
)
"""A store. `expires`: Unix time, NULL for good. `used`: the number of the item's last use; every use of any item has
the next one."""

READ_WAIT = 5.0
"""Seconds to wait for a writer, for one who only reads."""
LOG_BYTES = 4 << 20
"""The size to which the write-ahead log is truncated when it starts over."""

_FILES = ("", "-wal", "-shm")
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

logger = logging.getLogger("hunyuan_fix")


type Error = sqlite3.Error | UnicodeDecodeError
"""Errors that a damaged file causes. `UnicodeDecodeError`: Python can't decode SQLite's message about the schema."""


class Connected:
    """The file at `path`, opened when it is first used and again where another took its place. For one thread."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self._path = path
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def do[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns. A corrupt file is set aside, and a new one made for it. Raises `StoreError`."""
        try:
            try:
                return work(self._connected())
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if not is_corrupt(error):
                    raise
                self.disconnect()
                set_aside(self._path, self._file, error)
            return work(self._connected())
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StoreError(reason(error)) from None
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror or type(error).__name__}") from None
        finally:
            if self._connection is not None and self._connection.in_transaction:
                self.disconnect()  # which rolls the transaction back

    @property
    def connection(self) -> sqlite3.Connection | None:
        """The connection, where there is one."""
        return self._connection

    def disconnect(self) -> None:
        """Close the file. It is opened again when it is used."""
        connection, self._connection = self._connection, None
        if connection is not None:
            close(connection, self._path)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and identity(self._path) != self._file:
            self.disconnect()  # deleted, or set aside by another process
        if self._connection is None:
            self._connection = connect(self._path, self._schema)
            self._file = identity(self._path)
        return self._connection


def connect(path: Path, schema: Schema) -> sqlite3.Connection:
    """A connection to the file at `path`. The file is made if it is missing, and brought to the current schema.

    A corrupt file is set aside first. Raises `StoreError` for another program's database or one of a newer version of
    this program, and `sqlite3.Error` and `OSError`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(path.parent, schema.patience):
        try:
            return _opened(path, schema)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not is_corrupt(error):
                raise
            _set_aside(path, error)
            return _opened(path, schema)


def connect_to_read(path: Path, schema: Schema) -> sqlite3.Connection:
    """A connection that changes nothing in the file at `path`, which others may write meanwhile.

    Raises `FileNotFoundError`, also for one that another process is just making, `StoreError` for what is no such file
    of this version, and `sqlite3.Error`.
    """
    path.stat()
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=READ_WAIT)
    try:
        if not _check(connection, path, schema):
            raise FileNotFoundError(path)
    except BaseException:
        connection.close()
        raise
    return connection


def close(connection: sqlite3.Connection, path: Path) -> None:
    """Close `connection`, which was made for `path`. Raises nothing."""
    with ExitStack() as stack:
        # The last connection to close deletes `-wal` by its name. SQLite first checks that the file is still the same
        # one; if it were set aside and made anew after that check, the new file's log would be deleted.
        with suppress(StoreError, OSError):
            stack.enter_context(_alone(path.parent))
        with suppress(sqlite3.Error):
            connection.close()


def is_corrupt(error: Error) -> bool:
    """Whether `error` says that the file is broken, or no database at all."""
    # Python's own errors, of a text that isn't UTF-8 for one, have no code.
    return isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def reason(error: Error) -> str:
    """`error` in words, with SQLite's name for it."""
    return ": ".join((getattr(error, "sqlite_errorname", type(error).__name__), str(error)))


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file at `path` now; `None` if there is none."""
    with suppress(FileNotFoundError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def set_aside(path: Path, known: tuple[int, int] | None, error: Error) -> None:
    """Rename the corrupt file and its log, unless another process has done so: `path` is no longer the file `known`."""
    with _alone(path.parent):
        if identity(path) == known:
            _set_aside(path, error)


def _opened(path: Path, schema: Schema) -> sqlite3.Connection:
    _make_private(path)
    connection = sqlite3.connect(path, timeout=schema.patience, isolation_level=None)
    try:
        _settle(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """Make the file with mode 0600 where there is none; SQLite gives the mode to `-wal` and `-shm` (sqlite3 docs)."""
    # Never open and close one that exists: that would give up the locks that this process has on it by another
    # connection (sqlite.org/howtocorrupt.html section 2.2).
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        for name in _FILES:
            file = path.with_name(path.name + name)
            # SQLite itself reports a directory. Another user's file can't be changed.
            with suppress(OSError):
                if file.is_file() and file.stat().st_mode & 0o077:
                    file.chmod(0o600)


def _check(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    """The version of the file's schema; 0: it is empty. Raises `StoreError` for what can't be used."""
    version, whose, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
    )
    if whose != schema.application_id and (whose or tables):
        raise StoreError(f"{path} is another program's database; it is left alone")
    if version > len(schema.migrations):
        known = len(schema.migrations)
        raise StoreError(
            f"{path} was made by a newer version of hunyuan-fix (schema {version}, this one knows {known}); "
            "it is left alone"
        )
    return int(version)


def _settle(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    migrations = schema.migrations
    version = _check(connection, path, schema)
    if not version:
        # Lets freed pages be given back. Must be set before there is a table.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut may cost the last entries, never the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    # Deleted values must not remain readable in the file.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    if version < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        for statement in (statement for migration in migrations[version:] for statement in migration):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.application_id}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")


def _set_aside(path: Path, error: Error) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside, number = path.with_name(f"{path.name}.corrupt-{stamp}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    # The log first: a new file must not find the old one's.
    for name in reversed(_FILES):
        with suppress(FileNotFoundError):
            path.with_name(path.name + name).rename(aside.with_name(aside.name + name))
    logger.warning(
        "%s",
        say(
            "The store {file} is corrupt ({why}). It is set aside as {aside}, and a new one is begun.",
            file=path,
            why=reason(error),
            aside=aside.name,
        ),
    )


@contextmanager
def _alone(folder: Path, patience: float = LOCK_WAIT) -> Iterator[None]:
    """Keep other processes of this program from opening a store in `folder`, or setting one aside, at the same time."""
    if operating_system.is_windows():
        yield  # there an open file can't be renamed anyway
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + patience
        while not operating_system.lock(handle):
            if time.monotonic() > deadline:
                raise StoreError(f"another process has been opening a store in {folder} for too long")
            time.sleep(0.005)
        yield
    finally:
        os.close(handle)
