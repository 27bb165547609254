"""The sink that writes the ledger. It hears events in a thread of its own, and writes what has gathered at once.

What can't be written waits, within a bound, and is tried again with what comes next: another process may have locked
the file for a moment. What is lost after all is counted, and the log says once that it begins, and when it is over.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from typing import Final

from ... import events
from ...events import Event
from ...stores.store import StoreError
from ...texts.terminal import say
from ..sinks import Sinks
from . import rows
from .file import LedgerFile, default_path
from .rows import Row
from .settings import UsageSettings

MOST_WAITING: Final = 10_000
"""Rows that wait for a file that can't be written."""
_AT_ONCE: Final = 500
"""Rows of one write."""

logger = logging.getLogger("hunyuan_fix")


class LedgerSink:
    """Writes a row to `file` for each call that may have to be paid."""

    name = "ledger"
    kinds: Iterable[str] = (events.PAID,)

    def __init__(self, file: LedgerFile) -> None:
        self._file = file
        self._waiting: deque[Row] = deque()
        self.lost = 0
        """Rows that could not be written."""
        self._is_failing = False
        self._lost_before = 0
        """Those lost when it began to fail."""

    def hear(self, event: Event) -> None:
        """Take in a call."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(rows.of(event))
        if len(self._waiting) >= _AT_ONCE and not self._is_failing:
            self.flush()

    def flush(self) -> bool:
        """Write what waits. `False`: it can't be written now. Raises nothing."""
        while self._waiting:
            some = [self._waiting[place] for place in range(min(_AT_ONCE, len(self._waiting)))]
            try:
                self._file.add(some)
            except StoreError as error:
                self._failed(error)
                return False
            for _ in some:
                self._waiting.popleft()
        if self._is_failing:
            self._is_failing = False
            said = say(
                "What calls used can be written to {path} again; calls lost: {count}.",
                path=self._file.path,
                count=self.lost - self._lost_before,
            )
            logger.warning("%s", said)
        return True

    def close(self) -> None:
        """Write what waits, if that can be done, and close the file."""
        if not self.flush():
            self.lost += len(self._waiting)
            self._waiting.clear()
        self._file.close()

    def _failed(self, error: StoreError) -> None:
        if not self._is_failing:
            self._is_failing, self._lost_before = True, self.lost
            why = str(error)
            said = say("What calls used can't be written to {path} ({why}).", path=self._file.path, why=why)
            logger.warning("%s", said)


class Ledger:
    """The ledger of this process, under the options in force; none at first."""

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks
        self._settings: UsageSettings | None = None
        self._sink: LedgerSink | None = None
        self._lost = 0

    @property
    def lost(self) -> int:
        """Rows that could not be written, since the start."""
        return self._lost + (self._sink.lost if self._sink is not None else 0)

    def configure(self, settings: UsageSettings) -> None:
        """Keep what calls used as `settings` say. What waits for the file before is written in its own thread."""
        before, self._settings = self._settings, settings
        if before is not None and before.usage_days == settings.usage_days:
            return
        self._lost, self._sink = self.lost, None
        self._sinks.remove(LedgerSink.name)
        if settings.usage_days:
            self._sink = LedgerSink(LedgerFile(default_path(), settings.usage_days))
            self._sinks.add(self._sink, apart=True)
