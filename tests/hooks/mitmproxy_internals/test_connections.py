from __future__ import annotations

import asyncio
import errno
import os
import time
from types import SimpleNamespace
from typing import Any

from mitmproxy.connection import Client, Server
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode
from mitmproxy.proxy.layers.http._http2 import Http2Client, Http2Server
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.tools.dump import DumpMaster

from hunyuan_fix.hooks.mitmproxy_internals import connections
from tests.proxying import LOCAL, Endpoint, Proxy, Trust, run_proxy
from tests.waiting import until


class Reader:
    """A reader in place of another; keeps what went through it."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self.read_so_far = b""

    async def read(self, most: int) -> bytes:
        data: bytes = await self.reader.read(most)
        self.read_so_far += data
        return data


class Watching:
    def __init__(self) -> None:
        self.proxy: Proxy | None = None
        self.transports: list[object] = []
        self.readers: list[Reader] = []

    def client_connected(self, client: Client) -> None:
        assert self.proxy
        handler = self.proxy.master.addons.get("proxyserver").connections[client.id]
        self.transports.append(connections.transport(handler))

        def made(reader: Any) -> Reader:
            self.readers.append(Reader(reader))
            return self.readers[-1]

        connections.replace_reader(handler, made)


async def test_a_client_is_read_by_another_reader_and_its_transport_is_known(trust: Trust, endpoint: Endpoint):
    watching = Watching()
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", watching) as proxy:
        watching.proxy = proxy
        async with proxy.client() as client:
            answer = await client.get("/models")
    assert answer.status_code == 200
    assert watching.readers[0].read_so_far
    assert isinstance(watching.transports[0], asyncio.WriteTransport)


def test_of_a_client_that_is_gone_there_is_neither():
    handler: Any = SimpleNamespace(client=object(), transports={})
    assert connections.transport(handler) is None
    connections.replace_reader(handler, Reader)
    assert handler.transports == {}


async def test_bytes_that_wait_for_a_window_are_found_at_any_depth():
    client = Client(
        peername=("127.0.0.1", 1),
        sockname=("127.0.0.1", 2),
        timestamp_start=1.0,
        proxy_mode=ProxyMode.parse("regular"),
    )
    context = Context(client, DumpMaster(Options()).options)
    layer = HttpLayer(context, HTTPMode.regular)
    outer: Any = HttpProxy(context)
    outer._handle_event = layer.handle_event  # as mitmproxy does: the layer itself is in no attribute
    handler: Any = SimpleNamespace(layer=outer)
    to_client, to_server = Http2Server(context.fork()), Http2Client(context.fork())
    layer.connections = {client: to_client, context.server: to_server}
    assert not connections.holds_back(handler)
    waiting: Any = [object()]
    to_server.h2_conn.stream_buffers[1] = waiting
    assert not connections.holds_back(handler), "what an endpoint has not taken is no answer"
    to_client.h2_conn.stream_buffers[1] = waiting
    assert connections.holds_back(handler)


async def test_each_layer_is_found_once_however_often_it_is_named():
    client = Client(
        peername=("127.0.0.1", 1),
        sockname=("127.0.0.1", 2),
        timestamp_start=1.0,
        proxy_mode=ProxyMode.parse("regular"),
    )
    context = Context(client, DumpMaster(Options()).options)
    outer: Any = HttpLayer(context, HTTPMode.regular)
    inner: Any = HttpLayer(context, HTTPMode.regular)
    outer.connections = {client: inner, context.server: inner}
    inner.child_layer = outer
    assert list(connections.layers(outer)) == [outer, inner]


class Opening:
    """What mitmproxy has of a connection that is being opened."""

    def __init__(self) -> None:
        self.server = Server(address=(LOCAL, 1))
        self.ends: list[str] = []
        self.task = asyncio.create_task(self._open())
        self.entry = SimpleNamespace(writer=None, handler=self.task)
        self.handler: Any = SimpleNamespace(transports={self.server: self.entry})

    async def _open(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as end:
            self.ends.append(str(end))


async def test_the_time_to_connect_begins_with_the_turn_of_a_connection():
    """One that waits for its turn has its whole time still, and can't be cancelled: its client would hang."""
    waiting, connecting, open_by_now, gone = (Opening() for _ in range(4))
    connecting.server.timestamp_start = time.time()
    open_by_now.server.timestamp_start = time.time()
    open_by_now.entry.writer = object()
    gone.handler.transports.clear()
    for opening in (waiting, open_by_now, gone, connecting):
        connections.limit_connecting(opening.handler, opening.server, 0.01)
    await until(lambda: connecting.ends)
    assert connecting.ends == [f"[Errno {errno.ETIMEDOUT}] {os.strerror(errno.ETIMEDOUT)}"]
    assert not (waiting.ends or open_by_now.ends or gone.ends)
    waiting.server.timestamp_start = time.time()
    await until(lambda: waiting.ends)
    for opening in (open_by_now, gone):
        assert not opening.ends
        opening.task.cancel()
