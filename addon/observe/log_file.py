"""The log in a file of its own: `hunyuan_log_file`, which is rotated by its size.

Lines are written by a thread, several at once, so that a slow disk keeps no client waiting. What doesn't fit into the
queue, or can't be written, is lost and counted; the log on the terminal says once that it begins, and when it is over.

Several processes may write into one file: each line is appended in a single call, and a lock on the file lets one of
them rotate it. Python's own `RotatingFileHandler` loses lines then, and goes on in a file that logrotate has moved
away.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..config import operating_system
from ..config import values as read
from ..config.option import OptionError, option
from ..texts.terminal import say
from .log import ExchangeLine
from .log_format import JsonLines, TextLines

logger = logging.getLogger("hunyuan_fix")

type Format = Literal["text", "json"]

MOST_WAITING = 10_000
"""Lines that wait to be written."""
_AT_ONCE = 200
"""Lines that are written in one call."""
_GATHERED = 0.05
"""Seconds for which the thread lets lines gather: to wake it for each would cost the event loop more."""
_PATIENCE = 2.0
"""Seconds that a file may take, at its end, for the lines that wait for it."""


@dataclass(frozen=True)
class LogSettings:
    """The log. Sizes in bytes."""

    log: Format = option(
        "text",
        "How the log is written: text, or json with an object on each line.",
        read.choice("text", "json"),
    )
    log_file: Path | None = option(
        "",
        "File that the log is written into as well, whatever the terminal shows.",
        read.optional(read.path),
    )
    log_bytes: int = option(
        "10m",
        "Size from which this file is put aside and begun anew; 0: never.",
        read.bound,
    )
    log_files: int = option("5", "Files put aside that are kept: .1 is the newest.", read.count(0))


class LogFile:
    """A file that lines are appended to, readable by its owner alone. Raises `OSError` if it can't be opened.

    One that was moved or removed is made anew. `most_bytes`: from there on it is put aside, as `PATH.1`, and `files` of
    those are kept; 0: it isn't. What is no regular file, such as `/dev/stderr`, is only written to.
    """

    def __init__(self, path: Path, most_bytes: int, files: int) -> None:
        self.path = path
        self._most_bytes = self._limit = most_bytes
        self._files = files
        self._open()
        self._torn = False
        """The last line has no end, since the disk was full."""

    def append(self, lines: bytes) -> None:
        """Append whole lines. Raises `OSError`; some of them may be written then."""
        if self._regular:
            self._follow()
            self._rotate_before(len(lines))
        rest = memoryview(b"\n" + lines if self._torn else lines)
        while rest:
            written = os.write(self._descriptor, rest)
            self._torn = not rest[:written].tobytes().endswith(b"\n")
            rest = rest[written:]

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    def _open(self) -> None:
        # Waiting for the reader of a pipe would never end.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._descriptor = operating_system.open_without_waiting(str(self.path), flags, 0o600)
        self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def _reopen(self) -> None:
        before = self._descriptor
        self._open()
        os.close(before)

    def _follow(self) -> None:
        """Go on in the file that has the path now."""
        if not self._has_path():
            self._reopen()

    def _has_path(self) -> bool:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self._descriptor))

    def _rotate_before(self, coming: int) -> None:
        """Put the file aside if it would grow too large. Where that fails it grows on, by as much again."""
        size = os.fstat(self._descriptor).st_size
        if not self._limit or not size or size + coming <= self._limit:
            return
        try:
            self._rotate()
            self._limit = self._most_bytes
        except OSError as error:
            self._limit = size + self._most_bytes
            said = say("The log file {path} can't be put aside and grows on ({why}).", path=self.path, why=_why(error))
            logger.warning("%s", said)

    def _rotate(self) -> None:
        """Put the file aside. Raises `OSError`, and `TimeoutError` if another process keeps it locked."""
        # Windows renames no open file: there it is closed first, and other processes keep it where it is.
        closes_first = operating_system.is_windows()
        # 1. Another process may do so at the same time. The lock ends when the file is closed.
        until = time.monotonic() + _PATIENCE
        while not closes_first and not operating_system.lock(self._descriptor):
            if time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            time.sleep(_GATHERED / 10)
        if not self._has_path():
            self._reopen()
            return
        # 2. The older ones move up; the oldest is overwritten.
        for number in range(self._files - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._aside(number), self._aside(number + 1))
        # 3. It becomes the newest of them.
        if closes_first:
            os.close(self._descriptor)
        try:
            os.replace(self.path, self._aside(1)) if self._files else os.unlink(self.path)
        finally:
            self._open() if closes_first else self._reopen()

    def _aside(self, number: int) -> str:
        return f"{self.path}.{number}"


def _why(error: Exception) -> str:
    """In the system's words, without any path; those of other errors may quote what was to be written."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


