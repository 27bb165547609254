"""One call to the vision model: the request, what its answer means, and how often it is tried."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import httpx

from ..exchange import Response
from ..profiles import Profile
from ..texts import Texts, marks
from ..upstream import retry
from ..upstream.calls import OwnCalls, Upstream
from ..upstream.client import CallFailed, CallTimedOut, Outgoing
from ..upstream.gate import Gate, TurnedAway
from ..upstream.retry import Setback
from ..wire import json_body, proxy_errors, vendor_errors
from .descriptions import Description, Failure, Finding

MAX_TOKENS = 2000
"""Length of a description: one screen of text, transcribed."""

logger = logging.getLogger("hunyuan_fix")


@dataclass(frozen=True, slots=True)
class VisionCall:
    """One image and how to ask about it."""

    model: str
    url: str
    """The image: http(s) or data URL."""
    question: str
    profile: Profile
    texts: Texts
    upstream: Upstream
    timeout: float
    """Seconds that one try may take."""
    tries: int
    until: float
    """When, on `Vision`'s clock, nobody waits for an answer any more."""


class _Meaning(Enum):
    """What an answer that isn't a description means."""

    PASSES = auto()
    """Trying again may mend it."""
    IMAGE = auto()
    """The endpoint won't describe this image."""
    KEY = auto()
    MODEL = auto()
    QUOTA = auto()
    OTHER = auto()
    """Nothing known, and nothing that trying again would mend."""


_BY_STATUS: Mapping[int, _Meaning] = {
    400: _Meaning.IMAGE,
    401: _Meaning.KEY,
    402: _Meaning.QUOTA,
    403: _Meaning.KEY,
    404: _Meaning.MODEL,
    413: _Meaning.IMAGE,
    415: _Meaning.IMAGE,
    422: _Meaning.IMAGE,
    451: _Meaning.IMAGE,
}
_FILTERED = ("content_filter", "sensitive")
"""OpenAI's word and the legacy endpoint's (docs/facts/hunyuan.md#finish-reasons)."""


class Vision:
    """Asks the vision model, each try through `gate` (`None`: there is none).

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

    async def ask(self, call: VisionCall) -> Finding | Response:
        """A description, a failure for good, or the one error that the client gets.

        A failure that may pass is tried `call.tries` times, as `retries.persist` does it. A wait that would outlast
        `call.until` isn't begun: the client is told of it instead. An empty answer is tried again too, but then it is
        for good: at temperature 0 the same image would bring the same, and an error would make clients send the whole
        request up to 30 times (docs/facts/clients.md#retries).
        """
        body = _request_body(call)
        begun = itertools.count()

        def log_setback(setback: Setback[object], number: int) -> None:
            logger.info("vision call to %s: %s (try %d of %d)", call.model, setback.what, number, call.tries)

        return await retry.persist(
            lambda: self._attempt(call, body, again=next(begun) > 0),
            tries=call.tries,
            until=call.until,
            on_setback=log_setback,
            sleep=self._sleep,
            jitter=self._jitter,
            clock=self._clock,
        )

    async def _attempt(
        self, call: VisionCall, body: bytes, *, again: bool
    ) -> Finding | Response | Setback[Response | Failure]:
        try:
            answer = await self._calls.post(
                call.upstream,
                "/chat/completions",
                body,
                timeout=call.timeout,
                until=call.until,
                ends=call.until,
                ahead=again,
            )
        except TurnedAway as away:
            return retry.turned_away(away, again=again)
        except CallTimedOut:
            return Setback("timeout", proxy_errors.VISION_TIMEOUT(model=call.model).response())
        except CallFailed as error:
            return Setback(str(error), proxy_errors.VISION_UNREACHABLE(model=call.model).response())
        if answer.status_code == 200:
            return _description(answer, call)
        return self._failure(answer, call)

    def _failure(self, answer: httpx.Response, call: VisionCall) -> Finding | Response | Setback[Response | Failure]:
        status = answer.status_code
        wait = retry.retry_after(answer.headers.get("retry-after"), self._now())
        match _meaning(answer, call):
            case _Meaning.PASSES:
                return Setback(f"HTTP {status}", _passing_status(status, call, wait), wait)
            case _Meaning.IMAGE:
                return Failure("refused")
            case meaning:
                return _final(meaning, status, call)


def _request_body(call: VisionCall) -> bytes:
    # the text stands between <<< and >>> in the prompt: it can't close its own quotes
    quoted = marks.unquotable(call.question)
    prompt = call.texts.vision_prompt.format(question=quoted or call.texts.vision_no_question)
    content = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": call.url}}]
    return json_body.serialise(
        {
            "model": call.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": MAX_TOKENS,
            "temperature": 0,
            "stream": False,
        }
    )


def _description(answer: httpx.Response, call: VisionCall) -> Finding | Setback[Response | Failure]:
    """What a 200 says. Only the text counts: reasoning and tool calls are no description."""
    try:
        choice = json_body.parse(answer.content)["choices"][0]
        text = _text(choice["message"].get("content"))
        filtered = choice.get("finish_reason") in _FILTERED
    except (json_body.InvalidJson, LookupError, TypeError, AttributeError):
        return Setback("no chat answer", proxy_errors.VISION_BAD_ANSWER(model=call.model).response())
    if filtered:
        return Failure("refused")
    return Description(text) if text else Setback("empty answer", Failure("empty"))


def _text(content: Any) -> str:
    """The text of an answer's content, a string or a list of parts."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return content.strip() if isinstance(content, str) else ""


def _meaning(answer: httpx.Response, call: VisionCall) -> _Meaning:
    """Statuses are read as the endpoint means them: its rate limit is a 400 (docs/facts/hunyuan.md#rate-limit)."""
    status = answer.status_code
    if retry.may_pass(status, answer.content, call.profile, call.model):
        return _Meaning.PASSES
    honest = vendor_errors.translate_error(status, answer.content, None, call.profile, call.model)
    if honest is not None:
        if honest.headers.get("x-should-retry") == "false":
            return _Meaning.QUOTA
        status = honest.status
    return _BY_STATUS.get(status, _Meaning.OTHER)


def _passing_status(status: int, call: VisionCall, wait: float | None) -> Response:
    """The error, after the last try, for an HTTP status that may pass. A client must not take it for its own request's.

    `wait`: the seconds that the endpoint asked for.
    """
    if status < 500 and status not in (408, 409, 425):
        return proxy_errors.VISION_RATE_LIMITED(model=call.model, retry_after=wait).response()
    return proxy_errors.VISION_UNAVAILABLE(model=call.model, number=status, retry_after=wait).response()


def _final(meaning: _Meaning, status: int, call: VisionCall) -> Response:
    """The error for what a retry can't fix: a status that clients don't retry (docs/facts/clients.md#retries)."""
    match meaning:
        case _Meaning.KEY:
            entry = proxy_errors.VISION_KEY_REFUSED
        case _Meaning.MODEL:
            entry = proxy_errors.VISION_MODEL_NOT_FOUND
        case _Meaning.QUOTA:
            entry = proxy_errors.VISION_QUOTA
        case _:
            entry = proxy_errors.VISION_CALL_FAILED
    return entry(model=call.model, number=status).response()


ANNOUNCED = "(the description of the image would stand here: no vision model was asked)"
"""What stands for a description where none is made, so that the rules after the cascade see what they would see."""


class Announcing(Vision):
    """Asks nobody. Everything before a call is as ever: which images, how many calls, what is too large."""

    async def ask(self, call: VisionCall) -> Finding | Response:
        """`ANNOUNCED`, for any image."""
        return Description(ANNOUNCED)
