"""The policy of trying again: what may pass, how long to wait, when to give up. Every call of the addon's shares it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Literal

from ..circuit import Verdict
from ..config import values as read
from ..config.option import option
from ..exchange import Response
from ..profiles import Profile
from ..wire import vendor_errors
from .client import CallFailed
from .gate import CallRefused, CircuitOpen
from .timing import Timing

BACKOFF_FIRST = 1.0
BACKOFF_MOST = 8.0
"""Seconds: the bounds between which the backoff's ceiling doubles."""

_PLAN_TRIES = 2
"""Tries for one call on the host of a plan: one further one."""
_DOWN = frozenset({502, 503, 504})


@dataclass(frozen=True)
class RetrySettings:
    """What is tried again, and for how long. Seconds."""

    retry: Literal["off", "vision", "all"] = option(
        "vision",
        "What is tried again after a failure that may pass: off, vision (the addon's own calls), all (clients' "
        "calls too, through a relay inside the process).",
        read.choice("off", "vision", "all"),
    )
    retry_tries: int = option("5", "Tries for one call of a client under hunyuan_retry=all.", read.count(1))
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
class Retryable[R]:
    """A failure that may pass. `what`: for the log; `outcome`: what the caller gets if it doesn't pass."""

    what: str
    outcome: R
    wait: float | None = None
    """Seconds that the endpoint asked for."""


async def persist[T, R](
    attempt: Callable[[int], Awaitable[T | Retryable[R]]],
    *,
    tries: int,
    until: float,
    timing: Timing,
    on_retryable: Callable[[Retryable[R], int], None] = lambda _retryable, _number: None,
) -> T | R:
    """Call `attempt(number)`, at least once and `tries` times at most, until its result is no `Retryable`; return that.

    After the last try the outcome of its `Retryable` is returned. Between two tries: the seconds in `Retryable.wait`,
    else exponential backoff with full jitter. A wait that would last until `until` (on the clock) or longer isn't
    begun. `on_retryable` gets each `Retryable` and the number of its try, from 1. What `attempt` raises is raised.
    """
    for number in count(1):
        result = await attempt(number)
        if not isinstance(result, Retryable):
            return result
        on_retryable(result, number)
        ceiling = min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** (number - 1))
        wait = timing.jitter() * ceiling if result.wait is None else result.wait
        if number >= tries or timing.clock() + wait >= until:
            return result.outcome
        await timing.sleep(wait)
    raise AssertionError("count never ends")


def may_pass(status: int, body: bytes, profile: Profile, model: str) -> bool:
    """Whether another try may succeed after an error answer, read as the endpoint means it.

    Its rate limit is a 400 (docs/facts/hunyuan.md#rate-limit), and a quota that is used up stays so under any status.
    """
    translated = vendor_errors.translate_error(status, body, None, profile, model)
    return (status if translated is None else translated.status) in vendor_errors.PASSING


def allowed(tries: int, profile: Profile) -> int:
    """`tries`, or fewer: a plan's terms forbid what looks like automation (docs/facts/tokenhub.md#plans)."""
    return min(tries, _PLAN_TRIES) if profile.plan else tries


def verdict(status: int) -> Verdict:
    """What an answer says about its upstream: 502, 503 and 504 come from a gateway that didn't reach it."""
    return Verdict.DOWN if status in _DOWN else Verdict.UP


def failure_verdict(failure: CallFailed) -> Verdict:
    """What a call without a whole answer says: nothing, if an answer had begun."""
    return Verdict.UNKNOWN if failure.begun else Verdict.DOWN


def refused(refusal: CallRefused, *, again: bool) -> Response | Retryable[Response]:
    """What the gate's refusal means for a call: its answer at once, as a rule.

    A call that is tried `again` waits until the circuit may be probed, if `persist` lets it: it was let in while the
    endpoint seemed to be up, and what it has cost so far would be lost. A queue timeout is final: the call has already
    waited for `hunyuan_queue_timeout`.
    """
    if again and isinstance(refusal, CircuitOpen):
        return Retryable("circuit open", refusal.response, refusal.seconds)
    return refusal.response
