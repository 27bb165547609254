"""Rate limits for each client token: requests and tokens per minute."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from ..exchange import Response
from ..stores.guard import BUDGET, Bypassed, StoreGuard
from ..wire import proxy_errors
from .client_tokens import Quota

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from .windows import Standing, Windows

_NAME = "limits"
_TOKENS_A_BYTE = 0.25
"""Four characters a token; a Chinese one has three bytes and is 0.6 tokens. `counting` needs the texts themselves."""
_TOKENS_A_STREAMED_BYTE = 0.01
"""An event of a stream has 100 to 200 bytes for one or two tokens."""


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
        self.budget = budget
        """Seconds. May be changed at any time."""
        self._clock = clock
        self._memory: Windows | None = None
        self._redis: Redis | None = None
        self._shared: Windows | None = None
        self._guard = StoreGuard(_NAME, clock)

    @property
    def bypasses(self) -> int:
        """Operations that memory did in place of Redis."""
        return self._guard.failures + self._guard.bypassed

    def share(self, redis: Redis | None) -> None:
        """Count in `redis` from now on, together with all processes that use it; `None`: in this process alone."""
        self._guard = StoreGuard(_NAME, self._clock)
        self._redis, self._shared = redis, None

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

    async def _ask[T](self, question: Callable[[Windows], Awaitable[T]]) -> T:
        from .windows import Windows  # noqa: PLC0415 - `limits` is loaded only where a client has a limit

        if (redis := self._redis) is not None:
            try:
                return await self._guard.run("writing", lambda: _asked(question, self._in_redis(redis)), self.budget)
            except Bypassed:
                pass
        self._memory = self._memory or Windows()
        return await question(self._memory)

    def _in_redis(self, redis: Redis) -> Windows:
        from .windows import Windows  # noqa: PLC0415 - as above

        self._shared = self._shared or Windows(redis)
        return self._shared


async def _asked[T](question: Callable[[Windows], Awaitable[T]], windows: Windows) -> T:
    from ..stores.redis import plain_errors  # noqa: PLC0415 - loaded where there is a Redis

    with plain_errors():
        return await question(windows)


def estimated_tokens(sent: int, received: int, *, streamed: bool) -> int:
    """An estimate of a call's tokens from the bytes of its bodies, for answers without `usage`."""
    return math.ceil(sent * _TOKENS_A_BYTE + received * (_TOKENS_A_STREAMED_BYTE if streamed else _TOKENS_A_BYTE))


def _refusal(used_up: Standing, headers: Mapping[str, str]) -> Response:
    # One second more: a retry at the exact end of the window, or by another clock, would be refused again.
    wait = used_up.frees + 1
    error = proxy_errors.CLIENT_LIMIT_REACHED(
        limit=used_up.limit, kind=used_up.kind, seconds=math.ceil(wait), retry_after=wait
    )
    refusal = error.response()
    refusal.headers.update(headers)
    return refusal
