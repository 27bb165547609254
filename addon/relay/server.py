"""The relay's HTTP server: on loopback, for this process alone. On tornado, which mitmproxy brings along."""

from __future__ import annotations

import asyncio
import http.client
import logging
import secrets
import sys
from collections.abc import Awaitable, Callable

from tornado import httputil, netutil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError

from ..upstream.client import Outgoing
from ..upstream.gate import Gate
from ..wire import proxy_errors, safe_text
from . import failures
from .job import RELAY_HEADER, ClientLeft, Headers, Job, Reply
from .tries import Call, Counts

LOOPBACK = "127.0.0.1"

_MAX_HEADERS = 1 << 20
"""Bytes of a request's headers. mitmproxy has read them already and knows no limit."""

logger = logging.getLogger("hunyuan_fix")


class Relay:
    """Takes jobs, and relays each call that comes in with the secret of one. `sleep` waits between two tries."""

    def __init__(
        self, outgoing: Outgoing, gate: Gate, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._outgoing = outgoing
        self._gate = gate
        self._sleep = sleep
        self._server: HTTPServer | None = None
        self._jobs: dict[str, Job] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._cutting = False
        self.port = 0
        """Where it listens; 0 before `start`."""
        self.counts = Counts()

    async def start(self) -> None:
        """Listen on loopback, on a free port, from now on; nothing if it does already."""
        if self._server is not None:
            return
        sockets = netutil.bind_sockets(0, LOOPBACK)
        self.port = sockets[0].getsockname()[1]
        self._server = HTTPServer(_Connections(self), max_header_size=_MAX_HEADERS)
        self._server.add_sockets(sockets)

    def take(self, job: Job) -> str:
        """Remember `job` for one request. Returns the secret that this request has to bring along."""
        secret = secrets.token_hex(32)
        self._jobs[secret] = job
        return secret

    def forget(self, secret: str) -> None:
        """Let a request with `secret` be refused, if none has come yet."""
        self._jobs.pop(secret, None)

    @property
    def expected(self) -> int:
        """Jobs whose requests haven't come yet."""
        return len(self._jobs)

    @property
    def under_way(self) -> int:
        """Calls that aren't answered yet."""
        return len(self._calls)

    async def cut(self) -> int:
        """End every call, for the process ends: what has no answer yet gets one that says why, a stream that has begun
        gets an event that does, and a proper end. Returns how many calls there were.

        Their last bytes are written by then, but not necessarily sent.
        """
        self._cutting = True
        self._jobs.clear()
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
        self._cutting = False
        return len(calls)

    async def aclose(self) -> None:
        """Stop listening and end every call as `cut` does."""
        server, self._server = self._server, None
        if server is None:
            return
        self.port = 0
        server.stop()
        await self.cut()
        await server.close_all_connections()

    def claim(self, secret: str) -> Job | None:
        """The job that belongs to `secret`, once; `None` if nobody took one."""
        # A lookup isn't done in constant time, but nobody guesses 256 random bits that hold for one request.
        job = self._jobs.pop(secret, None)
        if job is not None:
            job.course.on_claim()
        return job

    def answer(self, job: Job, headers: Headers, body: bytes, client: _Client) -> asyncio.Task[None]:
        """Begin to answer `client`. Cancelling the task ends the call."""
        task = asyncio.create_task(self._answer(job, headers, body, client), name="hunyuan-fix relays")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return task

    async def _answer(self, job: Job, headers: Headers, body: bytes, client: _Client) -> None:
        call = Call(
            job,
            headers,
            body,
            client=client,
            outgoing=self._outgoing,
            gate=self._gate,
            counts=self.counts,
            sleep=self._sleep,
        )
        try:
            reply = await call.run()
            if reply is not None:
                client.send(reply)
            else:
                client.end()
        except (ClientLeft, asyncio.CancelledError) as ended:
            self.counts.abandoned += 1
            if not (isinstance(ended, asyncio.CancelledError) and self._cutting):
                client.drop()
            elif client.begun:
                client.end(call.cut(proxy_errors.STOPPED_IN_STREAM().body()))
            else:
                client.send(failures.reply(proxy_errors.STOPPED()))
        except Exception as error:
            logger.error("A call could not be relayed:\n%s", safe_text.traceback_without_text(error))
            if client.begun:
                client.drop()
            else:
                client.send(failures.reply(proxy_errors.PROXY_FAILED_IN_RELAY()))


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
        """Ask for the secret, before anything of the body is kept."""
        self._posted = isinstance(start_line, httputil.RequestStartLine) and start_line.method == "POST"
        if self._posted:
            self._job = self._relay.claim(headers.get(RELAY_HEADER, ""))
        if self._job is not None:
            # mitmproxy holds the body by now, and the addon has refused what is larger than hunyuan_max_body.
            self._connection.set_max_body_size(sys.maxsize)
            self._headers = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.get_all()]

    def data_received(self, chunk: bytes) -> None:
        """Keep a part of the body; of a stranger's, nothing."""
        if self._job is not None:
            self._body += chunk

    def finish(self) -> None:
        """The request is here as a whole."""
        client = _Client(self._connection)
        if self._job is None:
            client.send(_REFUSED if self._posted else Reply(403, (), b""))  # the answer to HEAD has no body
            return
        body = bytes(self._body)
        self._body.clear()
        task = self._relay.answer(self._job, self._headers, body, client)
        client.when_gone(task.cancel)

    def on_connection_close(self) -> None:
        """The connection was closed in the middle of the request: nothing has been sent on."""
        self._body.clear()


class _Client:
    """mitmproxy's side of a call, which stands for the client's."""

    def __init__(self, connection: HTTP1Connection) -> None:
        self._connection = connection
        self.begun = False

    def when_gone(self, act: Callable[[], object]) -> None:
        """Call `act` when the connection is closed before the answer's end."""

        def closed() -> None:
            act()

        self._connection.set_close_callback(closed)

    def begin(self, status: int, headers: Headers, data: bytes) -> None:
        """Send the headers of an answer whose length isn't known, and its first bytes, if there are any."""
        self.begun = True
        start = httputil.ResponseStartLine("HTTP/1.1", status, http.client.responses.get(status, "Unknown"))
        self._connection.write_headers(start, _tornado_headers(headers), data or None)

    async def write(self, data: bytes) -> None:
        """Send bytes of its body; returns when there is room for more. Raises `ClientLeft`."""
        try:
            await self._connection.write(data)
        except StreamClosedError:
            raise ClientLeft from None

    def end(self, last: bytes = b"") -> None:
        """The answer is complete with the bytes `last`, which aren't waited for."""
        if last:
            self._connection.write(last)
        self._connection.finish()

    def send(self, reply: Reply) -> None:
        """Send a whole answer."""
        length = (b"content-length", str(len(reply.body)).encode())
        self.begin(reply.status, [*reply.headers, length], reply.body)
        self.end()

    def drop(self) -> None:
        """Close the connection, so that the answer doesn't look complete."""
        self._connection.close()


_REFUSED = failures.reply(proxy_errors.RELAY_SECRET_UNKNOWN())


def _tornado_headers(headers: Headers) -> httputil.HTTPHeaders:
    """Header lines as tornado takes them, without those that HTTP/1.1 has no form for."""
    made = httputil.HTTPHeaders()
    for name, text in headers:
        try:
            made.add(name.decode("latin-1"), text.decode("latin-1").strip())
        except httputil.HTTPInputError:
            continue
    return made
