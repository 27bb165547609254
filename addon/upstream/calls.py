"""One try of a call on the addon's own account: through the gate, sent, and what it says about the endpoint told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from ..admission import Account
from . import retry
from .circuit_breaker import Verdict
from .client import CallFailed, CallTimedOut, Outgoing
from .gate import Gate, Passage
from .signing import BEARER, Unsigned, UnusableCredentials, signed


@dataclass(frozen=True)
class Upstream:
    """Where calls go: the base URL of the client's request (with `/v1`), and the headers to send there."""

    base_url: str
    headers: Mapping[str, str]
    account: Account | None = None
    """Whom they are counted for; `None`: they pass no gate."""
    signer: str = BEARER
    """What puts the credentials of `headers` on each call: a name in `signing.SIGNERS`."""


class OwnCalls:
    """Posts JSON through `gate` (`None`: none is there). `clock` (monotonic) is admission's."""

    def __init__(
        self, outgoing: Outgoing, gate: Gate | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._outgoing = outgoing
        self._gate = gate
        self._clock = clock

    async def post(
        self,
        upstream: Upstream,
        path: str,
        body: bytes,
        *,
        timeout: float,  # noqa: ASYNC109 - as everywhere with Outgoing
        until: float,
        ends: float = math.inf,
        ahead: bool = False,
    ) -> httpx.Response:
        """POST `body` to `path` below the base URL. Holds a slot for this call only, and none while it waits for one.

        `timeout`: seconds, from the moment that the slot is there. `until`: when, on the clock, the wait for the slot
        ends; `ends`: when nobody wants the answer any more. `ahead`: a further try of what was let in before. Raises
        `TurnedAway`, `CallTimedOut`, `CallFailed`.
        """
        passage = await self._enter(upstream, until, ahead)
        verdict = Verdict.UNKNOWN
        try:
            url = _url(upstream, path)
            headers = _signed(upstream, url, body)
            left = max(0.0, ends - self._clock())
            try:
                answer = await self._outgoing.post(url, body, headers, min(timeout, left))
            except CallFailed as error:
                # A try that was cut short says nothing about the endpoint.
                if not (isinstance(error, CallTimedOut) and left < timeout):
                    verdict = retry.failure_verdict(error)
                raise
            verdict = retry.verdict(answer.status_code)
            return answer
        finally:
            if passage is not None:
                passage.leave(verdict)

    async def _enter(self, upstream: Upstream, until: float, ahead: bool) -> Passage | None:
        if self._gate is None or upstream.account is None:
            return None
        return await self._gate.enter(upstream.base_url, upstream.account, until=until, ahead=ahead)


def _signed(upstream: Upstream, url: str, body: bytes) -> Mapping[str, str]:
    """The headers of one call. Raises `CallFailed` where the credentials can't sign it."""
    given = {"content-type": "application/json", **{name.lower(): value for name, value in upstream.headers.items()}}
    pairs = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in given.items()]
    try:
        headers = signed(upstream.signer, Unsigned("POST", url, pairs, body), time.time())
    except UnusableCredentials as error:
        raise CallFailed(f"not signed: {error}", begun=False) from None
    return {name.decode(): value.decode("utf-8", "surrogateescape") for name, value in headers}


def _url(upstream: Upstream, path: str) -> str:
    return f"{upstream.base_url.rstrip('/')}{path}"
