"""Calls that the addon makes itself: one try through the gate (`Calls.send`), and a call with its further tries."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from .. import profiles, texts
from ..circuit import Verdict
from ..dialects import UPSTREAM_DIALECTS
from ..dialects.base import House, UpstreamDialect
from ..events import Purpose
from ..exchange import JsonObject, Response
from ..rules import RuleContext
from ..texts.terminal import say
from ..wire import json_body
from . import retry
from .client import CallFailed, CallTimedOut, HttpClient
from .gate import CallPermit, CallRefused, Gate
from .retry import Retryable
from .server_clock import TC3, ServerClocks, is_expired
from .signing import Unsigned, UnusableCredentials, signed
from .target import Target
from .timing import Timing
from .told_call import NOTHING, Told, ToldCall

logger = logging.getLogger("hunyuan_fix")


class Calls:
    """POSTs JSON through `gate` (`None`: there is none)."""

    def __init__(
        self,
        http_client: HttpClient,
        gate: Gate | None = None,
        timing: Timing | None = None,
        clocks: ServerClocks | None = None,
    ) -> None:
        self._http_client = http_client
        self._gate = gate
        self.timing = timing or Timing()
        self.clocks = clocks or ServerClocks()

    async def send(
        self,
        target: Target,
        path: str,
        body: bytes,
        *,
        timeout: float,  # noqa: ASYNC109 - of the call alone, without the wait for a slot
        until: float,
        ends: float = math.inf,
        ahead: bool = False,
        what: Told = NOTHING,
    ) -> Response:
        """POST `body` to `path` below the base URL. Holds a slot for this call only, and none while it waits for one.

        `timeout`: seconds, from the moment that the call has its slot. `until`: when, on the clock, the wait for the
        slot ends; `ends`: when the answer is of no use any more. `ahead`: a further try of what was let in before.
        `what`: what its exchange tells of it. Raises `CallRefused`, `CallTimedOut`, `CallFailed`.
        """
        begun = self.timing.clock()
        permit = await self._enter(target, until, ahead)
        told = ToldCall(target.exchange, what)
        verdict = Verdict.UNKNOWN
        try:
            url = target.url(path)
            signer = profiles.load(target.profile).signer
            headers = self._signed(target, url, body, told.headers)
            told.begin(url, body, waited=self.timing.clock() - begun)
            left = max(0.0, ends - self.timing.clock())
            try:
                answer = await self._http_client.post(url, body, headers, min(timeout, left))
                if signer == TC3 and is_expired(answer.body) and self.clocks.refused(url, answer.headers.get("date")):
                    headers = self._signed(target, url, body, told.headers)
                    answer = await self._http_client.post(url, body, headers, min(timeout, left))
            except CallFailed as error:
                told.failed("timeout" if isinstance(error, CallTimedOut) else "unreachable", begun=error.begun)
                # A try that was cut short says nothing about the endpoint.
                if not (isinstance(error, CallTimedOut) and left < timeout):
                    verdict = retry.failure_verdict(error)
                raise
            verdict = retry.verdict(answer.status)
            told.answered(answer)
            return answer
        finally:
            told.end()
            if permit is not None:
                permit.leave(verdict)

    def _signed(self, target: Target, url: str, body: bytes, traced: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of one call. Raises `CallFailed` where the credentials can't sign it."""
        given = {
            "content-type": "application/json",
            **{name.lower(): value for name, value in target.headers.items()},
            **traced,
        }
        pairs = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in given.items()]
        unsigned = Unsigned("POST", url, pairs, body)
        try:
            headers = signed(profiles.load(target.profile).signer, unsigned, self.clocks.now(url))
        except UnusableCredentials as error:
            raise CallFailed(f"not signed: {error}", begun=False) from None
        return {name.decode(): value.decode("utf-8", "surrogateescape") for name, value in headers}

    async def _enter(self, target: Target, until: float, ahead: bool) -> CallPermit | None:
        if self._gate is None or target.account is None:
            return None
        return await self._gate.enter(
            target.base_url, target.account, until=until, ahead=ahead, exchange=target.exchange
        )


@dataclass(frozen=True, slots=True)
class RetriedCall[T]:
    """One call that is tried again while its failure may pass."""

    name: str
    """For the log."""
    target: Target
    house: House
    body: JsonObject
    """The request in that house language."""
    read: Callable[[Response], T | Response | Retryable[T | Response]]
    """What an answer, of any status, means; its body is in the house language."""
    failed: Callable[[CallFailed], Response]
    """The client's answer where the last try brought none."""
    tries: int
    timeout: float
    """Seconds that one try may take."""
    until: float
    """When, on the clock, no further try is begun and the wait for a slot ends."""
    ends: float = math.inf
    """When, on the clock, the answer is of no use any more."""
    ahead: bool = False
    """The first try goes ahead of new calls too."""
    purpose: Purpose | None = None
    """What it is made for, as events name it; `None`: they don't tell of it."""

    async def send(self, calls: Calls) -> T | Response:
        """What `read` makes of the first answer that isn't retryable, else of the last; or why there was no answer."""

        profile = profiles.load(self.target.profile)
        upstream = UPSTREAM_DIALECTS[profile.dialect]
        note: JsonObject = {}
        demands = RuleContext(profile, profile.model(self.body.get("model")), texts.load("en"), None)
        model = str(self.body.get("model") or "")
        target = replace(self.target, headers={**upstream.headers(self.house), **self.target.headers})
        path, body = upstream.path(self.house), json_body.serialise(upstream.request(self.body, demands, note))

        async def attempt(number: int) -> T | Response | Retryable[T | Response]:
            again = number > 1
            try:
                answer = await calls.send(
                    target,
                    path,
                    body,
                    timeout=self.timeout,
                    until=self.until,
                    ends=self.ends,
                    ahead=self.ahead or again,
                    what=Told(
                        self.purpose,
                        model,
                        number,
                        is_chat=self.house == "chat" and upstream.is_house,
                        profile=self.target.profile,
                    ),
                )
            except CallRefused as refusal:
                return retry.refused(refusal, again=again)
            except CallTimedOut as error:
                return Retryable("timeout", self.failed(error))
            except CallFailed as error:
                return Retryable(str(error), self.failed(error))
            return self.read(_in_house(answer, upstream, note))

        def log(retryable: Retryable[T | Response], number: int) -> None:
            logger.info(
                "%s",
                say(
                    "{call}: {what} (try {number} of {tries})",
                    call=self.name,
                    what=retryable.what,
                    number=number,
                    tries=self.tries,
                ),
            )

        return await retry.persist(attempt, tries=self.tries, until=self.until, timing=calls.timing, on_retryable=log)


def _in_house(answer: Response, upstream: UpstreamDialect, note: JsonObject) -> Response:
    """`answer` with its body in the house language; what can't be read keeps its body."""
    if upstream.is_house:
        return answer
    if answer.status >= 400:
        return replace(answer, body=upstream.error(answer.status, answer.body))
    body = json_body.parse_object(answer.body)
    return answer if body is None else replace(answer, body=json_body.serialise(upstream.answer(body, note)))
