"""The addon's own HTTP calls: one pooled client, apart from the proxy's connections and the environment's proxies."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import certifi
import httpx

LOOP_GUARD = "x-hunyuan-fix-call"
"""Header on every call of the addon's own: a proxy of this kind that sees it come in refuses (issue 2 section 5)."""

MAX_ANSWER = 8 * 2**20
"""Bytes of an answer that are read: a description has a few thousand."""

_CONNECT_TIMEOUT = 10.0
_KEPT_HEADERS = ("content-type", "retry-after", "x-request-id")

# httpx logs each URL, httpcore (at debug level) what it sends.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Transport:
    """How calls leave: as mitmproxy's own options say for the proxy's connections.

    `trusted_ca`: PEM file that replaces the public CAs (`ssl_verify_upstream_trusted_ca`); `insecure`: certificates
    aren't verified (`ssl_insecure`); `proxy`: URL of an http(s) proxy in front (upstream mode,
    `hunyuan_outgoing_proxy`). SOCKS isn't spoken.
    """

    trusted_ca: str | None = None
    insecure: bool = False
    proxy: str | None = None


class CallFailed(Exception):
    """A call that brought no answer: not connected, cut off, or an answer larger than `MAX_ANSWER`.

    The text names the kind of failure only, never an address, a header or a body.
    """


class CallTimedOut(CallFailed):
    """A call that took longer than it may."""


@dataclass(slots=True, eq=False)
class _Pool:
    """A client and the number of calls under way in it."""

    transport: Transport
    client: httpx.AsyncClient
    calls: int = 0


class Outgoing:
    """Posts JSON. The client is made at the first call, on the loop that runs then."""

    def __init__(self, transport: Transport | None = None) -> None:
        self._transport = transport or Transport()
        self._pool: _Pool | None = None
        self._retired: list[_Pool] = []
        self._making = asyncio.Lock()

    def configure(self, transport: Transport) -> None:
        """Let calls from now on leave by `transport`. Those under way end as they began."""
        self._transport = transport

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> httpx.Response:  # noqa: ASYNC109
        """POST the JSON `body` to `url`; the whole call ends within `timeout` seconds.

        Environment proxies aren't used and redirects aren't followed, so that neither the addon is called by itself nor
        a key goes to another host. Raises `CallTimedOut`, `CallFailed`.
        """
        try:
            async with asyncio.timeout(timeout):
                pool = await self._current()
                pool.calls += 1
                try:
                    return await _post(pool.client, url, body, headers, timeout)
                finally:
                    pool.calls -= 1
                    await self._close_idle()
        except (TimeoutError, httpx.TimeoutException):
            raise CallTimedOut("no answer in time") from None
        except (httpx.RequestError, httpx.InvalidURL, OSError) as error:
            raise CallFailed(type(error).__name__) from None

    async def aclose(self) -> None:
        """Close every connection, those of calls under way too."""
        pools, self._retired = [*self._retired, *filter(None, [self._pool])], []
        self._pool = None
        for pool in pools:
            await pool.client.aclose()

    async def _current(self) -> _Pool:
        async with self._making:
            transport, pool = self._transport, self._pool
            if pool is None or pool.transport != transport:
                client = await asyncio.to_thread(_client, transport)  # reading the CAs takes tens of ms
                if pool is not None:
                    self._retired.append(pool)
                pool = self._pool = _Pool(transport, client)
            return pool

    async def _close_idle(self) -> None:
        idle = [pool for pool in self._retired if not pool.calls]
        self._retired = [pool for pool in self._retired if pool.calls]
        for pool in idle:
            await pool.client.aclose()


async def _post(
    client: httpx.AsyncClient,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout: float,  # noqa: ASYNC109
) -> httpx.Response:
    limits = httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT))
    sent = {"content-type": "application/json", **headers, LOOP_GUARD: "1"}
    # as bytes: httpx takes ASCII text only, and its complaint would show the key
    encoded = {name.encode(): value.encode("utf-8", "surrogateescape") for name, value in sent.items()}
    async with client.stream("POST", url, content=body, headers=encoded, timeout=limits) as answer:
        content = bytearray()
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > MAX_ANSWER:
                raise CallFailed("answer too large")
        kept = {name: value for name, value in answer.headers.items() if name in _KEPT_HEADERS}
        return httpx.Response(answer.status_code, headers=kept, content=bytes(content))


def _client(transport: Transport) -> httpx.AsyncClient:
    context = _ssl_context(transport)
    proxy = None
    if transport.proxy:
        over_tls = transport.proxy.lower().startswith("https:")
        proxy = httpx.Proxy(transport.proxy, ssl_context=context if over_tls else None)
    return httpx.AsyncClient(
        verify=context,
        proxy=proxy,
        trust_env=False,
        follow_redirects=False,
        headers={"user-agent": "hunyuan-fix", "accept-encoding": "identity"},
    )


def _ssl_context(transport: Transport) -> ssl.SSLContext:
    if transport.insecure:
        return httpx.create_ssl_context(verify=False, trust_env=False)
    context = ssl.create_default_context(cafile=transport.trusted_ca or certifi.where())
    # Python 3.13 refuses company CAs without key usage or key ids, which the proxy's own connections accept.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
