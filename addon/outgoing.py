"""The addon's own HTTP calls: apart from the proxy's connections and from the environment's proxies."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import certifi
import httpx

LOOP_GUARD = "x-hunyuan-fix-call"
"""Header on every call of the addon's own: a proxy of this kind that sees it come in refuses (issue 2 section 5)."""

MAX_ANSWER = 8 * 2**20
"""Bytes of an answer that `post` reads: a description has a few thousand."""

MOST_IDLE = 20
"""Connections that are kept for later calls."""

KEPT_FOR = 30.0
"""Seconds for which an idle connection is kept: less than gateways on the way keep theirs (60 and more)."""

_CONNECT_TIMEOUT = 10.0
_KEPT_HEADERS = ("content-type", "retry-after", "x-request-id")
_OURS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
    | {b"host", b"content-length", LOOP_GUARD.encode()}
)
"""Request headers that are about one connection (RFC 9110 section 7.6.1), or are set here."""

_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "host name not found"),
    (ssl.SSLCertVerificationError, "certificate not trusted"),
    (ssl.SSLError, "TLS failed"),
    (ConnectionRefusedError, "connection refused"),
)
"""Failures that a person wants told apart; the others go by the name of httpx's exception."""

# httpx logs each URL, httpcore (at debug level) what it sends.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Transport:
    """How calls leave: as mitmproxy's own options say for the proxy's connections.

    `trusted_ca`: PEM file, `trusted_folder`: folder of hashed CAs; they replace the public CAs
    (`ssl_verify_upstream_trusted_ca`, `ssl_verify_upstream_trusted_confdir`). `insecure`: certificates aren't verified
    (`ssl_insecure`); `proxy`: URL of an http(s) proxy in front (upstream mode, `hunyuan_outgoing_proxy`). SOCKS isn't
    spoken.
    """

    trusted_ca: str | None = None
    insecure: bool = False
    proxy: str | None = None
    trusted_folder: str | None = None


class CallFailed(Exception):
    """A call that brought no whole answer: not connected, cut off, or an answer larger than `MAX_ANSWER`.

    The text names the kind of failure only, never an address, a header or a body. `begun`: the answer's status had
    come.
    """

    def __init__(self, kind: str, *, begun: bool = False) -> None:
        super().__init__(kind)
        self.begun = begun


class CallTimedOut(CallFailed):
    """A call that took longer than it may."""


class Answer:
    """An answer that is still coming in; valid inside `Outgoing.stream` only."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: list[tuple[bytes, bytes]] = response.headers.raw
        """As they came."""
        self.http_version = response.http_version
        self.whole = False
        """Whether all of it was read."""

    async def chunks(self, *, decoded: bool = False) -> AsyncGenerator[bytes]:
        """The body as it comes in, once; its content coding undone only if `decoded`.

        Raises `CallTimedOut`, `CallFailed`.
        """
        coming = self._response.aiter_bytes() if decoded else self._response.aiter_raw()
        while True:
            with _failures(begun=True):
                chunk = await anext(coming, None)
            if chunk is None:
                break
            yield chunk
        self.whole = True


@dataclass(frozen=True, slots=True, eq=False)
class _Tls:
    """A transport, and the certificates read for it."""

    transport: Transport
    context: ssl.SSLContext


type _Origin = tuple[str, str, int | None]


@dataclass(slots=True, eq=False)
class _Line:
    """A client of httpx's that carries one call at a time, so has one connection."""

    origin: _Origin
    tls: _Tls
    client: httpx.AsyncClient
    response: httpx.Response | None = None
    """The last one."""
    used: float = 0.0

    def usable(self, tls: _Tls, now: float) -> bool:
        """Whether an idle line may carry another call.

        What comes in between two calls announces a connection's end, or nothing that would be missed.
        """
        if self.tls is not tls or now - self.used > KEPT_FOR or self.response is None:
            return False
        return not self.response.extensions["network_stream"].get_extra_info("is_readable")