class FileHandler(logging.Handler):
    """What Python's logging gives the lines to. Its thread runs from the first line on."""

    def __init__(self, file: LogFile, form: Format) -> None:
        super().__init__(logging.INFO)
        self.formatter = JsonLines() if form == "json" else TextLines()
        self.lost = 0
        """Lines that didn't fit into the queue, or couldn't be written."""
        self._file = file
        self._waiting: deque[logging.LogRecord | str] = deque()
        self._come = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None
        self._failing = 0
        """Lines lost since writing began to fail; 0: it doesn't."""

    def emit(self, record: logging.LogRecord) -> None:
        """Put a line in the queue, if there is a place. Raises nothing."""
        if len(self._waiting) >= MOST_WAITING:
            self.lost += 1
            return
        # The line of an exchange is worked out in the thread. What others log may hold what changes until then.
        try:
            self._waiting.append(record if isinstance(record.msg, ExchangeLine) else self.format(record))
        except Exception:  # of another program's, such as a line whose values don't fit its words
            self.lost += 1
            return
        if self._thread is None:
            # A daemon: a disk that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="hunyuan-fix log", daemon=True)
            self._thread.start()
        if not self._come.is_set():
            self._come.set()

    def end(self) -> None:
        """Write what waits, for some seconds at most, and close the file. Blocks."""
        self._ended = True
        self._come.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
            if self._thread.is_alive():
                self.lost += len(self._waiting)
                return
        self._file.close()

    def _run(self) -> None:
        while True:
            self._come.wait()
            self._come.clear()
            while self._waiting:
                self._write([self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))])
            if self._ended and not self._waiting:
                return
            if not self._ended:
                time.sleep(_GATHERED)

    def _write(self, lines: list[logging.LogRecord | str]) -> None:
        try:
            text = "\n".join(line if isinstance(line, str) else self.format(line) for line in lines) + "\n"
            self._file.append(text.encode("utf-8", "backslashreplace"))
        except Exception as error:
            first, self._failing = not self._failing, self._failing + len(lines)
            self.lost += len(lines)
            if first:
                said = say("The log file {path} can't be written ({why}).", path=self._file.path, why=_why(error))
                logger.warning("%s", said)
            return
        if self._failing:
            lost, self._failing = self._failing, 0
            said = say("The log file {path} is written again; lines lost: {count}.", path=self._file.path, count=lost)
            logger.warning("%s", said)


class FileLog:
    """The log file of this process, under the options in force; none at first."""

    def __init__(self, attached: Callable[[], logging.Logger] = logging.getLogger) -> None:
        self._attached = attached
        self._settings = LogSettings()
        self._handler: FileHandler | None = None
        self._lost = 0

    @property
    def lost(self) -> int:
        """Lines that were lost since the start."""
        return self._lost + (self._handler.lost if self._handler is not None else 0)

    def opened(self, settings: LogSettings) -> FileHandler | None:
        """The handler for `settings`, to be given to `use`: the one in force where nothing has changed.

        Raises `OptionError` if the file can't be opened.
        """
        if settings == self._settings:
            return self._handler
        if settings.log_file is None:
            return None
        try:
            file = LogFile(settings.log_file, settings.log_bytes, settings.log_files)
        except OSError as error:
            why = say("the file can't be opened ({why})", why=_why(error))
            raise OptionError(f"hunyuan_log_file={settings.log_file}: {why}") from None
        return FileHandler(file, settings.log)

    def use(self, settings: LogSettings, handler: FileHandler | None) -> None:
        """Log by `handler` from now on. The one before writes what it has, and ends."""
        before, self._settings, self._handler = self._handler, settings, handler
        if before is handler:
            return
        if handler is not None:
            self._attached().addHandler(handler)
        if before is not None:
            self._attached().removeHandler(before)
            threading.Thread(target=self._end, args=(before,), name="hunyuan-fix ends a log", daemon=True).start()

    def drop(self, handler: FileHandler | None) -> None:
        """Close a handler that `opened` gave and that isn't used, since the settings were refused."""
        if handler is not None and handler is not self._handler:
            handler.end()

    def close(self) -> None:
        """Write what waits, for some seconds at most, and log no more. Blocks."""
        handler, self._handler = self._handler, None
        if handler is not None:
            self._attached().removeHandler(handler)
            self._end(handler)

    def _end(self, handler: FileHandler) -> None:
        handler.end()
        self._lost += handler.lost
