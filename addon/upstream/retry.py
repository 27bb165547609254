"""The policy of trying again: what may pass, how long to wait, when to give up. Every call of the addon's shares it."""

from __future__ import annotations

import asyncio
import email.utils
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, cast

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from ..config import values as read
from ..config.option import option
from ..exchange import Response
from ..profiles import Profile
from ..wire import vendor_errors
from .circuit_breaker import Verdict
from .client import CallFailed
from .gate import TurnedAway

BACKOFF_FIRST = 1.0
BACKOFF_MOST = 8.0
"""Seconds: the bounds between which the backoff's ceiling doubles."""

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_DOWN = frozenset({502, 503, 504})


@dataclass(frozen=True)
class RetrySettings:
    """What is tried again, and for how long. Seconds."""

    retry: Literal["off", "vision", "all"] = option(
        "vision",
        "What is tried again after a failure that may pass: off, vision (the addon's own calls), all (chat and "
        "embeddings calls too, through a relay inside the process).",
        read.choice("off", "vision", "all"),
    )
    retry_tries: int = option("5", "Tries for one call of a client's under hunyuan_retry=all.", read.count(1))
    retry_deadline: float = option(
        "100",
        "Seconds after which no further try is begun under hunyuan_retry=all.",
        read.seconds,
    )
    upstream_timeout: float = option(
        "300",
        "Seconds of silence from the endpoint after which a call counts as failed under hunyuan_retry=all.",
        read.seconds,
    )


@dataclass(frozen=True, slots=True)
class Setback[R]:
    """A failure that may pass. `what`: for the log; `outcome`: what the caller gets if it doesn't."""

    what: str
    outcome: R
    wait: float | None = None
    """Seconds that the endpoint asked for."""


async def persist[T, R](
    attempt: Callable[[], Awaitable[T | Setback[R]]],
    *,
    tries: int,
    until: float,
    on_setback: Callable[[Setback[R], int], None] = lambda _setback, _number: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
    clock: Callable[[], float] = time.monotonic,
) -> T | R:
    """What `attempt` brings, begun `tries` times at most as long as it brings a `Setback`; then its outcome.

    Between two tries: what `Setback.wait` says, else exponential backoff with full jitter. A wait that would last
    until `until` (on `clock`) or longer isn't begun. `on_setback` gets each setback and the number of its try, from 1.
    What `attempt` raises is raised. `jitter` gives numbers from 0 to 1.
    """

    async def tried() -> T | Setback[R]:
        return await attempt()

    def setback(state: RetryCallState) -> Setback[R]:
        return cast(Setback[R], state.outcome.result() if state.outcome else None)

    def wait(state: RetryCallState) -> float:
        asked = setback(state).wait
        ceiling = min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** (state.attempt_number - 1))
        return jitter() * ceiling if asked is None else asked

    def stop(state: RetryCallState) -> bool:
        on_setback(setback(state), state.attempt_number)
        return state.attempt_number >= tries or clock() + state.upcoming_sleep >= until

    retrying = AsyncRetrying(
        retry=retry_if_result(lambda result: isinstance(result, Setback)),
        wait=wait,
        stop=stop,
        sleep=sleep,
        retry_error_callback=lambda state: setback(state).outcome,
    )
    return cast(T | R, await retrying(tried))


def may_pass(status: int, body: bytes, profile: Profile, model: str) -> bool:
    """Whether trying again may mend an error answer, read as the endpoint means it.

    Its rate limit is a 400 (docs/facts/hunyuan.md#rate-limit), and a quota that is used up stays so under any status.
    """
    honest = vendor_errors.translate_error(status, body, None, profile, model)
    return (status if honest is None else honest.status) in _PASSING


def verdict(status: int) -> Verdict:
    """What an answer says about its upstream: 502, 503 and 504 come from a gateway that didn't reach it."""
    return Verdict.DOWN if status in _DOWN else Verdict.UP


def failure_verdict(failure: CallFailed) -> Verdict:
    """What a call without a whole answer says: nothing, if an answer had begun."""
    return Verdict.UNKNOWN if failure.begun else Verdict.DOWN


def turned_away(away: TurnedAway, *, again: bool) -> Response | Setback[Response]:
    """What the gate's refusal means for a call: its answer at once, as a rule.

    A call that is tried `again` waits for the end of the time for which the endpoint is spared, if `persist` lets it:
    it was let in while the endpoint seemed to be up, and what it has cost so far would be lost. The queue has had all
    the patience that there is.
    """
    if again and away.spared is not None:
        return Setback("endpoint spared", away.refusal, away.spared)
    return away.refusal


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number or an HTTP date; `now` is Unix time), if it says so."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
