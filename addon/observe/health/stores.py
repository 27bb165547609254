"""The stores below the memory: by the operations that requests make, and for Redis by asking it."""

from __future__ import annotations

import asyncio
import glob
import os
import re
import time
from calendar import timegm
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...admission.admission import State as AdmissionState
from ...stores import Chain, LevelCounts
from ...stores.redis import unfit, unreachable
from ...stores.store import StoreError
from ...texts.sentence import Sentence
from ...texts.terminal import say
from .check import Finding, degraded, healthy
from .in_thread import in_thread

if TYPE_CHECKING:
    from redis.asyncio import Redis

_ASKED = 0.3
"""Seconds that Redis may take for a PING: with a further try of its client it would be longer than a look may take."""
SET_ASIDE = 86_400.0
"""Seconds for which a file that was set aside is told."""
_STAMP = re.compile(r"\.corrupt-(\d{8}T\d{6}Z)(?:-\d+)?")

_NO_WRITING = "{file} can't be written: it and its folder must belong to the proxy's user."
_WHY: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"SQLITE_FULL|No space left|Disk quota"),
        "No space is left for {file}: nothing new is kept in it. What is there is still found.",
    ),
    (
        re.compile(r"SQLITE_(BUSY|LOCKED)|another process"),
        "Another program holds {file} locked: it is by-passed until that ends.",
    ),
    (re.compile(r"SQLITE_READONLY|SQLITE_PERM|Permission denied|Read-only"), _NO_WRITING),
)
"""Reasons of failures, and what to say of them. The first that fits counts."""


def reason_sentences() -> list[str]:
    """The sentences of `_WHY`, for their translations."""
    return [text for _, text in _WHY]


async def probed(chains: Iterable[Chain], name: str) -> list[LevelCounts]:
    """The levels `name` of all `chains`; those that fail are asked once more, when their pause is over."""
    found = []
    for chain in chains:
        await chain.probe(name)
        found += [level for level in chain.counts() if level.name == name]
    return found


class SqliteCheck:
    """The SQLite file of all `chains`. `file`: its path; `None`: there is none. `clock`: Unix time."""

    def __init__(
        self, chains: Iterable[Chain], file: Callable[[], Path | None], clock: Callable[[], float] = time.time
    ) -> None:
        self._chains = list(chains)
        self._file = file
        self._clock = clock

    async def look(self) -> Finding:
        """By its last operations, then by what lies in its folder."""
        file = self._file()
        if file is None:
            return healthy(Sentence("Not used (hunyuan_store)."))
        failing = [level for level in await probed(self._chains, "sqlite") if level.failing]
        if failing:
            why = failing[0].why
            said = next((text for pattern, text in _WHY if pattern.search(why)), None)
            if said is None and not await in_thread(lambda: _may_write(file)):
                said = _NO_WRITING  # SQLite says of a read-only disk that it can't open the file
            if said is not None:
                return degraded(Sentence(said, file=file))
            return degraded(Sentence("{file} is by-passed, since it fails: {why}.", file=file, why=why))
        return await in_thread(lambda: self._of_folder(file))

    def _of_folder(self, file: Path) -> Finding:
        if aside := self._set_aside(file):
            return degraded(
                Sentence(
                    "The store was corrupt and is set aside as {aside}; a new one is in use. Check the disk, then "
                    "delete or move that file.",
                    aside=aside,
                )
            )
        if not _may_write(file):
            return degraded(Sentence(_NO_WRITING, file=file))
        return healthy(Sentence("{file} works.", file=file))

    def _set_aside(self, file: Path) -> str | None:
        """The newest file that was set aside lately, by the time in its name."""
        names = (Path(found).name for found in glob.glob(f"{glob.escape(str(file))}.corrupt-*"))
        lately = []
        for name in names:
            if (stamp := _STAMP.fullmatch(name, len(file.name))) is not None:
                try:
                    then = timegm(time.strptime(stamp[1], "%Y%m%dT%H%M%SZ"))
                except ValueError:
                    continue
                if self._clock() - then < SET_ASIDE:
                    lately.append(name)
        return max(lately, default=None)


def _may_write(file: Path) -> bool:
    """Whether `file`, or the folder in which it would be made, may be written."""
    return os.access(next(path for path in (file, *file.parents) if path.exists()), os.W_OK)


class RedisCheck:
    """The Redis server of the stores and of the limits. `server`: its client; `None`: there is none."""

    def __init__(
        self,
        chains: Iterable[Chain],
        server: Callable[[], Redis | None],
        admission: Callable[[], AdmissionState],
    ) -> None:
        self._chains = list(chains)
        self._server = server
        self._admission = admission

    async def look(self) -> Finding:
        """By a PING, then by how it answers questions about slots and values."""
        server = self._server()
        if server is None:
            return healthy(Sentence("Not used (hunyuan_store)."))
        leases = self._admission().leases
        why = await self._asked(server)
        if why is None and (kind := await self._wrong(server)) is not None:
            return degraded(
                Sentence(
                    "This Redis can't be used: {why}. Limits hold for each process alone, and nothing is shared.",
                    why=kind,
                )
            )
        if why is not None or (leases is not None and not leases.answers):
            return degraded(
                Sentence(
                    "Redis doesn't answer ({why}): limits hold for each process alone, and nothing is shared.", why=why
                )
                if why is not None
                else Sentence("Redis doesn't answer about slots: hunyuan_concurrency holds for each process alone.")
            )
        failing = [level for level in await probed(self._chains, "redis") if level.failing]
        if failing:
            return degraded(
                Sentence("Redis answers, but its store is by-passed, since it fails: {why}.", why=failing[0].why)
            )
        return healthy(Sentence("Redis answers."))

    async def _wrong(self, server: Redis) -> str | None:
        """Why the server can't be used though it answers; `None` also if it doesn't answer in time."""
        try:
            async with asyncio.timeout(_ASKED):
                return await unfit(server)
        except (TimeoutError, StoreError):
            return None

    async def _asked(self, server: Redis) -> str | None:
        """Why it doesn't answer in time; `None` if it does."""
        try:
            async with asyncio.timeout(_ASKED):
                return await unreachable(server)
        except TimeoutError:
            return say("no answer within {value:.0f} ms", value=1000 * _ASKED)
