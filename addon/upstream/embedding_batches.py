"""Embedding batches: an embeddings request that is too large for one call, sent as several and answered as one."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

from ..answers import embeddings
from ..exchange import JsonObject, Response
from ..profiles import Profile
from ..wire import json_body, proxy_errors, vendor_errors
from . import retry
from .calls import OwnCalls, Upstream
from .client import CallFailed, CallTimedOut, Outgoing
from .gate import Gate, TurnedAway
from .retry import Setback

CONCURRENCY = 3
"""Calls at a time, per request: the legacy endpoint allows an account five in all (1729/111007)."""

TRIES = 3
"""Tries for each of them."""

PATIENCE = 60.0
"""Seconds in which each of them must have begun its last try."""

logger = logging.getLogger("hunyuan_fix")

_PASSED_HEADERS = ("content-type", "retry-after", "x-request-id")


class _Refused(Exception):
    """A batch was refused, and with it the whole request."""

    def __init__(self, refusal: Response) -> None:
        super().__init__()
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class _Batches:
    """What all batches of one request have in common."""

    upstream: Upstream
    profile: Profile
    timeout: float
    tries: int
    until: float
    """When, on the clock, the last try must have begun."""


class EmbeddingBatches:
    """Sends the bodies that `rules.embeddings.batches` made, each try through `gate` (`None`: there is none).

    `sleep`, `jitter` (0..1), `clock` (monotonic, admission's) and `now` (Unix time) are for tests.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        gate: Gate | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._calls = OwnCalls(outgoing, gate, clock)
        self._sleep = sleep
        self._jitter = jitter
        self._clock = clock
        self._now = now

    async def send(
        self,
        bodies: Sequence[JsonObject],
        upstream: Upstream,
        profile: Profile,
        timeout: float,  # noqa: ASYNC109 - of each try, as everywhere with Outgoing
        concurrency: int = CONCURRENCY,
        *,
        tries: int = TRIES,
        patience: float = PATIENCE,
    ) -> JsonObject | Response:
        """The joined answer to `bodies` (at least one), in their order; floats, as they came.

        A batch whose failure may pass is tried `tries` times, as `retries.persist` does it; within `patience` seconds
        the last try of the last one has begun. One that fails for good ends the others at once and is the answer to
        the whole: the endpoint's error under its honest status, 504 after `timeout` seconds for one try, 502 without a
        usable answer, what the gate says. Cancelling this coroutine ends the calls.
        """
        batches = _Batches(upstream, profile, timeout, tries, until=self._clock() + patience)
        waiting = iter(enumerate(bodies))
        answers: dict[int, JsonObject] = {}

        async def work() -> None:
            for position, body in waiting:
                # What was begun goes on ahead of new arrivals: its first parts are paid for.
                answers[position] = await self._send_one(body, batches, begun=position > 0)

        workers = [asyncio.create_task(work()) for _ in range(min(concurrency, len(bodies)))]
        try:
            await asyncio.gather(*workers)
        except _Refused as refused:
            return refused.refusal
        finally:
            for worker in workers:
                worker.cancel()
        return embeddings.join([answers[position] for position in range(len(bodies))])

    async def _send_one(self, body: JsonObject, batches: _Batches, *, begun: bool) -> JsonObject:
        """The answer to one batch; `begun`: of a request that has begun before it. Raises `_Refused`."""
        data = json_body.serialise(body)
        until = batches.until
        tried = itertools.count()

        async def attempt() -> JsonObject | Response | Setback[Response]:
            again = next(tried) > 0
            try:
                answer = await self._calls.post(
                    batches.upstream, "/embeddings", data, timeout=batches.timeout, until=until, ahead=begun or again
                )
            except TurnedAway as away:
                return retry.turned_away(away, again=again)
            except CallTimedOut:
                return Setback("timeout", proxy_errors.BATCH_TIMEOUT().response())
            except CallFailed as error:
                return Setback(str(error), proxy_errors.BATCH_UNREACHABLE().response())
            return self._read(answer, body, batches.profile)

        def log_setback(setback: Setback[object], number: int) -> None:
            logger.info("embeddings call: %s (try %d of %d)", setback.what, number, batches.tries)

        result: JsonObject | Response = await retry.persist(
            attempt,
            tries=batches.tries,
            until=until,
            on_setback=log_setback,
            sleep=self._sleep,
            jitter=self._jitter,
            clock=self._clock,
        )
        if isinstance(result, Response):
            raise _Refused(result)
        return result

    def _read(
        self, answer: httpx.Response, body: JsonObject, profile: Profile
    ) -> JsonObject | Response | Setback[Response]:
        if answer.status_code < 400:
            return _usable(answer, body)
        model = str(body.get("model", ""))
        refused = _refused(answer, model, profile)
        if not retry.may_pass(answer.status_code, answer.content, profile, model):
            return refused
        wait = retry.retry_after(answer.headers.get("retry-after"), self._now())
        return Setback(f"HTTP {answer.status_code}", refused, wait)


def _usable(answer: httpx.Response, body: JsonObject) -> JsonObject | Response | Setback[Response]:
    """The answer to one batch, if it is a list of as many vectors."""
    unusable = proxy_errors.BATCH_INVALID_ANSWER().response()
    if answer.status_code != 200:
        return unusable
    try:
        parsed = json_body.parse(answer.content)
    except json_body.InvalidJson:
        parsed = None
    if isinstance(parsed, dict):
        data = parsed.get("data")
        # A vector too few would shift all that follow onto other texts.
        if isinstance(data, list) and len(data) == len(body["input"]):
            return parsed
    return Setback("no usable answer", unusable)


def _refused(answer: httpx.Response, model_id: str, profile: Profile) -> Response:
    honest = vendor_errors.translate_error(
        answer.status_code, answer.content, answer.headers.get("retry-after"), profile, model_id
    )
    if honest is not None:
        return honest
    headers = {name: answer.headers[name] for name in _PASSED_HEADERS if name in answer.headers}
    return Response(answer.status_code, headers, answer.content)