class Outgoing:
    """Posts JSON, and carries calls whose answers are streamed, over HTTP/2 where it is offered.

    A connection carries one call at a time, over HTTP/2 too, and is closed after a call that didn't end well. On a
    shared one httpcore 1.0.9 doesn't reset the stream of a cancelled call, whose answer then fills the window for
    ever, may lose frames that were being written, and ends every call when one runs into its timeout. So each
    connection has a client of httpx's to itself, which takes a fraction of a millisecond to make. Their number has no
    limit here: that's for admission to say. `clock` gives seconds that only grow.
    """

    def __init__(self, transport: Transport | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport or Transport()
        self._clock = clock
        self._tls: _Tls | None = None
        self._reading = asyncio.Lock()
        self._busy: set[_Line] = set()
        self._idle: list[_Line] = []
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """Calls under way."""
        return len(self._busy)

    @property
    def idle(self) -> int:
        """Connections kept for later calls."""
        return len(self._idle)

    def configure(self, transport: Transport) -> None:
        """Let calls from now on leave by `transport`. Those under way end as they began."""
        self._transport = transport

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> httpx.Response:  # noqa: ASYNC109
        """POST the JSON `body` to `url`; the whole call ends within `timeout` seconds.

        Environment proxies aren't used and redirects aren't followed, so that neither the addon is called by itself nor
        a key goes to another host. Raises `CallTimedOut`, `CallFailed`.
        """
        sent = {
            "user-agent": "hunyuan-fix",
            "accept": "*/*",
            "accept-encoding": "identity",
            "content-type": "application/json",
            **{name.lower(): value for name, value in headers.items()},
        }
        # as bytes: httpx takes ASCII text only, and its complaint would show the key
        encoded = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in sent.items()]
        begun = False
        try:
            async with asyncio.timeout(timeout), self.stream("POST", url, encoded, body, silence=timeout) as answer:
                begun = True
                return await _read(answer)
        except TimeoutError:
            raise CallTimedOut("no answer in time", begun=begun) from None

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, silence: float
    ) -> AsyncIterator[Answer]:
        """Send a request and hold its answer, as it came and however it says, while the context lasts.

        `headers` go as they are, without those that are about one connection, and with the loop guard. `silence`:
        seconds without a byte after which the call fails, here or in `Answer.chunks`. As with `post`, environment
        proxies and redirects count for nothing. Raises `CallTimedOut`, `CallFailed`. A connection whose answer wasn't
        read to its end is closed at the end of the context, and nobody waits for that.
        """
        limits = httpx.Timeout(silence, connect=min(silence, _CONNECT_TIMEOUT))
        with _failures(begun=False):
            line = await self._take(httpx.URL(url))
        answer: Answer | None = None
        try:
            with _failures(begun=False):
                request = httpx.Request(
                    method, url, headers=_sendable(headers), content=body, extensions={"timeout": limits.as_dict()}
                )
                line.response = await line.client.send(request, stream=True)
            answer = Answer(line.response)
            yield answer
        finally:
            self._give_back(line, whole=answer is not None and answer.whole)

    async def aclose(self) -> None:
        """Close every connection, those of calls under way too: these fail."""
        lines, self._idle = [*self._busy, *self._idle], []
        for line in lines:
            self._close(line)
        while self._closing:
            await asyncio.wait(self._closing)

    async def _take(self, url: httpx.URL) -> _Line:
        """A line to `url`: one that is idle, else a new one."""
        tls = await self._current()
        self._tidy(tls)
        origin = (url.scheme, url.host, url.port)
        line = next((line for line in reversed(self._idle) if line.origin == origin), None)
        if line is None:
            line = _Line(origin, tls, _client(tls))
        else:
            self._idle.remove(line)
        self._busy.add(line)
        return line

    def _give_back(self, line: _Line, *, whole: bool) -> None:
        self._busy.discard(line)
        line.used = self._clock()
        if whole and line.tls is self._tls:
            self._idle.append(line)
        else:
            self._close(line)
        if self._tls is not None:
            self._tidy(self._tls)

    def _tidy(self, tls: _Tls) -> None:
        """Close the idle lines that won't be used again."""
        now = self._clock()
        usable = [line for line in self._idle if line.usable(tls, now)][-MOST_IDLE:]
        for line in set(self._idle).difference(usable):
            self._close(line)
        self._idle = usable

    def _close(self, line: _Line) -> None:
        """Close a line in a task of its own, so that no cancelled call can leave it half closed."""
        closing = asyncio.get_running_loop().create_task(_closed(line))
        if not closing.done():
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _current(self) -> _Tls:
        async with self._reading:
            if self._tls is None or self._tls.transport != self._transport:
                transport = self._transport
                # reading the CAs takes tens of ms
                self._tls = _Tls(transport, await asyncio.to_thread(_ssl_context, transport))
            return self._tls


async def _read(answer: Answer) -> httpx.Response:
    content = bytearray()
    async with aclosing(answer.chunks(decoded=True)) as chunks:
        async for chunk in chunks:
            content += chunk
            if len(content) > MAX_ANSWER:
                raise CallFailed("answer too large", begun=True)
    headers = httpx.Headers(answer.headers)
    kept = {name: value for name, value in headers.items() if name in _KEPT_HEADERS}
    return httpx.Response(answer.status, headers=kept, content=bytes(content))


async def _closed(line: _Line) -> None:
    with suppress(Exception):
        if line.response is not None:
            await line.response.aclose()
    with suppress(Exception):
        await line.client.aclose()


def _sendable(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    named = {
        name.strip().lower() for given, value in headers if given.lower() == b"connection" for name in value.split(b",")
    }
    kept = [(name, value) for name, value in headers if name.lower() not in _OURS | named]
    return [*kept, (LOOP_GUARD.encode(), b"1")]


@contextmanager
def _failures(*, begun: bool) -> Iterator[None]:
    """Whatever keeps a call from its answer, as `CallFailed`."""
    try:
        yield
    except httpx.TimeoutException:
        raise CallTimedOut("no answer in time", begun=begun) from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
        raise CallFailed(_kind(error), begun=begun) from None


def _kind(error: BaseException) -> str:
    """What kind of failure it is, by its deepest cause that says more than its name."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    for cause in reversed(causes):
        for type_, kind in _KINDS:
            if isinstance(cause, type_):
                return kind
    return type(error).__name__


def _client(tls: _Tls) -> httpx.AsyncClient:
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


def _ssl_context(transport: Transport) -> ssl.SSLContext:
    if transport.insecure:
        return httpx.create_ssl_context(verify=False, trust_env=False)
    trusted_ca = transport.trusted_ca
    if trusted_ca is None and transport.trusted_folder is None:
        trusted_ca = certifi.where()
    context = ssl.create_default_context(cafile=trusted_ca, capath=transport.trusted_folder)
    # Python 3.13 refuses company CAs without key usage or key ids, which the proxy's own connections accept.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
