"""Rate limits for each client token: requests and tokens per minute.

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
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from ..exchange import Response
from ..stores.bypass import BUDGET, Bypass, Bypassed
from ..stores.redis import PREFIX
from ..wire import proxy_errors
from .client_tokens import Quota

if TYPE_CHECKING:
    from redis.asyncio import Redis

WINDOW = 60
"""Seconds. The sliding window counter gives an end that is one window later: until then the window still counts."""

_NAME = "limits"
_TOKENS_A_BYTE = 0.25
"""As `rules.overlong` estimates: four characters a token; a Chinese one has three bytes and is 0.6 tokens."""
_TOKENS_A_STREAMED_BYTE = 0.01
"""An event of a stream has 100 to 200 bytes for one or two tokens."""

type Kind = Literal["requests", "tokens"]


@dataclass(frozen=True, slots=True)
class _Standing:
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
class _Taken:
    """The result of counting a request: use of each limit, and the limit that is used up, if any."""

    standings: tuple[_Standing, ...]
    used_up: _Standing | None = None


class _Windows:
    """The counters of all clients in one place."""

    def __init__(self, storage: MemoryStorage | RedisStorage) -> None:
        self._storage = storage
        self._requests = SlidingWindowCounterRateLimiter(storage)
        self._tokens = FixedWindowRateLimiter(storage)

    async def take(self, client: str, quota: Quota) -> _Taken:
        """Count a request if its client is within its limits. A refused request isn't counted."""
        standings = [await self._standing_in_tokens(client, quota.tokens)] if quota.tokens else []
        used_up = next((standing for standing in standings if not standing.remaining), None)
        if quota.requests:
            counted = used_up is None and await self._requests.hit(_item(quota.requests), "requests", client)
            requests = await self._standing_in_requests(client, quota.requests)
            standings.append(requests)
            used_up = used_up or (None if counted else requests)
        return _Taken(tuple(standings), used_up)

    async def charge(self, client: str, quota: Quota, tokens: int) -> None:
        """Count the tokens of a finished request."""
        await self._tokens.hit(_item(quota.tokens), "tokens", client, cost=tokens)

    async def _standing_in_requests(self, client: str, limit: int) -> _Standing:
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
        return _Standing("requests", limit, limit - weight - current, frees)

    async def _standing_in_tokens(self, client: str, limit: int) -> _Standing:
        stats = await self._tokens.get_window_stats(_item(limit), "tokens", client)
        return _Standing("tokens", limit, stats.remaining, max(0.0, stats.reset_time - time.time()))


class RateLimits:
    """Counts per client, in Redis if there is one, else in memory. `quota`: a client's name -> its limits.

    A Redis that fails or takes longer than `budget` seconds is bypassed for a while: each process then counts
    alone. `clock`: monotonic, in seconds.
    """

    def __init__(
        self,
        quota: Callable[[str], Quota],
        *,
        budget: float = BUDGET,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quota = quota
        self._budget = budget
        self._clock = clock
        self._memory = _Windows(MemoryStorage())
        self._shared: _Windows | None = None
        self._bypass = Bypass(_NAME, clock)

    @property
    def bypasses(self) -> int:
        """Operations that memory did in place of Redis."""
        return self._bypass.failures + self._bypass.bypassed

    def share(self, redis: Redis | None) -> None:
        """Count in `redis` from now on, together with all processes that use it; `None`: in this process alone."""
        self._bypass = Bypass(_NAME, self._clock)
        self._shared = _Windows(_storage(redis)) if redis is not None else None

    async def admit(self, client: str) -> Response | dict[str, str]:
        """Count a request of `client`. Returns the `x-ratelimit-…` headers for its answer, or a 429.

        Raises nothing but `CancelledError`.
        """
        quota = self._quota(client)
        if not (quota.requests or quota.tokens):
            return {}
        taken = await self._ask(lambda windows: windows.take(client, quota))
        headers = {name: value for standing in taken.standings for name, value in standing.headers.items()}
        return headers if taken.used_up is None else _refusal(taken.used_up, headers)

    async def charge(self, client: str, tokens: int) -> None:
        """Count the `tokens` that an answered request of `client` has used. Raises nothing but `CancelledError`."""
        quota = self._quota(client)
        if quota.tokens and tokens > 0:
            await self._ask(lambda windows: windows.charge(client, quota, tokens))

    async def _ask[T](self, question: Callable[[_Windows], Awaitable[T]]) -> T:
        shared = self._shared
        if shared is not None:
            try:
                return await self._bypass.run("writing", lambda: question(shared), self._budget)
            except Bypassed:
                pass
        return await question(self._memory)


def _storage(redis: Redis) -> RedisStorage:
    return RedisStorage(
        "async+redis://",
        implementation="redispy",
        key_prefix=f"{PREFIX}limits",
        connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # documented, but not in its types
    )


def estimated_tokens(sent: int, received: int, *, streamed: bool) -> int:
    """An estimate of a call's tokens from the bytes of its bodies, for answers without `usage`."""
    return math.ceil(sent * _TOKENS_A_BYTE + received * (_TOKENS_A_STREAMED_BYTE if streamed else _TOKENS_A_BYTE))


def _item(limit: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(limit, namespace="minute")


def _refusal(used_up: _Standing, headers: Mapping[str, str]) -> Response:
    # One second more: a retry at the exact end of the window, or by another clock, would be refused again.
    wait = used_up.frees + 1
    refusal = proxy_errors.CLIENT_LIMIT_REACHED(limit=used_up.limit, kind=used_up.kind, retry_after=wait).response()
    refusal.headers.update(headers)
    return refusal
