"""The admin server's HTTP server, on the event loop of the proxy. On tornado, which mitmproxy brings along.

Everything that a client can make large or slow has a bound: headers, body, connections, the time for each.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from socket import socket
from typing import Any, cast

from tornado import httputil
from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError

from ...exchange import Response
from ...texts.sentence import Sentence
from ...wire import proxy_errors
from .answering import finished
from .live import TYPE, Live
from .request import Request
from .route import Listening

MOST_HEADERS = 16 << 10
"""Bytes of a request's headers."""
MOST_BODY = 8 << 10
"""Bytes of a request's body."""
MOST_CONNECTIONS = 256
"""Connections. A further one takes the place of the oldest that hears no events: a probe is always heard."""
PATIENCE = 15.0
"""Seconds in which a request's headers, its body and the answer must have gone over the connection, each."""
_CLOSING = 2.0
"""Seconds for the last words to a listener that doesn't read."""
_BARE_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"
"""What tornado says to what is no HTTP, or is too large."""


logging.getLogger("tornado.general").addFilter(lambda record: not str(record.msg).startswith("Malformed HTTP message"))
"""tornado quotes there what a request says that is no HTTP: that may be a token. It gets a 400, and no line."""


class Server(httputil.HTTPServerConnectionDelegate):
    """Serves `sockets` from the moment that it is made. `answer`: request -> its answer; raises nothing.

    `live` gets those that want to hear events, and `is_allowed` tells whether they still may. `before`: awaited before
    each answer.
    """

    def __init__(
        self,
        sockets: list[socket],
        answer: Callable[[Request], Awaitable[Response | Listening]],
        live: Live,
        is_allowed: Callable[[Request], bool],
        *,
        patience: float = PATIENCE,
        before: Callable[[Request], Awaitable[None]] | None = None,
    ) -> None:
        self.answer = answer
        self.before = before
        self.waiting: set[asyncio.Task[None]] = set()
        """Kept, because the event loop holds tasks by weak references only."""
        self.live = live
        self.is_allowed = is_allowed
        self.patience = patience
        self.port: int = sockets[0].getsockname()[1]
        self._server = _Limited(
            self,
            max_header_size=MOST_HEADERS,
            max_body_size=MOST_BODY,
            max_buffer_size=MOST_HEADERS + MOST_BODY + (64 << 10),
            idle_connection_timeout=patience,
            body_timeout=patience,
        )
        self._server.add_sockets(sockets)

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> httputil.HTTPMessageDelegate:
        """See `HTTPServerConnectionDelegate`."""
        assert isinstance(request_conn, HTTP1Connection)  # noqa: S101 - the only kind that this server makes
        return _Exchange(self, request_conn)

    def listens(self, connection: HTTP1Connection) -> None:
        """Keep `connection`, which hears events, when there are too many."""
        self._server.kept.add(connection.stream)

    def stop(self) -> None:
        """Accept no further connection."""
        self._server.stop()

    async def close_connections(self) -> None:
        """Close all open connections."""
        await self._server.close_all_connections()


