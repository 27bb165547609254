"""Bytes put into a streamed answer from outside, while its endpoint is silent.

mitmproxy has no event for it: a stream's callable is only called for bytes of the endpoint's, and injected messages
reach WebSocket and TCP flows alone. Here an event of our own goes down the layers of the client's connection, as an
injected message does, and comes up as data of the stream in whatever HTTP version the client speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mitmproxy import http
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.layers.http._events import ResponseData
from mitmproxy.proxy.server import ConnectionHandler

from . import connections

_original: Callable[..., layer.CommandGenerator[None]] = HttpLayer._handle_event


@dataclass(frozen=True, slots=True)
class Insertion(events.Event):
    """`pieces` for the client of `stream`. They are made when the event arrives, after all that came before it."""

    stream: HttpStream
    pieces: Callable[[], Iterable[bytes]]


def is_in_place() -> bool:
    """Whether anything can be put into a stream."""
    return HttpLayer._handle_event is handle_event


async def insert(handler: ConnectionHandler, flow: http.HTTPFlow, pieces: Callable[[], Iterable[bytes]]) -> None:
    """Send what `pieces` makes, none of it empty, to the client of `handler`, in the streamed answer of `flow`.

    Does nothing once that answer is over, or where `handle_event` isn't in place. An insertion doesn't count as
    activity: mitmproxy still closes a connection on which nothing else happens for `tcp_timeout`.
    """
    if not is_in_place():
        return
    streams = (found for found in connections.layers(handler.layer) if isinstance(found, HttpStream))
    stream = next((found for found in streams if getattr(found, "flow", None) is flow), None)
    if stream is not None:
        watchdog, before = handler.timeout_watchdog, handler.timeout_watchdog.last_activity
        await handler.server_event(Insertion(stream, pieces))
        watchdog.last_activity = before


def handle_event(self: HttpLayer, event: events.Event) -> layer.CommandGenerator[None]:
    """In place of `HttpLayer._handle_event`: as mitmproxy's, and an `Insertion` goes to its stream.

    In a tunnel the stream is within another one, which has the tunnel: `context.layers` is the way to it.
    """
    if not isinstance(event, Insertion):
        yield from _original(self, event)
        return
    for stream in self.streams.values():
        if stream is event.stream:
            if stream.server_state == stream.state_stream_response_body:
                client = self.connections[self.context.client]
                for piece in event.pieces():
                    yield from self.event_to_child(client, ResponseData(stream.stream_id, piece))
            return
        if stream in event.stream.context.layers:
            yield from self.event_to_child(stream, event)
            return
