"""The soak's clients: HTTP/1.1 and HTTP/2, each with a connection that it keeps for a while and then renews."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from scripts.lib.soak_orders import Order

RENEWED_AFTER = 50
"""Requests after which a client takes a new connection: mitmproxy keeps what it knows of an HTTP/2 connection's streams
until that is closed."""
TIMEOUT = 60.0
"""Seconds for one request."""

_MUST_BE_GOOD = frozenset(["chat", "stream", "tools", "tools, streamed", "image", "embeddings", "models"])


class _OnlyHttp2(ssl.SSLContext):
    """httpx offers HTTP/1.1 first, and mitmproxy takes what is offered first."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Offer HTTP/2, whatever httpx wants."""
        super().set_alpn_protocols(["h2"])


_numbers = itertools.count()
"""By which the endpoint knows the request that is to fail. A client that left early leaves its fault there unused."""


class _Left(Exception):
    """The client has seen as much of the answer as it wanted to."""


@dataclass(slots=True)
class Outcomes:
    """What became of the requests: by kind and outcome."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    """What should have been answered well and was not."""

    @property
    def total(self) -> int:
        """Requests that are over."""
        return self.counts.total()

    def note(self, order: Order, outcome: str, retries: bool) -> None:
        """One more. `retries`: the proxy tries again, so that one failure is no excuse."""
        self.counts[order.kind, outcome] += 1
        good = order.kind in _MUST_BE_GOOD or (retries and order.kind == "fails once")
        if good and outcome not in ("good", "cancelled"):
            self.surprises.append(f"{order.kind} {order.fault}: {outcome}")


@dataclass(slots=True)
class Crowd:
    """Clients that send orders to `url` and trust `ca`; faults are programmed at `endpoint`, whose CA is the other."""

    url: str
    ca: Path
    endpoint: str
    endpoint_ca: Path
    retries: bool
    """The proxy tries failures again."""
    outcomes: Outcomes = field(default_factory=Outcomes)

    async def send(
        self, orders: Iterable[Order], concurrency: int, *, until: float, progress: Callable[[int], None]
    ) -> None:
        """Send them all, so many at a time; none is begun after `until` (monotonic)."""
        left = iter(orders)
        contexts = [_trusting(kind, self.ca) for kind in (ssl.SSLContext, _OnlyHttp2)]
        endpoint = _trusting(ssl.SSLContext, self.endpoint_ca)
        async with httpx.AsyncClient(verify=endpoint, trust_env=False) as control:

            async def work(trusted: ssl.SSLContext) -> None:
                client, used = self._client(trusted), 0
                for order in left:
                    if time.monotonic() > until:
                        break
                    outcome = await self._one(client, control, order)
                    self.outcomes.note(order, outcome, self.retries)
                    progress(self.outcomes.total)
                    used += 1
                    # A client that leaves hangs up: over HTTP/2, httpx would only stop listening.
                    if outcome == "cancelled" or used >= RENEWED_AFTER:
                        await client.aclose()
                        client, used = self._client(trusted), 0
                await client.aclose()

            async with asyncio.TaskGroup() as group:
                for number in range(concurrency):
                    group.create_task(work(contexts[number % 2]))

    def _client(self, trusted: ssl.SSLContext) -> httpx.AsyncClient:
        http2 = isinstance(trusted, _OnlyHttp2)
        return httpx.AsyncClient(
            base_url=self.url,
            verify=trusted,
            http1=not http2,
            http2=http2,
            trust_env=False,
            timeout=TIMEOUT,
            headers={"authorization": "Bearer sk-soak"},
        )

    async def _one(self, client: httpx.AsyncClient, control: httpx.AsyncClient, order: Order) -> str:
        headers = {"content-type": "application/json"}
        if order.fault and order.once:
            number = str(next(_numbers))
            headers["x-soak"] = number
            fault = {"fault": order.fault, "match": {"header": f"x-soak: {number}"}, "retry_after": "0"}
            await control.post(f"{self.endpoint}/_sim/faults", json=[fault])
        elif order.fault:
            headers["x-sim-fault"] = order.fault
        seconds = order.cancel.seconds if order.cancel else 0
        try:
            async with asyncio.timeout(seconds or None):
                return await _exchange(client, order, headers)
        except (TimeoutError, _Left):
            return "cancelled"
        except httpx.HTTPError as error:
            return f"broken ({type(error).__name__})"


def _trusting(kind: type[ssl.SSLContext], ca: Path) -> ssl.SSLContext:
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    return context


async def _exchange(client: httpx.AsyncClient, order: Order, headers: dict[str, str]) -> str:
    method = "POST" if order.body else "GET"
    pieces = order.cancel.pieces if order.cancel else 0
    body = b""
    async with client.stream(method, order.path, content=order.body or None, headers=headers) as answer:
        async for piece in answer.aiter_bytes():
            body += piece
            pieces -= 1
            if not pieces:
                raise _Left
    if answer.status_code != 200:
        return f"{answer.status_code}"
    if order.streamed:
        whole = body.endswith(b"data: [DONE]\n\n") and b'"error"' not in body
        return "good" if whole else "error event"
    return "good" if "error" not in json.loads(body) else "200 with an error"
