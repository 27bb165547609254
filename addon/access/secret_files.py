"""Files with secrets: accessible to their owner only, and read again when they change."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from ..config import operating_system

logger = logging.getLogger("hunyuan_fix")

MAX_SIZE = 4 * 2**20
"""Largest file that is read, in bytes: room for about ten thousand client tokens."""

REMINDER = 60.0
"""Seconds between two warnings about a missing file."""

type _Version = tuple[int, ...]


class SecretFileError(ValueError):
    """A file that can't be used. The text names the file, the reason and the remedy; it quotes no content."""


class SecretFile[T]:
    """The content of the file `path`, parsed by `parse` (text -> content; `ValueError` says what is wrong).

    Raises `SecretFileError` if the file can't be used.
    """

    def __init__(self, path: Path, parse: Callable[[str], T], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._parse = parse
        self._clock = clock
        self._warns_at = -math.inf
        self._version: _Version | None
        self.content, self._version = self._load()

    async def refresh(self) -> None:
        """Read the file again if it changed since the last look, off the event loop.

        An invalid file is logged once, a missing one each minute; both leave the content unchanged. Not reentrant.
        """
        version = _version_at(self.path)
        if version is None:
            self._version = None
            if self._clock() >= self._warns_at:
                self._warns_at = self._clock() + REMINDER
                logger.warning("%s is missing. Its previous content stays in force until the file is back.", self.path)
            return
        self._warns_at = -math.inf
        if version == self._version:
            return
        self._version = version
        try:
            self.content, self._version = await asyncio.to_thread(self._load)
        except SecretFileError as error:
            logger.error("%s. The previous content stays in force.", error)
        else:
            logger.info("%s has changed and was read again", self.path)

    def _load(self) -> tuple[T, _Version]:
        text, version = _read(self.path)
        try:
            return self._parse(text), version
        except ValueError as error:
            raise SecretFileError(f"{self.path}: {error}") from None


def _read(path: Path) -> tuple[str, _Version]:
    """The text of the file, and its version."""
    try:
        with open(path, "rb", opener=operating_system.open_without_waiting) as file:
            # The open file's status, not the path's: the path may name another file by now.
            status = os.fstat(file.fileno())
            _check(path, status)
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise SecretFileError(f"{path} can't be read: {error.strerror or type(error).__name__}") from None
    if len(data) > MAX_SIZE:
        raise SecretFileError(f"{path} has more than {MAX_SIZE} bytes: it can't be the right file")
    try:
        return data.decode("utf-8"), _version(status)
    except UnicodeDecodeError:
        raise SecretFileError(f"{path} is not text in UTF-8") from None


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretFileError(f"{path} is not a regular file")
    if (owner := operating_system.wrong_owner(status)) is not None:
        raise SecretFileError(f"{path} belongs to another user, who could change it: chown {owner} {path}")
    if operating_system.open_to_others(status):
        raise SecretFileError(
            f"{path} can be used by other users (its mode is {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}"
        )


def _version_at(path: Path) -> _Version | None:
    try:
        return _version(path.stat())
    except OSError:
        return None


def _version(status: os.stat_result) -> _Version:
    # With ctime: a chmod may make the file usable.
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
