"""An endpoint and its clients on one event loop, both as light as can be: the proxy between is what is measured.

The simulator is not the endpoint here: its checks cost more than the proxy does with a large body. HTTP/1.1 is
spoken as far as these two need it, over connections that are kept.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from scripts.lib.bench_loads import Load

HOST = "127.0.0.1"
RULES_HEADER = b"x-hunyuan-fix:"

_STREAM_HEADER = re.compile(rb"\r\nx-bench-stream: (\d+) (\d+)", re.IGNORECASE)
_BURST_HEADER = re.compile(rb"\r\nx-bench-burst: (text|tool_calls|native) (\d+)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_TIMEOUT = 60.0
"""Seconds for one request: nothing here takes that long."""


class TrafficError(Exception):
    """A request was not answered with 200, or not at all."""


_USAGE = {"prompt_tokens": 300, "completion_tokens": 120, "total_tokens": 420}


def _message(kind: str, delta: dict[str, Any], reason: str | None) -> bytes:
    name = "delta" if kind.endswith("chunk") else "message"
    choice = {"index": 0, name: {"role": "assistant", **delta}, "finish_reason": reason}
    head = {"id": "c0ffee", "object": kind, "created": 1, "model": "hunyuan", "system_fingerprint": ""}
    usage = {"usage": _USAGE} if reason else {}
    return json.dumps({**head, "choices": [choice], **usage, "note": "以上内容为AI生成"}, ensure_ascii=False).encode()


_ANSWER = _message("chat.completion", {"content": "一段用来测量的回答。" * 20}, "stop")
_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_ANSWER), _ANSWER)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENTS = [
    b"data: %b\n\n" % _message("chat.completion.chunk", {"content": "字词"}, reason) for reason in (None, "stop")
]
_CHUNK, _FINISH = (b"%x\r\n%b\r\n" % (len(event), event) for event in _EVENTS)
_DONE = b"e\r\ndata: [DONE]\n\n\r\n" + _LAST_CHUNK

_CALL_CHUNKS = 50
"""Chunks of one streamed tool call."""


@cache
def burst(deltas: str, chunks: int) -> bytes:
    """A whole streamed answer, framed, of `chunks` chunks and `[DONE]`."""
    if deltas == "native":
        events = [_native("字词", "", number) for number in range(chunks - 1)] + [_native("", "stop", chunks)]
        framed = (b"%x\r\ndata: %b\n\n\r\n" % (len(event) + 8, event) for event in events)
        return _HEAD + b"".join(framed) + _LAST_CHUNK
    if deltas == "text":
        return _HEAD + _CHUNK * (chunks - 1) + _FINISH + _DONE
    events = [_message("chat.completion.chunk", _call_delta(number), None) for number in range(chunks - 1)]
    events.append(_message("chat.completion.chunk", {}, "tool_calls"))
    framed = (b"%x\r\ndata: %b\n\n\r\n" % (len(event) + 8, event) for event in events)
    return _HEAD + b"".join(framed) + _DONE


def _native(text: str, reason: str, written: int) -> bytes:
    """An event of Tencent Cloud's own API, which counts what is written by now."""
    choice = {"Delta": {"Role": "assistant", "Content": text}, "FinishReason": reason}
    usage = {"PromptTokens": 300, "CompletionTokens": written, "TotalTokens": 300 + written}
    event = {"Note": "以上内容为AI生成", "Choices": [choice], "Created": 1, "Id": "c0ffee", "Usage": usage}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _call_delta(number: int) -> dict[str, Any]:
    """One chunk of many calls of `read_file`, whose arguments come in pieces and are JSON together."""
    index, piece = divmod(number, _CALL_CHUNKS)
    pieces = {0: '{"path": "src/', _CALL_CHUNKS - 1: '.ts"}'}
    call: dict[str, Any] = {"index": index, "function": {"arguments": pieces.get(piece, "part")}}
    if not piece:
        call |= {"id": f"call_{index}", "type": "function"}
        call["function"]["name"] = "read_file"
    return {"content": None, "tool_calls": [call]}


class Endpoint(asyncio.Protocol):
    """One connection of the endpoint. Reads no body, counts it, and answers every request alike."""

    streams: dict[int, Endpoint]
    """By number, the connection that each stream goes over: shared by an endpoint's connections."""

    def __init__(self, streams: dict[int, Endpoint]) -> None:
        self.streams = streams
        self._head = b""
        self._missing = 0
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Count what comes; no client here sends a request before the last one is answered."""
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end)
            self._missing = end + 4 + int(length[1] if length else 0) - len(self._head)
        if not self._missing:
            self._answer()
            self._head = b""

    def _answer(self) -> None:
        if wanted := _BURST_HEADER.search(self._head):
            self._transport.write(burst(wanted[1].decode(), int(wanted[2])))
            return
        stream = _STREAM_HEADER.search(self._head)
        if stream is None:
            self._transport.write(_WHOLE)
            return
        self.streams[int(stream[1])] = self
        self._left = int(stream[2])
        self._transport.write(_HEAD)
        self.go_on()

    def go_on(self) -> None:
        """Write the stream's next chunk."""
        self._left -= 1
        if self._left >= 0:
            self._transport.write(_CHUNK if self._left else _FINISH)
        elif self._left == -1:
            self._transport.write(_DONE)


