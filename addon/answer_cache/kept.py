"""The answers that are kept, by what was asked; which of them are being fetched; and which are asked for too often."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from ..exchange import JsonObject
from ..stores import Chain, Memory
from ..stores.kept import Kept
from ..wire import json_body
from .runs import Takes
from .settings import Repeats

MOST: Final = 5_000
MOST_BYTES: Final = 32 << 20
"""Answers in memory."""
LARGEST: Final = 4 << 20
"""Bytes of an answer that is kept."""
_MOST_WATCHED: Final = 10_000
"""Answers whose uses are counted."""
_MOST_USES: Final = 1_000


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A whole answer, in the form in which it was asked for (`Asked.form`)."""

    answer: JsonObject
    at: float
    """When it was given, in Unix time."""


class AnswerCodec:
    """An answer in a store."""

    prefix = "answer:"

    def dump(self, value: KeptAnswer) -> bytes:
        """See `Codec`."""
        return json_body.serialise([value.at, value.answer])

    def load(self, data: bytes) -> KeptAnswer | None:
        """See `Codec`."""
        try:
            found = json_body.parse(data)
        except json_body.InvalidJson:
            return None
        match found:
            case [float() | int() as at, dict() as answer]:
                return KeptAnswer(answer, float(at))
        return None


class CachedAnswers:
    """The answers of all callers. `chain`: where; its bounds and its stores follow the options.

    `clock`: monotonic, in seconds, for uses; `now`: Unix time, for what is kept.
    """

    def __init__(
        self,
        chain: Chain | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.chain = chain or Chain(Memory(MOST, MOST_BYTES))
        self._answers: Kept[KeptAnswer] = Kept(self.chain, AnswerCodec())
        self._clock = clock
        self._now = now
        self.takes = Takes()
        """The runs that are under way."""
        self._fetched: dict[bytes, _Fetched] = {}
        self._uses: LRUCache[bytes, deque[float]] = LRUCache(_MOST_WATCHED)

    async def found(self, key: bytes) -> KeptAnswer | None:
        """The answer under `key`, given by this process or another one."""
        return await self._answers.get(key)

    def age(self, answer: KeptAnswer) -> int:
        """Seconds since it was given."""
        return max(0, int(self._now() - answer.at))

    def keep(self, key: bytes, answer: JsonObject, lasts: float) -> bool:
        """Keep an answer for `lasts` seconds; 0: for good. Whether it isn't too large for that."""
        kept = KeptAnswer(answer, self._now())
        if len(json_body.serialise(answer)) > LARGEST:
            return False
        self._answers.put(key, kept, lasts or None)
        return True

    def is_too_often(self, key: bytes, allowed: Repeats) -> bool:
        """Count a use of the answer under `key`; whether it was one too many. Then the count begins anew."""
        if not allowed.most:
            return False
        now, most = self._clock(), min(allowed.most, _MOST_USES)
        uses = self._uses.setdefault(key, deque())
        while uses and uses[0] <= now - allowed.seconds:
            uses.popleft()
        if len(uses) >= most:
            uses.clear()
            return True
        uses.append(now)
        return False

    def fetching(self, key: bytes) -> asyncio.Future[bool] | None:
        """What tells when the answer under `key` is there, which another request is fetching, and whether it was kept;
        `None`: nobody is fetching it."""
        fetched = self._fetched.get(key)
        return fetched.is_kept if fetched is not None else None

    def fetch(self, key: bytes, exchange: str) -> None:
        """The exchange with this id is fetching it, until it is `fetched`."""
        self._fetched.setdefault(key, _Fetched(exchange))

    def fetched(self, key: bytes, exchange: str, *, is_kept: bool) -> None:
        """That exchange is over: those that wait go on."""
        fetched = self._fetched.get(key)
        if fetched is not None and fetched.exchange == exchange:
            del self._fetched[key]
            if not fetched.is_kept.done():
                fetched.is_kept.set_result(is_kept)


@dataclass(slots=True, eq=False)
class _Fetched:
    exchange: str
    is_kept: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
