"""Runs: the n-th identical request of a take gets the n-th answer, so that a whole run of an agent can be repeated.

A run has a name, and its answers are kept under it. A take is one time that it runs: it begins with this process, or
with a name of its own (`NAME/TAKE`). In each take identical requests are counted from one.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from cachetools import LRUCache

from ..wire import json_body

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from redis.asyncio import Redis

MOST_TAKES: Final = 1_000
MOST_REQUESTS: Final = 20_000
"""Different requests of a take that are counted in memory."""
_LASTS: Final = 7 * 24 * 3600
"""Seconds for which a take is counted in Redis after its last request."""
_NAME: Final = re.compile(r"[^\x00-\x20/\x7f][^\x00-\x1f/\x7f]{0,99}")


class Run(NamedTuple):
    """What the header says: the run, and the take; `""`: that of this process."""

    name: str
    take: str


def of_header(value: str) -> Run | None:
    """The run that a header names; `None`: it can't be read. Each part has up to 100 characters, and no slash."""
    name, slash, take = (part.strip() for part in value.partition("/"))
    if not _NAME.fullmatch(name) or (slash and not _NAME.fullmatch(take)):
        return None
    return Run(name, take)


def key_of(key: bytes, run: Run, number: int) -> bytes:
    """The key of the `number`-th answer of a run to what `key` stands for."""
    return hashlib.sha256(json_body.serialise([key.hex(), run.name, number])).digest()[: len(key)]


_COUNT: Final = """
local number = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return number
"""


class Takes:
    """Counts the identical requests of takes: in memory, or in a Redis for all processes that share it."""

    def __init__(self) -> None:
        self._takes: LRUCache[tuple[bytes, Run], LRUCache[bytes, int]] = LRUCache(MOST_TAKES)
        self._shared: Redis | None = None

    def share(self, redis: Redis | None) -> None:
        """Count in a Redis from now on; `None`: in this process."""
        self._shared = redis

    @property
    def is_shared(self) -> bool:
        """Whether several processes count together."""
        return self._shared is not None

    async def next(self, caller: bytes, run: Run, key: bytes) -> int:
        """The number of this request among those that ask the same in a take of `caller`, from 1 on.

        Raises what the Redis raises: without its number nobody knows which answer is meant.
        """
        if self._shared is not None and run.take:
            name = hashlib.sha256(json_body.serialise([caller.hex(), *run, key.hex()])).hexdigest()
            counted = self._shared.eval(_COUNT, 1, f"hunyuan-fix:take:{name}", str(_LASTS))
            return int(await cast("Awaitable[str]", counted))
        take = self._takes.get((caller, run))
        if take is None:
            take = self._takes[caller, run] = LRUCache(MOST_REQUESTS)
        number = take[key] = take.get(key, 0) + 1
        return number
