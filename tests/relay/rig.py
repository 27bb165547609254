"""A relay before an endpoint that says, byte by byte, what a test's script tells it."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from hunyuan_fix import profiles
from hunyuan_fix.admission import Account, Admission
from hunyuan_fix.relay import RELAY_HEADER, Job, Relay
from hunyuan_fix.upstream.circuit_breaker import Breaker
from hunyuan_fix.upstream.client import HttpClient, Transport
from hunyuan_fix.upstream.gate import Gate
from hunyuan_fix.upstream.timing import Timing
from tests.fault_proxy import http_answer

GOOD = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"\xe4\xbd\xa0"}}]}'
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def piece(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it reached the endpoint; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """The endpoint's side of a connection, for a script to write on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        for data in pieces:
            self.writer.write(data)
        await self.writer.drain()

    async def reset(self) -> None:
        """RST, when what was written is on its way."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Returns when the other side has closed."""
        with suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass


type Script = Callable[[Connection], Awaitable[None]]


def says(*pieces: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.send(*pieces)

    return script


def answers(body: bytes = GOOD, **how: Any) -> Script:
    return says(http_answer(body, **how))


def streams(*pieces: bytes, ends: bool = True) -> Script:
    return says(STREAM, *map(piece, pieces), END if ends else b"")


async def silent(connection: Connection) -> None:
    await connection.until_closed()


async def resets(connection: Connection) -> None:
    await connection.reset()


@dataclass(slots=True)
class Endpoint:
    """Answers each request with the next script, the last one for ever."""

    port: int = 0
    scripts: deque[Script] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    """Open ones."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/chat/completions"

    def plays(self, *scripts: Script) -> None:
        self.scripts = deque(scripts)

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self.changed.clear()
            await self.changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count(1)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *fields = head.rstrip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append(Asked(line, headers, body))
            self.changed.set()
            script = self.scripts.popleft() if len(self.scripts) > 1 else self.scripts[0]
            await script(Connection(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._count(-1)

    def _count(self, more: int) -> None:
        self.connections += more
        self.changed.set()


@dataclass(slots=True)
class Rig:
    """The relay, what it works with, and a client of its own."""

    endpoint: Endpoint
    relay: Relay
    admission: Admission
    breaker: Breaker
    http_client: HttpClient
    client: httpx.AsyncClient
    waits: list[float]
    """Seconds that the relay wanted to wait between two tries."""
    hold: asyncio.Event
    """Set: it doesn't really wait."""

    def job(self, **changed: Any) -> Job:
        values: dict[str, Any] = {
            "url": self.endpoint.url,
            "upstream": f"http://127.0.0.1:{self.endpoint.port}/v1",
            "account": Account("test", 5),
            "profile": profiles.load("hunyuan"),
            "model": "hunyuan-turbos",
            "streamed": False,
            "tries": 3,
            "deadline": 60.0,
            "silence": 30.0,
            "until": time.monotonic() + 60,
            "ahead": False,
            "max_body": 1 << 20,
        }
        return Job(**values | changed)

    def request(self, job: Job, content: bytes = b'{"a":1}', **headers: str) -> httpx.Request:
        secret = self.relay.take(job)
        named = {"content-type": "application/json", RELAY_HEADER: secret} | headers
        return httpx.Request(
            "POST",
            f"http://127.0.0.1:{self.relay.port}/wherever",
            headers=[(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()],
            content=content,
        )

    async def send(self, job: Job | None = None, content: bytes = b'{"a":1}', **headers: str) -> httpx.Response:
        return await self.client.send(self.request(job or self.job(), content, **headers))

    @asynccontextmanager
    async def opened(self, job: Job | None = None, content: bytes = b'{"a":1}') -> AsyncIterator[httpx.Response]:
        """An answer whose body is still coming in."""
        response = await self.client.send(self.request(job or self.job(streamed=True), content), stream=True)
        try:
            yield response
        finally:
            await response.aclose()


@asynccontextmanager
async def rigged(transport: Transport | None = None, breaker: Breaker | None = None) -> AsyncIterator[Rig]:
    endpoint = Endpoint()
    listener = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.port = listener.sockets[0].getsockname()[1]
    waits: list[float] = []
    hold = asyncio.Event()
    hold.set()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await hold.wait()

    admission, breaker, http_client = Admission(), breaker or Breaker(), HttpClient(transport)
    admission.configure(queue_max=100, queue_timeout=60, leases=None)
    relay = Relay(http_client, Gate(admission, breaker), timing=Timing(sleep=sleep))
    await relay.start()
    async with listener, httpx.AsyncClient(trust_env=False, timeout=30) as client:
        try:
            yield Rig(endpoint, relay, admission, breaker, http_client, client, waits, hold)
        finally:
            await relay.aclose()
            await http_client.aclose()
            await admission.aclose()
