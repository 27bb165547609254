"""The counters behind the rate limits: two limiters of `limits`, in memory or in Redis.

The package `limits` and not a script of our own: its sliding window in Redis is atomic and widely tested. It is loaded
with the first request that has a limit. It takes no redis from version 8 on, and nothing newer is needed here.

Each limit keeps one or two numbers per client. A moving window, with an entry for each unit, would hold 100,000 entries
for a limit of 100,000 tokens.

- Requests: sliding window counter. Two numbers, this minute's and the last minute's, weighted by time: no double burst
  where two minutes meet. A request is counted, or refused, before any work is done for it.
- Tokens: fixed window. A request's tokens are known at its end and must be counted even past the limit, which the other
  strategies refuse. So the last request of a minute may exceed the limit.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from ..stores.redis import PREFIX
from .client_tokens import Quota

if TYPE_CHECKING:
    from redis.asyncio import Redis

WINDOW = 60
"""Seconds. The sliding window counter gives an end that is one window later: until then the window still counts."""

type Kind = Literal["requests", "tokens"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A client's use of one of its limits."""

    kind: Kind
    limit: int
    remaining: int
    frees: float
    """Seconds until a part of the limit is free again."""

    @property
    def headers(self) -> dict[str, str]:
        """OpenAI's header names (https://platform.openai.com/docs/guides/rate-limits)."""
        return {
            f"x-ratelimit-limit-{self.kind}": str(self.limit),
            f"x-ratelimit-remaining-{self.kind}": str(self.remaining),
            f"x-ratelimit-reset-{self.kind}": f"{math.ceil(self.frees)}s",
        }


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of counting a request: use of each limit, and the limit that is used up, if any."""

    standings: tuple[Standing, ...]
    used_up: Standing | None = None


class Windows:
    """The counters of all clients, in `redis` if there is one, else in memory."""

    def __init__(self, redis: Redis | None = None) -> None:
        self._storage = MemoryStorage() if redis is None else _storage(redis)
        self._requests = SlidingWindowCounterRateLimiter(self._storage)
        self._tokens = FixedWindowRateLimiter(self._storage)

    async def take(self, client: str, quota: Quota) -> Taken:
        """Count a request if its client is within its limits. A refused request isn't counted."""
        standings = [await self._standing_in_tokens(client, quota.tokens)] if quota.tokens else []
        used_up = next((standing for standing in standings if not standing.remaining), None)
        if quota.requests:
            counted = used_up is None and await self._requests.hit(_item(quota.requests), "requests", client)
            requests = await self._standing_in_requests(client, quota.requests)
            standings.append(requests)
            used_up = used_up or (None if counted else requests)
        return Taken(tuple(standings), used_up)

    async def charge(self, client: str, quota: Quota, tokens: int) -> None:
        """Count the tokens of a finished request."""
        await self._tokens.hit(_item(quota.tokens), "tokens", client, cost=tokens)

    async def _standing_in_requests(self, client: str, limit: int) -> Standing:
        # Not the limiter's own statistics: at the start of a window they say that it is about to end.
        item = _item(limit)
        window = await self._storage.get_sliding_window(item.key_for("requests", client), item.get_expiry())
        previous, previous_ends, current, current_ends = window
        weight = math.floor(previous * previous_ends / WINDOW)
        if weight:
            frees = previous_ends - WINDOW * weight / previous
        elif current:
            frees = current_ends - WINDOW
        else:
            frees = 0.0
        return Standing("requests", limit, limit - weight - current, frees)

    async def _standing_in_tokens(self, client: str, limit: int) -> Standing:
        stats = await self._tokens.get_window_stats(_item(limit), "tokens", client)
        return Standing("tokens", limit, stats.remaining, max(0.0, stats.reset_time - time.time()))


def _storage(redis: Redis) -> RedisStorage:
    return RedisStorage(
        "async+redis://",
        implementation="redispy",
        key_prefix=f"{PREFIX}limits",
        connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # documented, but not in its types
    )


def _item(limit: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(limit, namespace="minute")
