"""What the last exchanges said, in memory, within bounds: the oldest go first. Nothing of it is ever written to a disk.

Bodies wait unpacked until a thread has packed them, within the same bound once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Final
from weakref import WeakValueDictionary

from ..config.page_options import PageSettings
from ..observe.admin.settings import AdminSettings
from ..texts.terminal import say
from ..wire import safe_text
from ..workers import LIGHT, Workers
from .content import Content, WhyNot
from .packing import Packed, Raw, may_be_shared, pack, unpacked

logger = logging.getLogger("hunyuan_fix")

_AT_ONCE: Final = 32 << 10
"""Bytes of bodies that are packed on the event loop: it takes less than handing them to a thread."""
_CODED_AT_ONCE: Final = 2 << 10
"""The same for those that have to be unpacked first."""
_PART: Final = 2
"""One exchange may take this part of the bound."""


class Contents:
    """What is kept. All but `get` and `ids` on the event loop."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._most = 0
        """Bytes; 0: nothing is kept."""
        self._kept: dict[str, Packed | Raw] = {}
        """By the exchange's id, the oldest first. `Raw`: it waits to be packed."""
        self._of_sessions: WeakValueDictionary[str, Packed] = WeakValueDictionary()
        """By session: what its next turn is packed with."""
        self._bytes = 0
        self._waiting = 0
        """Bytes of bodies that wait."""
        self._held = 0
        """Bytes of bodies that exchanges under way hold for this alone."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.live: Callable[[str], Raw | None] = lambda _: None
        """The id of an exchange under way -> what it has said by now. Called in threads; the hooks know."""

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self._most > 0

    @property
    def size(self) -> int:
        """Bytes that are taken."""
        return self._bytes

    def __len__(self) -> int:
        """Exchanges that are kept."""
        return len(self._kept)

    def configure(self, page: PageSettings, admin: AdminSettings) -> None:
        """Keep what `page` says from now on. What is too much by then goes at once."""
        self._most = page.page_bytes if _is_wanted(page, admin) else 0
        self._trim()
        if not self.is_on:
            self._of_sessions.clear()

    def keep(self, raw: Raw) -> None:
        """Keep what an exchange said, which is over. Raises nothing."""
        if not self.is_on:
            return
        size = raw.size
        if size > self._most or size + self._waiting > self._most:
            raw, size = raw.without_bodies("too_large"), 0
        try:
            if size <= (_CODED_AT_ONCE if raw.is_coded else _AT_ONCE):
                self._put(raw.id, self._bounded(raw, pack(raw, self._limit, in_thread=False)))
            else:
                self._put(raw.id, raw)
                task = asyncio.get_running_loop().create_task(self._pack(raw), name="hunyuan-fix packs contents")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except Exception as error:
            _failed(error)

    def hold(self, size: int) -> bool:
        """Whether an exchange under way may hold a body of that many bytes for this. If so, `release` it."""
        if size > self._limit or self._held + size > self._most:
            return False
        self._held += size
        return True

    def release(self, size: int) -> None:
        """A body that was held isn't any more."""
        self._held -= size

    def get(self, id: str) -> Content | None:
        """What the exchange with this id said, or has said by now; `None`: see `why_not`. Takes time: in a thread."""
        if not self.is_on:
            return None
        kept = self._kept.get(id)
        if isinstance(kept, Packed):
            return unpacked(kept)
        if kept is not None:
            return kept.content(self._limit)
        under_way = self.live(id)
        return None if under_way is None else under_way.content(self._limit, under_way=True)

    def why_not(self, id: str) -> WhyNot:
        """Why `get` gives nothing for an exchange that there was, or a body of it is missing; `""`: all is there."""
        if not self.is_on:
            return "off"
        kept = self._kept.get(id)
        if kept is None:
            return "gone" if self.live(id) is None else ""
        return kept.why

    def ids(self) -> Iterator[str]:
        """Of all that are kept, the newest first."""
        return iter(list(self._kept)[::-1])

    def of_session(self, session: str) -> list[str]:
        """Of the exchanges of `session` that are kept, the oldest first."""
        return [id for id, kept in self._kept.items() if kept.session == session]

    @property
    def _limit(self) -> int:
        """Bytes of one body."""
        return self._most // _PART

    async def _pack(self, raw: Raw) -> None:
        limit, shared = self._limit, self._of_sessions.get(raw.session) if raw.session else None
        try:
            packed = await self._workers.run(lambda _: self._bounded(raw, pack(raw, limit, shared)), LIGHT + raw.size)
        except asyncio.CancelledError:
            return
        except Exception as error:
            _failed(error)
            packed = pack(raw.without_bodies("too_large"), limit, in_thread=False)
        if self._kept.get(raw.id) is not raw:
            return  # newer ones took its place, or all is off
        self._put(raw.id, packed, is_new=False)
        if raw.session and may_be_shared(packed):
            self._of_sessions[raw.session] = packed

    def _bounded(self, raw: Raw, packed: Packed) -> Packed:
        if packed.size <= self._limit:
            return packed
        return pack(raw.without_bodies("too_large"), self._limit, in_thread=False)

    def _put(self, id: str, entry: Packed | Raw, *, is_new: bool = True) -> None:
        before = self._kept.pop(id, None) if is_new else self._kept[id]  # a flow that is replayed has the same id
        self._kept[id] = entry
        self._count(entry, 1)
        if before is not None:
            self._count(before, -1)
        self._trim()

    def _trim(self) -> None:
        while self._kept and (self._bytes > self._most or not self.is_on):
            self._count(self._kept.pop(next(iter(self._kept))), -1)

    def _count(self, entry: Packed | Raw, by: int) -> None:
        """Count what `entry` takes: a dictionary once, for all that need it."""
        if isinstance(entry, Raw):
            self._waiting += by * entry.size
            return
        for one in (entry, entry.shared):
            if one is not None:
                was, one.users = one.users, one.users + by
                if not (was and one.users):
                    self._bytes += by * one.size


def _is_wanted(page: PageSettings, admin: AdminSettings) -> bool:
    if admin.admin is None or page.page_content == "false":
        return False
    return page.page_content == "true" or (admin.admin.is_local and admin.trust_loopback)


def _failed(error: Exception) -> None:
    logger.error("%s\n%s", say("What an exchange said can't be kept:"), safe_text.traceback_without_text(error))
