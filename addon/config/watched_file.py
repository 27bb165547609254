"""Files that are read again when they change: one class for them, and one task that looks at all of them.

- A file is read when two looks in a row find the same new version: a file that has just changed may be half written.
- A version includes the file's change time: `chmod` may have made the file readable, and a file may be replaced by
  another of the same size and modification time.
- Symbolic links are followed: Kubernetes updates a mounted secret by changing a link on the way to it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..texts.terminal import say
from ..wire import safe_text

logger = logging.getLogger("hunyuan_fix")

INTERVAL = 0.5
"""Seconds between two looks."""

type _Version = tuple[Path | None, tuple[int, ...] | None]
"""A file and what identifies its content; `None`: no file is named, or it doesn't exist."""


@dataclass(frozen=True, slots=True)
class Found[T]:
    """The result of a look: new content, or an error."""

    content: T | None = None
    error: ValueError | None = None
    """Why the file can't be used. Without content and error, no file is named or it doesn't exist."""


class WatchedFile[T]:
    """The file at `path`, which may be set to another path. `None`: no file.

    `read`: path -> content. It may block, and raises `ValueError` if the file can't be used.
    """

    def __init__(self, path: Path | None, read: Callable[[Path], T]) -> None:
        self.path = path
        self._read = read
        self._seen: _Version = (None, None)
        """Version at the last look."""
        self._dealt_with: _Version | None = (None, None)
        """Version that was last read or found missing. `None`: the next stable version is read in any case."""

    @property
    def is_missing(self) -> bool:
        """Whether the last look found that the named file doesn't exist."""
        path, status = self._seen
        return path is not None and status is None

    def load(self, path: Path) -> T:
        """Watch `path` from now on and read it at once, in this thread. Raises `ValueError`."""
        self.path = path
        # The version first: if the file changes while it is read, the next look finds another one.
        self._seen = self._dealt_with = self._version()
        return self._read(path)

    async def look(self) -> Found[T] | None:
        """Look at the file. Returns what is new, which a thread has read; `None` if nothing is. Not reentrant."""
        before, self._seen = self._seen, self._version()
        if self._seen == self._dealt_with or self._seen != before:
            return None
        self._dealt_with = seen = self._seen
        path, status = seen
        if path is None or status is None:
            return Found()
        try:
            found = Found(await asyncio.to_thread(self._read, path))
        except ValueError as error:
            found = Found(error=error)
        if self._version() != seen:  # the file changed while it was read: the content may be half old, half new
            self._dealt_with = None
            return None
        return found

    def _version(self) -> _Version:
        try:
            status = os.stat(self.path) if self.path else None
        except OSError:
            status = None
        if status is None:
            return self.path, None
        return self.path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Watcher:
    """The task that looks at all watched files. `looks`: one function for each. What one raises is logged.

    `interval`: seconds between two looks.
    """

    def __init__(self, *looks: Callable[[], Awaitable[None]], interval: float = INTERVAL) -> None:
        self._looks: Sequence[Callable[[], Awaitable[None]]] = looks
        self._interval = interval
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task, unless it runs. Needs a running event loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(), name="hunyuan-fix watches files")

    def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            for look in self._looks:
                try:
                    await look()
                except Exception as error:
                    said = say("A watched file could not be looked at:")
                    logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
