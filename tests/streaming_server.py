"""A real HTTP/1.1 or HTTP/2 server with TLS in the endpoint's place, whose answers go on for as long as is wanted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from hypercorn.asyncio import serve
from hypercorn.config import Config

type Message = dict[str, Any]


@dataclass
class Request:
    """What came in. `gone` is set when its client leaves."""

    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    http_version: str
    connection: tuple[str, int]
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class StreamingServer:
    """Paths: /once answers `body` with `headers`; /drip sends a byte at a time for ever; /silent nothing at all."""

    url: str = ""
    body: bytes = b"hello"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    under_way: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a state of this server."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(holds)

    async def app(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = Request(scope["path"], list(scope["headers"]), body, scope["http_version"], scope["client"])
        self.requests.append(request)
        await self._count(1)
        answering = asyncio.ensure_future(self._answer(request, send))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            request.gone.set()
            answering.cancel()
            leaving.cancel()
            await asyncio.wait({answering, leaving})
            await self._count(-1)

    async def _count(self, change: int) -> None:
        async with self._changed:
            self.under_way += change
            self._changed.notify_all()

    async def _answer(self, request: Request, send: Any) -> None:
        if request.path == "/silent":
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        while request.path == "/drip":
            await send({"type": "http.response.body", "body": b".", "more_body": True})
            await asyncio.sleep(0.001)
        await send({"type": "http.response.body", "body": self.body})


@asynccontextmanager
async def streaming_server(authority: trustme.CA, folder: Path, protocol: str) -> AsyncIterator[StreamingServer]:
    """A server on a free port of 127.0.0.1 that offers `protocol` ("h2" or "http/1.1") only; `url` has no path."""
    key, chain = folder / "key.pem", folder / "chain.pem"
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = StreamingServer(f"https://127.0.0.1:{listener.getsockname()[1]}")
        config = Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.keyfile, config.certfile = str(key), str(chain)
        config.alpn_protocols = [protocol]
        config.loglevel = "CRITICAL"
        config.graceful_timeout = 0.1
        stop = asyncio.Event()
        app: Any = server.app  # hypercorn's own types name every event there is
        serving = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
        try:
            yield server
        finally:
            stop.set()
            await serving