class _Limited(HTTPServer):
    """A server with `MOST_CONNECTIONS` at most."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """See tornado's `Configurable`, which has this in the place of `__init__`."""
        super().initialize(*args, **kwargs)
        self.streams: dict[IOStream, None] = {}
        """The open connections, the oldest first."""
        self.kept: weakref.WeakSet[IOStream] = weakref.WeakSet()
        """Those that are not closed for a further one."""

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Take a connection."""
        if len(self.streams) >= MOST_CONNECTIONS:
            oldest = next((one for one in self.streams if one not in self.kept), stream)
            self.streams.pop(oldest, None)
            oldest.close()
        self.streams[stream] = None
        # tornado has no hook for its own refusals. Should it word them in another way, they stay as they are.
        write = stream.write
        stream.write = lambda data: write(_refusal() if data == _BARE_REFUSAL else data)  # type: ignore[method-assign]
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        """A connection is closed."""
        super().on_close(server_conn)
        self.streams.pop(cast(HTTP1ServerConnection, server_conn).stream, None)


class _Exchange(httputil.HTTPMessageDelegate):
    """One request as it comes in."""

    def __init__(self, server: Server, connection: HTTP1Connection) -> None:
        self._server = server
        self._connection = connection
        self._method, self._target = "", ""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def headers_received(
        self, start_line: httputil.RequestStartLine | httputil.ResponseStartLine, headers: httputil.HTTPHeaders
    ) -> None:
        """Keep what the request says. A header that came twice has both values, with a comma between."""
        assert isinstance(start_line, httputil.RequestStartLine)  # noqa: S101 - this is a server
        self._method, self._target = start_line.method, start_line.path
        self._headers = {name.lower(): value for name, value in headers.items()}

    def data_received(self, chunk: bytes) -> None:
        """Keep a part of the body, which tornado bounds."""
        self._body += chunk

    def finish(self) -> None:
        """The request is complete: answer it."""
        path, _, query = self._target.partition("?")
        peer = str(getattr(self._connection.context, "remote_ip", ""))
        request = Request(self._method, path, query, self._headers, bytes(self._body), peer)
        task = asyncio.create_task(self._answer(request))
        self._server.waiting.add(task)
        task.add_done_callback(self._server.waiting.discard)

    async def _answer(self, request: Request) -> None:
        if self._server.before is not None:
            await self._server.before(request)
        answer = await self._server.answer(request)
        if self._connection.stream.closed():
            return
        if isinstance(answer, Listening):
            if request.method == "HEAD":
                answer = finished(request, Response(200, {"content-type": TYPE}, b""))
            elif self._server.live.is_full:
                full = proxy_errors.ADMIN_TOO_MANY_LISTENERS(count=len(self._server.live))
                answer = finished(request, full.response())
            else:
                self._listen(request, answer)
                return
        _send(self._connection, request.method, answer, self._server.patience)

    def on_connection_close(self) -> None:
        """The connection was closed in the middle of the request."""
        self._body.clear()

    def _listen(self, request: Request, wanted: Listening) -> None:
        headers = {"content-type": TYPE, "x-accel-buffering": "no", "connection": "close"}
        answer = finished(request, Response(200, headers, b""))
        self._connection.write_headers(_start(answer.status), httputil.HTTPHeaders(answer.headers))
        self._server.listens(self._connection)
        live = self._server.live
        listener = live.add(
            _Listening(self._connection),
            last=wanted.last,
            kinds=wanted.kinds,
            seconds=wanted.seconds,
            is_allowed=partial(self._server.is_allowed, request),
        )
        self._connection.set_close_callback(partial(live.remove, listener))


class _Listening:
    """The connection of a listener: see `live.Connection`."""

    def __init__(self, connection: HTTP1Connection) -> None:
        self._connection = connection
        self._last: asyncio.Future[None] | None = None

    def write(self, data: bytes) -> bool:
        """See `live.Connection`."""
        if self._last is not None and not self._last.done():
            return False
        self._last = self._connection.write(data)
        return True

    def end(self, last: bytes) -> None:
        """See `live.Connection`."""
        stream = self._connection.stream
        with suppress(StreamClosedError):
            self._connection.write(last)
            self._connection.finish()
            timer = asyncio.get_running_loop().call_later(_CLOSING, stream.close)
            # An empty write is over once all before it are.
            all_sent = stream.write(b"")
            all_sent.add_done_callback(lambda _: timer.cancel())
            all_sent.add_done_callback(lambda _: stream.close())


def _refusal() -> bytes:
    """`_BARE_REFUSAL` as an error like all others. Nothing is quoted: it may be a token."""
    why = Sentence("it is no HTTP/1.1, or larger than is taken")
    answer = finished(Request("", ""), proxy_errors.ADMIN_BAD_REQUEST(field="HTTP", why=why).response())
    headers = {**answer.headers, "content-length": str(len(answer.body)), "connection": "close"}
    head = [_BARE_REFUSAL.rstrip().decode(), *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*head, "", ""]).encode() + answer.body


def _send(connection: HTTP1Connection, method: str, answer: Response, patience: float) -> None:
    headers = httputil.HTTPHeaders(answer.headers)
    if answer.status != 204:
        headers["content-length"] = str(len(answer.body))
    # A client that doesn't take its answer would hold the connection, and the answer in memory.
    timer = asyncio.get_running_loop().call_later(patience, connection.stream.close)
    body = answer.body if method != "HEAD" else b""
    written = connection.write_headers(_start(answer.status), headers, body or None)
    written.add_done_callback(lambda _: timer.cancel())
    connection.finish()


def _start(status: int) -> httputil.ResponseStartLine:
    return httputil.ResponseStartLine("HTTP/1.1", status, http.client.responses[status])
