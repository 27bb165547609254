"""The clients of scripts/scale: each keeps its connection, as agents do, and opens another when it is told to.

They say what went wrong. A client looks whether its connection was closed before it uses it again, as HTTP libraries
do, and sends nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HOST = "127.0.0.1"
_TIMEOUT = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


def body(text: str, *, image: str | None = None, model: str = "hunyuan-lite", stream: bool = False) -> bytes:
    """A chat request; `image`: a data URL."""
    content: Any = text
    if image is not None:
        content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": image}}]
    wanted: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": content}]}
    return json.dumps({**wanted, "stream": True} if stream else wanted).encode()


@dataclass(slots=True)
class Outcomes:
    """What came of requests."""

    ok: int = 0
    connections: int = 0
    seconds: float = 0.0
    """From the first request to the last answer."""
    waits: list[float] = field(default_factory=list)
    """Seconds of each answered request."""
    failed: Counter[str] = field(default_factory=Counter)
    """By what went wrong: a status, or how the connection ended."""

    @property
    def per_second(self) -> float:
        """Answered requests."""
        return self.ok / self.seconds if self.seconds else 0.0

    def quantile(self, part: float) -> float:
        """The seconds below which `part` of the requests were answered."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(part * len(self.waits)))] if self.waits else 0.0

    def __str__(self) -> str:
        """In a few words."""
        failed = ", ".join(f"{count} x {what}" for what, count in self.failed.most_common(4)) or "none"
        return f"{self.ok} answered, {self.connections} connections, failed: {failed}"


class Client:
    """One client, with one connection at a time."""

    def __init__(self, port: int, outcomes: Outcomes, *, keeps: bool = True) -> None:
        self._port = port
        self._outcomes = outcomes
        self._keeps = keeps
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, data: bytes) -> bool:
        """Send one request, and count what comes of it. Returns whether it was answered with 200."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_TIMEOUT):
                status = await self._exchange(data)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.close()
            self._outcomes.failed[type(error).__name__] += 1
            return False
        if status != 200:
            self._outcomes.failed[str(status)] += 1
            return False
        self._outcomes.ok += 1
        self._outcomes.waits.append(time.perf_counter() - began)
        return True

    async def _exchange(self, data: bytes) -> int:
        if self._stream is not None and self._stream[0].at_eof():
            self.close()
        if self._stream is None:
            self._stream = await asyncio.open_connection(HOST, self._port, limit=1 << 20)
            self._outcomes.connections += 1
        reader, writer = self._stream
        writer.write(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}:{self._port}\r\nauthorization: Bearer sk-scale\r\n"
            f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode()
            + data
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if _CHUNKED.search(head):
            while (size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)) > 0:
                await reader.readexactly(size + 2)
            await reader.readuntil(b"\r\n")
        elif length := _LENGTH.search(head):
            await reader.readexactly(int(length[1]))
        if _CLOSE.search(head) or not self._keeps:
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Hang up."""
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None


async def crowd(
    ports: list[int],
    count: int,
    more: Callable[[], bool],
    made: Callable[[int], bytes],
    *,
    keeps: bool = True,
    pause: float = 0.0,
) -> Outcomes:
    """`count` clients, spread over `ports`, that send one request after another until `more` says no.

    `made`: the number of a request -> its body. `pause`: seconds between two requests of a client.
    """
    outcomes, number = Outcomes(), 0

    async def work(client: Client) -> None:
        nonlocal number
        while more():
            number += 1
            await client.send(made(number))
            if pause:
                await asyncio.sleep(pause)

    clients = [Client(ports[one % len(ports)], outcomes, keeps=keeps) for one in range(count)]
    began = time.perf_counter()
    await asyncio.gather(*map(work, clients))
    outcomes.seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    return outcomes
