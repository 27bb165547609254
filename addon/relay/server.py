"""The relay's HTTP server: on loopback, for this process alone. On tornado, which mitmproxy brings along."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable

from tornado import httputil, netutil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError

from ..wire import proxy_errors
from . import failures
from .job import LOOPBACK, RELAY_HEADER, ClientLeft, Headers, Job, RawResponse
from .relay import Relay

_MAX_HEADERS = 1 << 20
"""Bytes of a request's headers. mitmproxy has read them already and knows no limit."""


class Server:
    """Listens on a free port of loopback for requests to `relay`, from the moment that it is made."""

    def __init__(self, relay: Relay) -> None:
        sockets = netutil.bind_sockets(0, LOOPBACK)
        self.port: int = sockets[0].getsockname()[1]
        self._server = HTTPServer(_Connections(relay), max_header_size=_MAX_HEADERS)
        self._server.add_sockets(sockets)

    def stop(self) -> None:
        """Accept no further connection."""
        self._server.stop()

    async def close_connections(self) -> None:
        """Close all open connections."""
        await self._server.close_all_connections()


class _Connections(httputil.HTTPServerConnectionDelegate):
    """Makes an `_Exchange` of each request."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> httputil.HTTPMessageDelegate:
        assert isinstance(request_conn, HTTP1Connection)  # noqa: S101 - the only kind that this server makes
        return _Exchange(self._relay, request_conn)


class _Exchange(httputil.HTTPMessageDelegate):
    """One request as it comes in."""

    def __init__(self, relay: Relay, connection: HTTP1Connection) -> None:
        self._relay = relay
        self._connection = connection
        self._posted = False
        self._job: Job | None = None
        self._headers: Headers = ()
        self._body = bytearray()

    def headers_received(
        self, start_line: httputil.RequestStartLine | httputil.ResponseStartLine, headers: httputil.HTTPHeaders
    ) -> None:
        """Look for the secret, before anything of the body is kept."""
        self._posted = isinstance(start_line, httputil.RequestStartLine) and start_line.method == "POST"
        if self._posted:
            self._job = self._relay.claim(headers.get(RELAY_HEADER, ""))
        if self._job is not None:
            # mitmproxy holds the body by now, and the addon has refused what is larger than hunyuan_max_body.
            self._connection.set_max_body_size(sys.maxsize)
            self._headers = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.get_all()]

    def data_received(self, chunk: bytes) -> None:
        """Keep a part of the body; nothing of a request without a job."""
        if self._job is not None:
            self._body += chunk

    def finish(self) -> None:
        """The request is complete."""
        client = _Client(self._connection)
        if self._job is None:
            client.send(_REFUSED if self._posted else RawResponse(403, (), b""))  # the answer to HEAD has no body
            return
        body = bytes(self._body)
        self._body.clear()
        task = self._relay.answer(self._job, self._headers, body, client)
        client.when_gone(task.cancel)

    def on_connection_close(self) -> None:
        """The connection was closed in the middle of the request. Nothing has been sent on."""
        self._body.clear()


class _Client:
    """The connection from mitmproxy, which stands for the client: see `job.Client`."""

    def __init__(self, connection: HTTP1Connection) -> None:
        self._connection = connection
        self.begun = False

    def when_gone(self, act: Callable[[], object]) -> None:
        """Call `act` when the connection is closed before the answer's end."""

        def closed() -> None:
            act()

        self._connection.set_close_callback(closed)

    def begin(self, status: int, headers: Headers, data: bytes) -> None:
        """See `Client`."""
        self.begun = True
        start = httputil.ResponseStartLine("HTTP/1.1", status, http.client.responses.get(status, "Unknown"))
        self._connection.write_headers(start, _tornado_headers(headers), data or None)

    async def write(self, data: bytes) -> None:
        """See `Client`."""
        try:
            await self._connection.write(data)
        except StreamClosedError:
            raise ClientLeft from None

    def put(self, data: bytes) -> None:
        """See `Client`."""
        self._connection.write(data)

    def end(self, last: bytes = b"") -> None:
        """See `Client`."""
        if last:
            self._connection.write(last)
        self._connection.finish()

    def send(self, response: RawResponse) -> None:
        """See `Client`."""
        length = (b"content-length", str(len(response.body)).encode())
        self.begin(response.status, [*response.headers, length], response.body)
        self.end()

    def drop(self) -> None:
        """See `Client`."""
        self._connection.close()


_REFUSED = failures.own(proxy_errors.RELAY_SECRET_UNKNOWN())


def _tornado_headers(headers: Headers) -> httputil.HTTPHeaders:
    """Headers as tornado takes them, without those that can't be written in HTTP/1.1."""
    made = httputil.HTTPHeaders()
    for name, text in headers:
        try:
            made.add(name.decode("latin-1"), text.decode("latin-1").strip())
        except httputil.HTTPInputError:
            continue
    return made
