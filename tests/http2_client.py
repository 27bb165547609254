"""An HTTP/2 client that can reset a stream and keep its connection, or let an answer wait, as httpx can't."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import h2.config
import h2.connection
import h2.events
import httpx

from tests.proxying import LOCAL, Trust

WINDOW = 65535
"""Bytes that a server may send before its client has said that it has room for more (RFC 9113 section 6.9.2)."""


class Reverse(Protocol):
    """A reverse proxy that runs, in this process or another."""

    @property
    def trust(self) -> Trust: ...
    @property
    def reverse_port(self) -> int: ...


class Http2Client:
    """One connection to the reverse proxy; `headers` go with every request.

    A `hesitant` one has no room for more than `WINDOW` bytes until it is to `take_all`.
    """

    def __init__(self, proxy: Reverse, headers: Mapping[str, str] | None = None, *, hesitant: bool = False) -> None:
        self._proxy = proxy
        self._headers = dict(headers or {})
        self._hesitant = hesitant
        self._untold: Counter[int] = Counter()
        """Bytes received that the server doesn't know to have made room again, by stream."""
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._ended: set[int] = set()
        self._pinged = False
        self.received: dict[int, bytearray] = {}
        """Bodies by stream, as far as they have come."""

    async def __aenter__(self) -> Http2Client:
        context = self._proxy.trust.of_proxy(http2=True)
        context.set_alpn_protocols(["h2"])
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._proxy.reverse_port, ssl=context, server_hostname=LOCAL
        )
        self._h2.initiate_connection()
        await self._flush()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def post(self, body: object, path: str = "/chat/completions", *, whole: bool = True) -> int:
        """Send a request, of chat if nothing else is said, or (not `whole`) all but its end; its stream's number."""
        stream = self._h2.get_next_available_stream_id()
        target = [(":method", "POST"), (":path", f"/v1{path}"), (":scheme", "https"), (":authority", LOCAL)]
        self._h2.send_headers(stream, [*target, *self._headers.items()])
        self._h2.send_data(stream, httpx.Request("POST", "http://x", json=body).content, end_stream=whole)
        self.received[stream] = bytearray()
        await self._flush()
        return stream

    async def reset(self, stream: int) -> None:
        """RST_STREAM."""
        self._h2.reset_stream(stream)
        await self._flush()

    async def ping(self) -> None:
        """Wait until the server has read all that was sent so far."""
        self._h2.ping(b"12345678")
        await self._flush()
        while not self._pinged:
            await self._read()
        self._pinged = False

    async def ended(self, stream: int) -> bytes:
        """The whole body that comes by `stream`."""
        while stream not in self._ended:
            await self._read()
        return bytes(self.received[stream])

    async def begun(self, stream: int, size: int = 1) -> None:
        """Wait for the first bytes of a body, as many as `size`."""
        while len(self.received[stream]) < size:
            await self._read()

    async def take_all(self) -> None:
        """Let come whatever waits."""
        self._hesitant = False
        for stream in list(self._untold):
            self._h2.acknowledge_received_data(self._untold.pop(stream), stream)
        await self._flush()

    async def _read(self) -> None:
        data = await self._reader.read(65536)
        assert data, "the connection was closed"
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.received[event.stream_id] += event.data
                if self._hesitant:
                    self._untold[event.stream_id] += event.flow_controlled_length
                else:
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.PingAckReceived):
                self._pinged = True
            elif isinstance(event, h2.events.StreamEnded):
                self._ended.add(event.stream_id)
            assert not isinstance(event, h2.events.StreamReset), event
        await self._flush()

    async def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())
        await self._writer.drain()
