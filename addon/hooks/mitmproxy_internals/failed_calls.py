"""Calls that fail without an answer or in the middle of one, and what add-ons have to say to their clients.

mitmproxy answers the client of such a call with an HTML page of its own, or breaks its answer off, whatever add-ons do
in the hook `error` (docs/facts/mitmproxy.md#failed-call). Here a response that an add-on sets in that hook is sent
instead, as long as no byte of the endpoint's answer was; and a stream that has begun ends with the pieces that an
add-on has given to `end_with`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Sequence
from enum import Enum, auto
from weakref import WeakKeyDictionary, WeakSet

from mitmproxy import http
from mitmproxy.proxy import layer
from mitmproxy.proxy.commands import Command
from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook


class Failure(Enum):
    """Why a call has no answer."""

    NAME_UNKNOWN = auto()
    """The name has no address."""
    REFUSED = auto()
    """No program listens at the port."""
    CONNECT_TIMED_OUT = auto()
    UNREACHABLE = auto()
    """No connection, for another reason."""
    NOT_TRUSTED = auto()
    """The certificate can't be verified."""
    TLS_FAILED = auto()
    CLOSED = auto()
    """The connection ended before the answer."""
    BROKEN_OFF = auto()
    """The connection ended in a whole answer."""
    STREAM_BROKEN = auto()
    """The connection ended in a stream, of which the client has a part: only `end_with` can say something."""
    NOT_HTTP = auto()
    """What came is no answer."""
    HEADERS_REFUSED = auto()
    """The answer's headers are such that programs read them differently (`validate_inbound_headers`)."""
    ANSWER_TOO_LARGE = auto()
    """The answer is larger than `body_size_limit`."""
    REQUEST_TOO_LARGE = auto()
    """The request is larger than `body_size_limit`. No endpoint has seen it."""
    REQUEST_REFUSED = auto()
    """The request's headers are such that programs read them differently. No hook but `requestheaders` has seen it."""


_HTTP_1_1_REQUIRED = ErrorCode.HTTP_1_1_REQUIRED
_OF_RESOLVER = frozenset([8, 11001, 11002, 11003, 11004])
"""Numbers of `socket.gaierror` that are positive: of macOS, and of Windows. Linux has negative ones."""
_TIMED_OUT = frozenset([errno.ETIMEDOUT, 121, 10060])
_REFUSED = frozenset([errno.ECONNREFUSED, 1225, 10061])
"""With the numbers of Windows, which `str(error)` has as `[WinError N]`."""
_NUMBER = re.compile(r"\[(?:Errno|WinError) (-?\d+)\]")

_failures: WeakKeyDictionary[http.HTTPFlow, Failure] = WeakKeyDictionary()
_left: WeakSet[http.HTTPFlow] = WeakSet()
_endings: WeakKeyDictionary[http.HTTPFlow, Sequence[bytes]] = WeakKeyDictionary()
_handle_protocol_error: Callable[..., layer.CommandGenerator[None]] = HttpStream.handle_protocol_error
_check_body_size: Callable[..., layer.CommandGenerator[bool]] = HttpStream.check_body_size
_check_invalid: Callable[..., layer.CommandGenerator[bool]] = HttpStream.check_invalid


def of(flow: http.HTTPFlow) -> Failure | None:
    """Why the call of `flow` failed, if its client can still be answered; to be asked in the hook `error`."""
    return _failures.get(flow)


def client_left(flow: http.HTTPFlow) -> bool:
    """Whether the client of `flow` has closed its connection or its stream; to be asked in the hook `error`."""
    return flow in _left


def end_with(flow: http.HTTPFlow, pieces: Sequence[bytes]) -> None:
    """End the stream of `flow` in order, after `pieces`; to be called in the hook `error` for `STREAM_BROKEN`."""
    _endings[flow] = pieces


def handle_protocol_error(
    self: HttpStream, event: RequestProtocolError | ResponseProtocolError
) -> layer.CommandGenerator[None]:
    """In place of `HttpStream.handle_protocol_error`: as mitmproxy's, but clients get what the hook `error` says."""
    if not _is_waited_for(self, event):
        if _is_of_client(self, event):
            _left.add(self.flow)
        yield from _handle_protocol_error(self, event)
    elif self.server_state == self.state_stream_response_body:
        yield from _told(self, _handle_protocol_error(self, event), Failure.STREAM_BROKEN)
    else:
        failure = _failure(event, begun=self.flow.response is not None)
        yield from _told(self, _handle_protocol_error(self, event), failure)


def check_body_size(self: HttpStream, request: bool) -> layer.CommandGenerator[bool]:
    """In place of `HttpStream.check_body_size`: as mitmproxy's, but clients get what the hook `error` says."""
    failure = Failure.REQUEST_TOO_LARGE if request else Failure.ANSWER_TOO_LARGE
    return (yield from _checked(self, _check_body_size(self, request), failure))


def check_invalid(self: HttpStream, request: bool) -> layer.CommandGenerator[bool]:
    """In place of `HttpStream.check_invalid`: as mitmproxy's, but clients get what the hook `error` says."""
    failure = Failure.REQUEST_REFUSED if request else Failure.HEADERS_REFUSED
    return (yield from _checked(self, _check_invalid(self, request), failure))


def _checked(
    stream: HttpStream, checking: layer.CommandGenerator[bool], failure: Failure
) -> layer.CommandGenerator[bool]:
    """As `_told`, which is spared where there is nothing to do about a message, as of nearly all."""
    try:
        first = next(checking)
    except StopIteration as end:
        result: bool = end.value
        return result
    return (yield from _told(stream, _resumed(first, checking), failure))


