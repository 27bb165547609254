"""The bytes of an answer that mitmproxy still holds, and the reader of an open connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

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
