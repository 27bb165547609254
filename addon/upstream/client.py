"""The addon's own HTTP calls: apart from the proxy's connections and from the environment's proxies."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager

import httpx

from .connection import Line, Tls, Transport

__all__ = ["LOOP_GUARD", "Answer", "CallFailed", "CallTimedOut", "Outgoing", "Transport"]

LOOP_GUARD = "x-hunyuan-fix-call"
"""Header on each call that the addon makes itself. hunyuan-fix refuses a request that has it: the call came back."""

MAX_ANSWER = 8 * 2**20
"""Bytes of an answer that `post` reads: a description has a few thousand."""

MOST_IDLE = 20
"""Connections that are kept for later calls."""

_CONNECT_TIMEOUT = 10.0
_KEPT_HEADERS = ("content-type", "retry-after", "x-request-id")
_OURS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
    | {b"host", b"content-length", LOOP_GUARD.encode()}
)
"""Request headers that are about one connection (RFC 9110 section 7.6.1), or are set here."""

NOT_TRUSTED, TLS_FAILED = "certificate not trusted", "TLS failed"
"""What failures of TLS are called."""

_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "host name not found"),
    (ssl.SSLCertVerificationError, NOT_TRUSTED),
    (ssl.SSLError, TLS_FAILED),
    (ConnectionRefusedError, "connection refused"),
)
"""Failures that a person wants told apart; the others go by the name of httpx's exception."""

# httpx logs each URL, httpcore (at debug level) what it sends.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


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


class Outgoing:
    """Posts JSON, and carries calls whose answers are streamed, over HTTP/2 where it is offered.

    A connection carries one call at a time, over HTTP/2 too (`Line` says why), and is closed after a call that didn't
    end well. Their number has no limit here: that's for admission to say. `clock` gives seconds that only grow.
    """

    def __init__(self, transport: Transport | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport or Transport()
        self._clock = clock
        self._tls: Tls | None = None
        self._reading = asyncio.Lock()
        self._busy: set[Line] = set()
        self._idle: list[Line] = []
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def transport(self) -> Transport:
        """How calls from now on leave."""
        return self._transport

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
        extensions = {"timeout": limits.as_dict()}
        with _failures(begun=False):
            request = httpx.Request(method, url, headers=_sendable(headers), content=body, extensions=extensions)
            line = await self._take(request.url)
        answer: Answer | None = None
        try:
            with _failures(begun=False):
                response = await line.send(request)
            answer = Answer(response)
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

    async def _take(self, url: httpx.URL) -> Line:
        """A line to `url`: one that is idle, else a new one."""
        tls = await self._current()
        self._tidy(tls)
        origin = (url.scheme, url.host, url.port)
        line = next((line for line in reversed(self._idle) if line.origin == origin), None)
        if line is None:
            line = Line(origin, tls)
        else:
            self._idle.remove(line)
        self._busy.add(line)
        return line

    def _give_back(self, line: Line, *, whole: bool) -> None:
        self._busy.discard(line)
        line.used = self._clock()
        if whole and line.tls is self._tls:
            self._idle.append(line)
        else:
            self._close(line)
        if self._tls is not None:
            self._tidy(self._tls)

    def _tidy(self, tls: Tls) -> None:
        """Close the idle lines that won't be used again."""
        now = self._clock()
        usable = [line for line in self._idle if line.usable(tls, now)][-MOST_IDLE:]
        for line in set(self._idle).difference(usable):
            self._close(line)
        self._idle = usable

    def _close(self, line: Line) -> None:
        closing = line.close()
        if not closing.done():
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _current(self) -> Tls:
        async with self._reading:
            if self._tls is None or self._tls.transport != self._transport:
                self._tls = await asyncio.to_thread(Tls.read, self._transport)
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
