"""A small real HTTP server in the endpoint's place: answers vision calls as a test says, and keeps what it got."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

PNG = b"\x89PNG\r\n\x1a\n"


def png(name: str) -> str:
    """A data URL of a PNG (by its first bytes) that is unlike every other one."""
    return "data:image/png;base64," + base64.b64encode(PNG + name.encode()).decode()


def image_part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


@dataclass(frozen=True)
class Received:
    target: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][0]["content"][0]["text"])

    @property
    def image(self) -> str:
        return str(self.body["messages"][0]["content"][1]["image_url"]["url"])

    @property
    def name(self) -> str:
        """What `png` was given."""
        return base64.b64decode(self.image.partition(",")[2])[len(PNG) :].decode()


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def chat(content: object, **choice: object) -> Reply:
    message = {"role": "assistant", "content": content}
    return Reply(body=json.dumps({"choices": [{"index": 0, "message": message, **choice}]}).encode())


def error(status: int, code: str = "1001", message: str = "参数有误", **headers: str) -> Reply:
    inner = {"id": "0" * 32, "message": message, "type": "invalid_request_error", "param": None, "code": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"error": inner}).encode(), named)


type Handler = Callable[[Received], Awaitable[Reply]]


async def describe_by_name(received: Received) -> Reply:
    return chat(f"a picture of {received.name}")


async def never(_: Received) -> Reply:
    """Hold the call until its caller gives up."""
    await asyncio.Event().wait()
    raise AssertionError


class VisionServer:
    """`handler` may be set at any time; `received` and `dropped` (calls given up by the caller) are to be read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.handler: Handler = describe_by_name
        self.received: list[Received] = []
        self.dropped: list[Received] = []
        self.running = 0
        self.most_running = 0
        self.connections = 0
        self._changed = asyncio.Condition()

    def replies(self, *replies: Reply) -> None:
        """Answer with these, in order, the last one for ever."""
        left = list(replies)

        async def next_reply(_: Received) -> Reply:
            return left.pop(0) if len(left) > 1 else left[0]

        self.handler = next_reply

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a state of this server."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(holds)

    async def notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections -= 1
            await self.notify()
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        received = Received(head[0].split()[1], headers, body)
        self.received.append(received)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        await self.notify()
        answering = asyncio.ensure_future(self.handler(received))
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
        self.running -= 1
        if not answering.done():
            answering.cancel()
            self.dropped.append(received)
            await self.notify()
            return False
        gone.cancel()
        await asyncio.wait({gone})
        reply = answering.result()
        lines = [
            f"HTTP/1.1 {reply.status} Status",
            f"content-length: {len(reply.body)}",
            *(f"{name}: {value}" for name, value in {"content-type": "application/json", **reply.headers}.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        await writer.drain()
        return True


@asynccontextmanager
async def vision_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[VisionServer]:
    """A server on a free port of 127.0.0.1; `url` is its base URL, with `/v1`."""
    server = VisionServer("")
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        listener.close()
        if hasattr(listener, "close_clients"):  # Python 3.13
            listener.close_clients()
