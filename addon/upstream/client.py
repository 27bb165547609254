"""The addon's own HTTP calls: apart from the proxy's connections and from the environment's proxies."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from ..exchange import Response
from ..wire.hop_by_hop import end_to_end
from .failure import NOT_TRUSTED, TLS_FAILED, CallFailed, CallTimedOut
from .transport import Transport

if TYPE_CHECKING:
    import httpx

    from .connection import Connection, Tls

__all__ = [
    "ASKED",
    "LOOP_GUARD",
    "NOT_TRUSTED",
    "PROFILE",
    "SHUT_DOWN",
    "TLS_FAILED",
    "UPSTREAM",
    "Answer",
    "CallFailed",
    "CallTimedOut",
    "HttpClient",
    "Transport",
]

LOOP_GUARD = "x-hunyuan-fix-call"
"""Header on each call that the addon makes itself. hunyuan-fix refuses a request that has it: the call came back."""

ASKED = "asked"
"""Its value where a command of this package only asks what listens on a port: no exchange, and no loop. The addon's own
calls have another."""

PROFILE = "x-hunyuan-fix-profile"
"""Header on that refusal: the profile for the refused call, and `SHUT_DOWN` if it would go to a host that is gone. So
commands of this package learn where a proxy that runs sends calls."""
SHUT_DOWN = "; shut down"
UPSTREAM = "x-hunyuan-fix-upstream"
"""Header beside it, for clients on this machine alone: the base URL of the endpoint that the call would go to."""

MAX_ANSWER = 8 * 2**20
"""Bytes of an answer that `post` reads: a description has a few thousand."""

MOST_IDLE = 20
"""Connections that are kept for later calls."""

_CONNECT_TIMEOUT = 10.0
_KEPT_HEADERS = frozenset({b"content-type", b"date", b"retry-after", b"x-request-id"})
_SET_HERE = frozenset({b"host", b"content-length", LOOP_GUARD.encode()})

# httpx logs each URL, httpcore (at debug level) what it sends.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Answer:
    """An answer that is still coming in; valid inside `HttpClient.stream` only."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: list[tuple[bytes, bytes]] = response.headers.raw
        """In their order and spelling."""
        self.http_version = response.http_version
        self.whole = False
        """Whether all of it was read."""
        self.received = 0
        """Bytes of its body that came."""

    async def chunks(self, *, decoded: bool = False) -> AsyncGenerator[bytes]:
        """The body as it comes in, once; its content coding undone only if `decoded`.

        Raises `CallTimedOut`, `CallFailed`.
        """
        from .connection import failures  # noqa: PLC0415 - loaded by now

        coming = self._response.aiter_bytes() if decoded else self._response.aiter_raw()
        while True:
            with failures(begun=True):
                chunk = await anext(coming, None)
            if chunk is None:
                break
            self.received += len(chunk)
            yield chunk
        self.whole = True


class HttpClient:
    """Posts JSON, and carries calls whose answers are streamed, over HTTP/2 where it is offered.

    A connection carries one call at a time, over HTTP/2 too (`Connection` says why), and is closed after a call that
    didn't end well. Their number has no limit here: admission has one. `clock`: monotonic, in seconds. httpx is loaded
    at the first call.
    """

    def __init__(self, transport: Transport | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport or Transport()
        self._clock = clock
        self._tls: Tls | None = None
        self._reading = asyncio.Lock()
        self._busy: set[Connection] = set()
        self._idle: list[Connection] = []
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def transport(self) -> Transport:
        """How calls leave from now on."""
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

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Response:  # noqa: ASYNC109
        """POST the JSON `body` to `url`; the whole call ends within `timeout` seconds.

        The answer's body is decoded; of its headers those that say what it is and when to try again are kept.
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
        """Send a request; inside the context the raw answer (any status, undecoded) can be read.

        `headers` are sent unchanged, without those that belong to one connection, and with the loop guard. `silence`:
        seconds without a byte after which the call fails, here or in `Answer.chunks`. Environment proxies and redirects
        aren't used, as in `post`. Raises `CallTimedOut`, `CallFailed`. A connection whose answer wasn't read to its end
        is closed after the context, in the background.
        """
        if self._transport.offline:
            raise CallFailed("nothing is sent while a recording is replayed")
        tls = await self._current_tls()
        from .connection import failures, request  # noqa: PLC0415 - httpx; loaded in a thread by now

        sent = [*end_to_end(headers, _SET_HERE), (LOOP_GUARD.encode(), b"1")]
        with failures(begun=False):
            made = request(method, url, sent, body, silence=silence, connect=min(silence, _CONNECT_TIMEOUT))
            connection = self._take(made.url, tls)
        answer: Answer | None = None
        try:
            with failures(begun=False):
                response = await connection.send(made)
            answer = Answer(response)
            yield answer
        finally:
            self._give_back(connection, whole=answer is not None and answer.whole)

    async def aclose(self) -> None:
        """Close every connection, those of calls under way too: these fail."""
        connections, self._idle = [*self._busy, *self._idle], []
        for connection in connections:
            self._close(connection)
        while self._closing:
            await asyncio.wait(self._closing)

    def _take(self, url: httpx.URL, tls: Tls) -> Connection:
        """A connection to `url`: one that is idle, else a new one."""
        from .connection import Connection  # noqa: PLC0415 - loaded by now

        self._tidy(tls)
        origin = (url.scheme, url.host, url.port)
        connection = next((idle for idle in reversed(self._idle) if idle.origin == origin), None)
        if connection is None:
            connection = Connection(origin, tls)
        else:
            self._idle.remove(connection)
        self._busy.add(connection)
        return connection

    def _give_back(self, connection: Connection, *, whole: bool) -> None:
        self._busy.discard(connection)
        connection.used = self._clock()
        if whole and connection.tls is self._tls:
            self._idle.append(connection)
        else:
            self._close(connection)
        if self._tls is not None:
            self._tidy(self._tls)

    def _tidy(self, tls: Tls) -> None:
        """Close the idle connections that can't be used again."""
        now = self._clock()
        usable = [connection for connection in self._idle if connection.usable(tls, now)][-MOST_IDLE:]
        for connection in set(self._idle).difference(usable):
            self._close(connection)
        self._idle = usable

    def _close(self, connection: Connection) -> None:
        closing = connection.close()
        if not closing.done():
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _current_tls(self) -> Tls:
        """The certificates for `transport`. Raises `CallFailed`."""
        async with self._reading:
            if self._tls is None or self._tls.transport != self._transport:
                self._tls = await asyncio.to_thread(_read_tls, self._transport)
            return self._tls


def _read_tls(transport: Transport) -> Tls:
    from .connection import Tls, failures  # noqa: PLC0415 - httpx takes 0.1 s and more to load

    with failures(begun=False):
        return Tls.read(transport)


async def _read(answer: Answer) -> Response:
    content = bytearray()
    async with aclosing(answer.chunks(decoded=True)) as chunks:
        async for chunk in chunks:
            content += chunk
            if len(content) > MAX_ANSWER:
                raise CallFailed("answer too large", begun=True)
    kept = {
        name.lower().decode(): value.decode("latin-1")
        for name, value in reversed(answer.headers)
        if name.lower() in _KEPT_HEADERS
    }
    return Response(answer.status, kept, bytes(content))