class Client(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, number: int, streams: dict[int, Endpoint], bodies: Iterator[bytes]) -> None:
        self._number = number
        self._bodies = bodies
        self._streams = streams
        self._answered: asyncio.Future[bytes] | None = None
        self._paced = False
        self._clear()

    def _clear(self) -> None:
        self._head, self._buffer, self._missing, self._tail = b"", b"", 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        if self._answered and not self._answered.done():
            self._answered.set_exception(TrafficError(f"the connection was closed: {exc or 'no reason given'}"))

    async def open(self, port: int, *, proxy_port: int = 0, trusted: ssl.SSLContext | None) -> None:
        """Connect to `port`, by CONNECT if there is a proxy's port; with TLS if `trusted` is given."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, HOST, proxy_port or port)
        if proxy_port:
            target = f"{HOST}:{port}"
            await self._exchange(f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
        if trusted:
            upgraded = await loop.start_tls(self._transport, self, trusted, server_hostname=HOST)
            self._transport = cast(asyncio.Transport, upgraded)

    def close(self) -> None:
        """Hang up."""
        self._answered = None
        self._transport.close()

    async def send(self, load: Load, host_port: int) -> tuple[float, bytes]:
        """Send one request; the seconds until its answer was complete, and the head of that."""
        self._paced = load.paced
        body = next(self._bodies)
        data = self._request_head(load, host_port, len(body)) + body
        started = time.perf_counter()
        head = await self._exchange(data)
        return time.perf_counter() - started, head

    def _request_head(self, load: Load, host_port: int, length: int) -> bytes:
        stream = ""
        if load.chunks:
            paced = f"x-bench-stream: {self._number} {load.chunks}\r\n"
            stream = paced if load.paced else f"x-bench-burst: {load.deltas} {load.chunks}\r\n"
        return (
            f"POST {load.path} HTTP/1.1\r\nhost: {HOST}:{host_port}\r\nauthorization: Bearer {load.key}\r\n"
            f"content-type: application/json\r\naccept: application/json\r\naccept-encoding: gzip, deflate\r\n"
            f"user-agent: bench\r\n{stream}content-length: {length}\r\n\r\n"
        ).encode()

    async def _exchange(self, data: bytes) -> bytes:
        self._clear()
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        async with asyncio.timeout(_TIMEOUT):
            head = await self._answered
        if not head.startswith(b"HTTP/1.1 200"):
            raise TrafficError(head.decode("latin-1") + self._buffer[:500].decode("utf-8", "replace"))
        return head

    def data_received(self, data: bytes) -> None:
        """Read an answer, whole or in chunks."""
        if not self._head:
            self._buffer += data
            head, blank, data = self._buffer.partition(b"\r\n\r\n")
            if not blank:
                return
            self._head, self._buffer = head + b"\r\n", b""
            length = _LENGTH.search(self._head)
            self._missing = int(length[1]) if length else 0
            self._chunked = b"transfer-encoding: chunked" in self._head.lower()
        if self._chunked:
            self._read_chunks(data)
        else:
            self._buffer += data
            self._missing -= len(data)
            if self._missing <= 0:
                self._finish()

    def _read_chunks(self, data: bytes) -> None:
        """Ask for a chunk of a paced stream for each that has come: they pass through the proxy one by one.

        That is how a model talks, slower than the network; chunks that pile up would be measured as a few.
        """
        if self._paced:
            read = self._tail + data
            for _ in range(read.count(b"\n\n")):
                self._streams[self._number].go_on()
            self._tail = read[-1:] if not read.endswith(b"\n\n") else b""
        self._buffer = (self._buffer + data)[-len(_LAST_CHUNK) :]
        if self._buffer == _LAST_CHUNK:
            self._finish()

    def _finish(self) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_result(self._head)


@dataclass(frozen=True, slots=True)
class Way:
    """How clients reach the endpoint: the ports of a proxy (0: straight)."""

    name: str
    reverse_port: int = 0
    proxy_port: int = 0
    pid: int = 0
    """The proxy's process."""
    trusted: ssl.SSLContext | None = None
    """What its clients trust; `None` where they speak plain HTTP."""
    whole: bool = True
    streams: bool = True
    """Which answers it is measured with."""

    def takes(self, load: Load) -> bool:
        """Whether it is measured with `load`."""
        return self.streams if load.chunks else self.whole


@dataclass(frozen=True, slots=True)
class Traffic:
    """A running endpoint, by its port, and the connections that its streams go over."""

    port: int
    streams: dict[int, Endpoint]

    async def clients(self, way: Way, load: Load, count: int) -> list[Client]:
        """Open `count` connections."""
        opened = []
        for number in range(count):
            client = Client(number, self.streams, load.bodies())
            if load.connect:
                await client.open(self.port, proxy_port=way.proxy_port, trusted=way.trusted)
            else:
                await client.open(way.reverse_port or self.port, trusted=way.trusted)
            opened.append(client)
        return opened

    async def run(self, clients: list[Client], load: Load, count: int) -> tuple[list[float], bytes]:
        """Send `count` requests, each client one after another; the seconds of each, and the last answer's head."""
        left = count

        def more() -> bool:
            nonlocal left
            left -= 1
            return left >= 0

        return await self.run_while(clients, load, more)

    async def run_while(self, clients: list[Client], load: Load, more: Callable[[], bool]) -> tuple[list[float], bytes]:
        """Send requests, each client one after another, until `more`, asked before each, says that it was enough."""
        seconds: list[float] = []
        head = b""

        async def work(client: Client) -> None:
            nonlocal head
            while more():
                taken, head = await client.send(load, self.port)
                seconds.append(taken)

        await asyncio.gather(*map(work, clients))
        return seconds, head


@asynccontextmanager
async def traffic(tls: ssl.SSLContext | None) -> AsyncIterator[Traffic]:
    """Run the endpoint on a free port, with TLS unless `tls` is `None`."""
    streams: dict[int, Endpoint] = {}
    server = await asyncio.get_running_loop().create_server(lambda: Endpoint(streams), HOST, 0, ssl=tls)
    try:
        yield Traffic(server.sockets[0].getsockname()[1], streams)
    finally:
        server.close()
