"""One connection of the addon's own to an endpoint, HTTP/1.1 or HTTP/2, that carries one call at a time.

All that knows httpx is here, and loaded at the first call.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import certifi
import httpcore
import httpx

from .failure import NOT_TRUSTED, TLS_FAILED, CallFailed, CallTimedOut
from .transport import Transport

KEPT_FOR = 30.0
"""Seconds for which an idle connection is kept: less than gateways on the way keep theirs (60 and more)."""

type Origin = tuple[str, str, int | None]
"""Scheme, host and port; `None`: the scheme's own."""

_VERSIONS = {
    "SSL3": ssl.TLSVersion.SSLv3,
    "TLS1": ssl.TLSVersion.TLSv1,
    "TLS1_1": ssl.TLSVersion.TLSv1_1,
    "TLS1_2": ssl.TLSVersion.TLSv1_2,
    "TLS1_3": ssl.TLSVersion.TLSv1_3,
}
"""mitmproxy's names; its `UNBOUNDED` sets no bound."""

_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "host name not found"),
    (ssl.SSLCertVerificationError, NOT_TRUSTED),
    (ssl.SSLError, TLS_FAILED),
    (ConnectionRefusedError, "connection refused"),
    (httpx.RemoteProtocolError, "no valid HTTP answer"),
    (httpx.ReadError, "connection lost"),
    (httpx.WriteError, "connection lost"),
)
"""Failures that are told apart; the others go by the name of httpx's exception."""


def request(
    method: str, url: str, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, silence: float, connect: float
) -> httpx.Request:
    """A request. `silence`, `connect`: seconds that it may take to read or write something, and to connect."""
    extensions = {"timeout": httpx.Timeout(silence, connect=connect).as_dict()}
    return httpx.Request(method, url, headers=list(headers), content=body, extensions=extensions)


@contextmanager
def failures(*, begun: bool) -> Iterator[None]:
    """Raise `CallTimedOut` or `CallFailed` for any failure of a call."""
    try:
        yield
    except httpx.TimeoutException:
        raise CallTimedOut("no answer in time", begun=begun) from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
        raise CallFailed(_kind(error), begun=begun) from None


@dataclass(frozen=True, slots=True, eq=False)
class Tls:
    """A transport, and the certificates read for it."""

    transport: Transport
    context: ssl.SSLContext

    @classmethod
    def read(cls, transport: Transport) -> Tls:
        """Read the certificates that `transport` names: tens of milliseconds. Raises `OSError` (`ssl.SSLError`)."""
        return cls(transport, _context(transport))


class Connection:
    """An httpx client with one connection. Making one takes a fraction of a millisecond.

    httpx's own pool isn't used, for what httpcore 1.0.9 does on a connection that several calls share over HTTP/2: the
    stream of a cancelled call isn't reset, so its answer keeps coming in; frames that were being written then are lost;
    and a call that runs into its read timeout ends all others. Nor does it close a connection whose call is cancelled
    while it is being made.
    """

    def __init__(self, origin: Origin, tls: Tls) -> None:
        self.origin = origin
        self.tls = tls
        self.used = 0.0
        """When the last call ended, on the owner's clock."""
        self._client = _client(tls)
        self._sending: asyncio.Task[httpx.Response] | None = None
        self._response: httpx.Response | None = None
        self._socket: httpcore.AsyncNetworkStream | None = None
        self._connecting = False
        self._closed = False

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; the response's body is still to be read. Raises what httpx raises.

        May be cancelled at any moment; the connection must be closed then.
        """
        request.extensions["trace"] = self._trace
        self._sending = sending = asyncio.create_task(self._client.send(request, stream=True))
        await asyncio.wait({sending})
        if sending.cancelled():
            raise httpx.WriteError("closed")
        self._response = sending.result()
        return self._response

    def usable(self, tls: Tls, now: float) -> bool:
        """Whether this connection, idle, may carry another call.

        An idle connection that becomes readable is closing, or the endpoint sent HTTP/2 housekeeping: it isn't reused.
        """
        if self.tls is not tls or now - self.used > KEPT_FOR or self._response is None:
            return False
        return not self._response.extensions["network_stream"].get_extra_info("is_readable")

    def close(self) -> asyncio.Task[None]:
        """Close the connection in a task of its own, so that no cancelled caller leaves it half closed.

        A call under way ends at once and fails; one that is still being connected sends nothing any more.
        """
        self._closed = True
        if self._sending is not None and not self._connecting:
            self._sending.cancel()
        return asyncio.get_running_loop().create_task(self._close())

    async def _close(self) -> None:
        if self._sending is not None:
            await asyncio.wait({self._sending})
            with suppress(Exception, asyncio.CancelledError):
                await self._sending.result().aclose()
        for end in (self._client, self._socket):
            if end is not None:
                with suppress(Exception):
                    await end.aclose()

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's `trace` callback. Through it the socket is known as soon as there is one.

        If httpcore is cancelled after the operating system has connected and before httpcore has noticed, the socket
        is lost. So a connect that has begun is never cancelled; it ends within the timeout for connecting. A
        `CancelledError` raised here then ends the call: httpcore 1.0.9 works so, but documents it nowhere
        (tests/upstream/test_connection.py).
        """
        if event == "connection.connect_tcp.started":
            self._connecting = True
        elif event in ("connection.connect_tcp.complete", "connection.connect_tcp.failed"):
            self._connecting = False
            self._socket = info.get("return_value")
            if self._closed:
                raise asyncio.CancelledError


def _client(tls: Tls) -> httpx.AsyncClient:
    proxy = None
    if tls.transport.proxy:
        over_tls = tls.transport.proxy.lower().startswith("https:")
        proxy = httpx.Proxy(tls.transport.proxy, ssl_context=tls.context if over_tls else None)
    return httpx.AsyncClient(
        verify=tls.context,
        http2=True,
        proxy=proxy,
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=1, keepalive_expiry=None),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # one client's cookies are no other's
    )


def _context(transport: Transport) -> ssl.SSLContext:
    context = _trusting(transport)
    if transport.client_certificate:
        context.load_cert_chain(transport.client_certificate)
    if transport.oldest:
        context.minimum_version = _VERSIONS.get(transport.oldest, ssl.TLSVersion.MINIMUM_SUPPORTED)
    if transport.newest:
        context.maximum_version = _VERSIONS.get(transport.newest, ssl.TLSVersion.MAXIMUM_SUPPORTED)
    if transport.ciphers:
        context.set_ciphers(transport.ciphers)
    return context


def _trusting(transport: Transport) -> ssl.SSLContext:
    if transport.insecure:
        return httpx.create_ssl_context(verify=False, trust_env=False)
    trusted_ca = transport.trusted_ca
    if trusted_ca is None and transport.trusted_folder is None:
        trusted_ca = certifi.where()
    context = ssl.create_default_context(cafile=trusted_ca, capath=transport.trusted_folder)
    # Python 3.13 refuses company CAs without key usage or key ids, which the proxy's own connections accept.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _kind(error: BaseException) -> str:
    """The kind of failure, by its deepest cause that says more than its name."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    for cause in reversed(causes):
        for type_, kind in _KINDS:
            if isinstance(cause, type_):
                return kind
    return type(error).__name__
