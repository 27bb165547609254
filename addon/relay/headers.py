"""Headers on both sides of the relay: which are passed on. Pure."""

from __future__ import annotations

from ..wire.hop_by_hop import end_to_end
from .job import RELAY_HEADER, Headers

_SET_ANEW = frozenset([b"host", b"content-length", b"expect", RELAY_HEADER.encode()])


def for_endpoint(headers: Headers, *, streamed: bool) -> Headers:
    """The headers to the endpoint, of a request with `headers`.

    A stream is asked for without a content coding: its first event is read, and an error may have to be added to it.
    `HttpClient` adds the loop guard, by which this proxy refuses a call that comes back to it.
    """
    if not streamed:
        return end_to_end(headers, _SET_ANEW)
    return [*end_to_end(headers, _SET_ANEW | {b"accept-encoding"}), (b"accept-encoding", b"identity")]


def for_client(headers: Headers) -> Headers:
    """The headers to the client, of an answer with `headers`. Its length is set anew."""
    return end_to_end(headers, {b"content-length"})


def for_stream(headers: Headers) -> Headers:
    """The same for a stream, whose content coding was removed; its content type is that of a stream."""
    if value(headers, b"content-type").lower().startswith("text/event-stream"):
        return end_to_end(headers, {b"content-length", b"content-encoding"})
    kept = end_to_end(headers, {b"content-length", b"content-encoding", b"content-type"})
    return [*kept, (b"content-type", b"text/event-stream")]


def as_json(headers: Headers) -> Headers:
    """The headers of a body that is JSON, or should have been, whatever its content type says."""
    return [*(pair for pair in headers if pair[0].lower() != b"content-type"), (b"content-type", b"application/json")]


def value(headers: Headers, name: bytes) -> str:
    """The value of the header `name` (lower case), several joined; `""` if it isn't there."""
    return ", ".join(text.decode("latin-1").strip() for given, text in headers if given.lower() == name)
