"""Connections: bytes of an answer that mitmproxy still holds, the reader of one, how long one may take to open."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from mitmproxy.connection import Server
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.server import ConnectionHandler


def transport(handler: ConnectionHandler) -> asyncio.WriteTransport | None:
    """Where the bytes for the client of `handler` are written; `None` where it is gone, or speaks UDP.

    Relies on `handler.transports`, which forgets a connection before its last bytes are out: keep what is returned.
    """
    connection = handler.transports.get(handler.client)
    writer = connection.writer if connection else None
    return writer.transport if isinstance(writer, asyncio.StreamWriter) else None


def replace_reader(handler: ConnectionHandler, made: Callable[[Any], Any]) -> None:
    """Let mitmproxy read from the client of `handler` through `made(reader)`, if the connection is still open.

    Relies on `handler.transports` being filled before the hook `client_connected`, and read after it.
    """
    if connection := handler.transports.get(handler.client):
        connection.reader = made(connection.reader)


def last_activity(handler: ConnectionHandler) -> float:
    """When bytes came last from the client of `handler` or from its endpoint: Unix time in seconds.

    Relies on `handler.timeout_watchdog`.
    """
    return handler.timeout_watchdog.last_activity


_TIMED_OUT = f"[Errno {errno.ETIMEDOUT}] {os.strerror(errno.ETIMEDOUT)}"
"""As the system says it when its own time is up, after two minutes and more."""


def limit_connecting(handler: ConnectionHandler, server: Server, seconds: float) -> None:
    """Let the connection to `server`, for the client of `handler`, fail as timed out if it isn't open in `seconds`.

    To be called in the hook `server_connect`. Relies on `open_connection`: `transports` has its task, which waits for
    its turn before it sets `timestamp_start` and connects, and takes the text of a cancellation for the error.
    """
    loop = asyncio.get_running_loop()

    def look() -> None:
        connection = handler.transports.get(server)
        if connection is None or connection.writer is not None or connection.handler is None:
            return
        begun = server.timestamp_start
        left = seconds if begun is None else begun + seconds - time.time()
        if left > 0:
            loop.call_later(left, look)
        else:
            connection.handler.cancel(_TIMED_OUT)

    loop.call_later(seconds, look)


def holds_back(handler: ConnectionHandler) -> bool:
    """Whether HTTP/2 has bytes for the client of `handler` for which the client has not yet opened its window.

    Relies on `Http2Connection.h2_conn.stream_buffers`.
    """
    return any(map(_holds_back, layers(handler.layer)))


def layers(outermost: Layer) -> Iterator[Layer]:
    """`outermost` and the layers within it, each once.

    Relies on a layer keeping those within it in attributes, in dicts in attributes, or, as a mode of the proxy does,
    only in the method `_handle_event`, which it takes over from the one that is in its place from then on.
    """
    seen: set[Layer] = set()
    waiting = [outermost]
    while waiting:
        layer = waiting.pop()
        if layer in seen:
            continue
        seen.add(layer)
        yield layer
        for value in vars(layer).values():
            for part in value.values() if isinstance(value, dict) else [getattr(value, "__self__", value)]:
                if isinstance(part, Layer):
                    waiting.append(part)


def _holds_back(layer: Layer) -> bool:
    http2 = getattr(layer, "h2_conn", None)
    return http2 is not None and not http2.config.client_side and any(http2.stream_buffers.values())
