"""A TCP proxy between the addon and an endpoint, whose connections suffer faults as programmed: a small toxiproxy.

A fault belongs to a connection. The connections take what was programmed, in that order, and those that come after
are good. So a call that is tried again meets the next fault, if it comes by a connection of its own.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Literal

type Ending = Literal["close", "half-close", "reset", "stall"]
"""How the answer ends: the connection is closed; its sending side alone is, and nobody hangs up; it is reset (RST);
nothing comes any more while it stays open."""

_READ = 1 << 16
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


async def _at_once() -> None:
    await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a connection suffers, with the first answer that goes over it."""

    says: bytes | None = None
    """An HTTP answer in the endpoint's place, which then never sees the request. `None`: what the endpoint says."""
    after: int | None = None
    """Bytes of the answer that go through before it ends; `None`: all of them."""
    ends: Ending = "close"
    piece: int = _READ
    """Bytes that are sent at a time."""
    pause: Callable[[], Awaitable[None]] = _at_once
    """Awaited after each of them."""
    deaf: bool = False
    """Nothing of the request is read until `FaultProxy.listen_again`."""

    @property
    def silent(self) -> bool:
        """Whether a client waits for ever."""
        return self.deaf or self.ends == "stall"


GOOD = Fault()


def reset(after: int = 0) -> Fault:
    """RST after so many bytes; 0: when the answer's first byte is there, which nobody gets to see."""
    return Fault(after=after, ends="reset")


def half_close(after: int) -> Fault:
    """FIN after so many bytes, while the other direction stays open."""
    return Fault(after=after, ends="half-close")


def stall(after: int = 0) -> Fault:
    """Silence after so many bytes."""
    return Fault(after=after, ends="stall")


def drip(piece: int = 1, pause: Callable[[], Awaitable[None]] = _at_once) -> Fault:
    """A few bytes at a time."""
    return Fault(piece=piece, pause=pause)


def says(answer: bytes, *, after: int | None = None, ends: Ending = "close") -> Fault:
    """Something else than what the endpoint would say; see `http_answer`."""
    return Fault(says=answer, after=after, ends=ends)


DEAF = Fault(deaf=True)


def http_answer(
    body: bytes, *, status: int = 200, content_type: str = "application/json", length: int | None = None, **headers: str
) -> bytes:
    """An HTTP/1.1 answer; `length` is what its `Content-Length` claims, if not the truth."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    claimed = str(len(body) if length is None else length)
    fields = {"content-type": content_type, "content-length": claimed, "connection": "close", **named}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + body


def stream_head(**headers: str) -> bytes:
    """The head of a stream that ends with its connection: cut anywhere, it looks ended properly."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n{named}\r\n".encode()


def chunked(*pieces: bytes, complete: bool = True) -> bytes:
    """`pieces` in the chunked coding; without its last chunk, a connection that closes is broken off."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + (b"0\r\n\r\n" if complete else b"")


HTML_502 = http_answer(b"<html><body><h1>502 Bad Gateway</h1></body></html>", status=502, content_type="text/html")


def truncated_gzip(body: bytes) -> bytes:
    """An answer whose HTTP is in order, and whose gzip data lacks its second half."""
    packed = gzip.compress(body, mtime=0)
    return http_answer(packed[: len(packed) // 2], content_encoding="gzip")


@dataclass(slots=True)
class FaultProxy:
    """A running proxy. `accepted` counts all its connections so far, `open` those that nobody has closed."""

    target: int
    """The port on loopback where the endpoint listens; 0 where every connection is a `says`."""
    port: int = 0
    accepted: int = 0
    open: int = 0
    _faults: deque[Fault] = field(default_factory=deque)
    _always: Fault = GOOD
    _hearing: asyncio.Event = field(default_factory=asyncio.Event)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    def program(self, *faults: Fault, times: int = 1) -> None:
        """Faults for the connections to come, `times` over. Those that are open can't be meant any more."""
        self._faults.extend(faults * times)

    def always(self, fault: Fault) -> None:
        """What every connection suffers that nothing is programmed for."""
        self._always = fault

    def reset(self) -> None:
        """Forget faults that are still to come."""
        self._faults.clear()
        self._always = GOOD

    def listen_again(self) -> None:
        """Let deaf connections read, so that they notice when the other side has closed."""
        self._hearing.set()

    async def hang_up(self) -> None:
        """Close every connection that is open, as an endpoint does with those that wait for too long."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it is closed. For `asyncio.start_server`."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        # asyncio would log it where nobody waits for the task.
        with suppress(asyncio.CancelledError):
            await self._serve(reader, writer)
        self._serving.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        fault = self._faults.popleft() if self._faults else self._always
        try:
            if fault.deaf:
                await self._hearing.wait()
                await _drain(reader)
            elif fault.says is None:
                await self._forward(fault, reader, writer)
            else:
                await _request(reader)
                await _until_closed(_answer(replace(fault, says=None), _once(fault.says), writer), _drain(reader))
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _forward(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_endpoint, to_endpoint = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            answer = _answer(fault, _pieces(from_endpoint), writer)
            await _until_closed(answer, _pass_on(reader, to_endpoint))
        finally:
            to_endpoint.close()


async def _until_closed(answer: Awaitable[None], request: Awaitable[None]) -> None:
    """Until the answer has ended as it should, or the client has closed."""
    tasks = {asyncio.ensure_future(answer), asyncio.ensure_future(request)}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    await asyncio.wait(tasks)
    for task in done:
        task.result()


async def _answer(fault: Fault, source: AsyncIterator[bytes], writer: asyncio.StreamWriter) -> None:
    left = fault.after
    async for data in source:
        passed = data if left is None else data[:left]
        for start in range(0, len(passed), fault.piece):
            writer.write(passed[start : start + fault.piece])
            await writer.drain()
            await fault.pause()
        if left is not None:
            left -= len(passed)
            if not left:
                break
    await _end(fault.ends, writer)


async def _end(how: Ending, writer: asyncio.StreamWriter) -> None:
    match how:
        case "reset":
            endpoint: socket.socket = writer.get_extra_info("socket")
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        case "half-close":
            writer.write_eof()
            await asyncio.Event().wait()
        case "stall":
            await asyncio.Event().wait()
        case "close":
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async for data in _pieces(reader):
        writer.write(data)
        await writer.drain()


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while data := await reader.read(_READ):
        yield data


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _drain(reader: asyncio.StreamReader) -> None:
    async for _ in _pieces(reader):
        pass


async def _request(reader: asyncio.StreamReader) -> None:
    """Read one request: nobody may find an answer to what is not there yet."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    await reader.readexactly(int(length[1]) if length else 0)


@asynccontextmanager
async def fault_proxy(target: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultProxy]:
    """A proxy on a free port of 127.0.0.1 to port `target`; with `tls` it takes TLS off."""
    proxy = FaultProxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.hang_up()
