"""Files with secrets: accessible to their owner only, and read again when they change."""

from __future__ import annotations

import logging
import math
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from ..config import operating_system
from ..config.watched_file import WatchedFile
from ..texts.terminal import say

logger = logging.getLogger("hunyuan_fix")

MAX_SIZE = 4 * 2**20
"""Largest file that is read, in bytes: room for about ten thousand client tokens."""

REMINDER = 60.0
"""Seconds between two warnings about a missing file."""


class SecretFileError(ValueError):
    """A file that can't be used. The text names the file, the reason and the remedy; it quotes no content."""


class SecretFile[T]:
    """The content of the file `path`, parsed by `parse` (text -> content; `ValueError` says what is wrong).

    Raises `SecretFileError` if the file can't be used.
    """

    def __init__(self, path: Path, parse: Callable[[str], T], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._warns_at = -math.inf
        self._file = WatchedFile(path, lambda path: _parsed(path, parse))
        self.content = self._file.load(path)
        self._refused = False
        """What the file has held since its last change can't be used."""

    @property
    def is_unusable(self) -> bool:
        """Whether the file is missing, or its content now can't be used: the one before it is in force."""
        return self._refused or self._file.is_missing

    async def refresh(self, *, announce: bool = True) -> None:
        """Look at the file once, and take over its content if it has changed: with `announce`, that is logged.

        An invalid file is logged once, a missing one each minute; both leave the content unchanged. Not reentrant.
        """
        found = await self._file.look()
        if not self._file.is_missing:
            self._warns_at = -math.inf
        elif self._clock() >= self._warns_at and (found or self._warns_at > -math.inf):
            self._warns_at = self._clock() + REMINDER
            said = say("{file} is missing. Its previous content stays in force until the file is back.", file=self.path)
            logger.warning("%s", said)
        if found is None:
            return
        self._refused = found.error is not None
        if found.error is not None:
            logger.error("%s", say("{problem}. The previous content stays in force.", problem=str(found.error)))
        elif found.content is not None:
            self.content = found.content
            if announce:
                self.announce()

    def announce(self) -> None:
        """Log that what the file says now is in force."""
        logger.info("%s", say("{file} has changed and was read again", file=self.path))


def _parsed[T](path: Path, parse: Callable[[str], T]) -> T:
    text = _read(path)
    try:
        return parse(text)
    except ValueError as error:
        raise SecretFileError(f"{path}: {error}") from None


def _read(path: Path) -> str:
    try:
        with open(path, "rb", opener=operating_system.open_without_waiting) as file:
            # The open file's status, not the path's: the path may name another file by now.
            _check(path, os.fstat(file.fileno()))
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SecretFileError(say("{path} can't be read: {reason}", path=path, reason=reason)) from None
    if len(data) > MAX_SIZE:
        raise SecretFileError(
            say("{path} has more than {most} bytes: it can't be the right file", path=path, most=MAX_SIZE)
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretFileError(say("{path} is not text in UTF-8", path=path)) from None


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretFileError(say("{path} is not a regular file", path=path))
    if (owner := operating_system.wrong_owner(status)) is not None:
        raise SecretFileError(
            say("{path} belongs to another user, who could change it: chown {owner} {path}", path=path, owner=owner)
        )
    if operating_system.open_to_others(status):
        raise SecretFileError(
            say(
                "{path} can be used by other users (its mode is {mode:04o}): chmod 600 {path}",
                path=path,
                mode=stat.S_IMODE(status.st_mode),
            )
        )