def _resumed[T](first: Command, handling: layer.CommandGenerator[T]) -> layer.CommandGenerator[T]:
    """What `handling`, which has given `first` already, does."""
    command = first
    while True:
        reply = yield command
        try:
            command = handling.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result


def _told[T](stream: HttpStream, handling: layer.CommandGenerator[T], failure: Failure) -> layer.CommandGenerator[T]:
    """What `handling` does; if it calls the hook `error`, for `failure`, its client gets what that says."""
    flow, before = stream.flow, stream.flow.response
    reply = None
    try:
        while True:
            command = handling.send(reply)
            reply = None
            if isinstance(command, HttpErrorHook):
                _failures[flow] = failure
                reply = yield command
            elif flow not in _failures or not _is_page(command):
                reply = yield command
            elif (pieces := _endings.get(flow)) is not None:
                yield from _end(stream, pieces)
            elif failure is Failure.STREAM_BROKEN or flow.response is None or flow.response is before:
                yield command
            else:
                yield from _send(stream, flow.response)
                if failure in _BEFORE_THE_BODY and not flow.request.is_http2:
                    yield command  # closes the connection, by which the rest of the request comes
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        _failures.pop(flow, None)
        _endings.pop(flow, None)


_BEFORE_THE_BODY = (Failure.REQUEST_TOO_LARGE, Failure.REQUEST_REFUSED)


def _is_page(command: Command) -> bool:
    """Whether `command` sends a client mitmproxy's page, or breaks its answer off: not so where a flow is killed."""
    event = command.event if isinstance(command, SendHttp) else None
    return isinstance(event, ResponseProtocolError) and event.code is not ErrorCode.KILL


def _is_waited_for(stream: HttpStream, event: RequestProtocolError | ResponseProtocolError) -> bool:
    """Whether the endpoint failed, and the client waits for its answer, or for the rest of one that is streamed."""
    return (
        isinstance(event, ResponseProtocolError)
        and event.code is not _HTTP_1_1_REQUIRED  # clients try again by HTTP/1.1 by themselves
        and not _is_of_client(stream, event)
        and stream.client_state != stream.state_errored
        and stream.server_state
        in (
            stream.state_uninitialized,
            stream.state_wait_for_response_headers,
            stream.state_consume_response_body,
            stream.state_stream_response_body,
        )
    )


def _is_of_client(stream: HttpStream, event: RequestProtocolError | ResponseProtocolError) -> bool:
    """Whether the client has left.

    One that leaves while its connection is being made ends that first: what it did is still in the queue.
    """
    events = (event, *stream._paused_event_queue)
    return any(isinstance(one, RequestProtocolError) and one.code not in _REFUSED_HERE for one in events)


_REFUSED_HERE = frozenset(
    [
        ErrorCode.KILL,
        ErrorCode.REQUEST_TOO_LARGE,
        ErrorCode.REQUEST_VALIDATION_FAILED,
        ErrorCode.DESTINATION_UNKNOWN,
    ]
)
"""Errors of a request that mitmproxy itself refuses."""


def _send(stream: HttpStream, response: http.Response) -> layer.CommandGenerator[None]:
    """Send all of `response` to the client, which keeps its connection."""
    content = b"" if stream.flow.request.method == "HEAD" else response.raw_content
    yield SendHttp(ResponseHeaders(stream.stream_id, response, not content), stream.context.client)
    yield from _end(stream, [content] if content else [])


def _end(stream: HttpStream, pieces: Sequence[bytes]) -> layer.CommandGenerator[None]:
    """Send `pieces`, none of them empty, and the end of the message."""
    for piece in pieces:
        yield SendHttp(ResponseData(stream.stream_id, piece), stream.context.client)
    yield SendHttp(ResponseEndOfMessage(stream.stream_id), stream.context.client)


def _failure(event: RequestProtocolError | ResponseProtocolError, *, begun: bool) -> Failure:
    """The kind of `event`. Relies on what mitmproxy says where a connection fails: it keeps no exception.

    An error of the system has its number in front; several of one name, such as IPv6 and IPv4, follow each other. All
    others of a connection are of the TLS handshake, of a proxy in between, or of an add-on that has refused it.
    """
    text = event.message
    if event.code is not ErrorCode.CONNECT_FAILED:
        if begun:
            return Failure.BROKEN_OFF
        return Failure.NOT_HTTP if text.startswith(_NO_HTTP) else Failure.CLOSED
    if text.startswith("Certificate verify failed"):
        return Failure.NOT_TRUSTED
    numbers = {int(number) for number in _NUMBER.findall(text)}
    if not numbers:
        return Failure.UNREACHABLE if text.startswith(_NO_TLS) else Failure.TLS_FAILED
    if any(number < 0 or number in _OF_RESOLVER for number in numbers):
        return Failure.NAME_UNKNOWN
    if numbers & _REFUSED:
        return Failure.REFUSED
    return Failure.CONNECT_TIMED_OUT if numbers & _TIMED_OUT else Failure.UNREACHABLE


_NO_HTTP = (
    "Cannot parse HTTP response",
    "unexpected server response",
    "HTTP/2 protocol error",
    "HTTP/1 protocol error",
)
_NO_TLS = (
    "Upstream proxy",
    "Error connecting to",
    "Connection killed",
    "connection cancelled",
    "Cannot open connection",
)
"""How errors of a connection begin that have no number and aren't of TLS."""
