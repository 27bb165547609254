"""Header lines on both sides of the relay: what goes on, what belongs to one connection only. Pure."""

from __future__ import annotations

from .job import RELAY_HEADER, Headers

_HOP_BY_HOP = frozenset(
    [
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ]
)
"""RFC 9110 section 7.6.1, and what mitmproxy adds for its own upstream proxy."""

_SET_ANEW = frozenset([b"host", b"content-length", b"expect", RELAY_HEADER.encode()])


def for_endpoint(headers: Headers, *, streamed: bool) -> Headers:
    """What goes to the endpoint with a request that came with `headers`.

    A stream must come without a content coding: an error may have to be added to it, and its first event is looked at.
    (`Outgoing` adds the loop guard: a call that leads back to this proxy must be refused there, not relayed for ever.)
    """
    if not streamed:
        return _kept(headers, _SET_ANEW)
    return [*_kept(headers, _SET_ANEW | {b"accept-encoding"}), (b"accept-encoding", b"identity")]


def for_client(headers: Headers) -> Headers:
    """What goes to the client with an answer that came with `headers`. Its length is set anew."""
    return _kept(headers, frozenset([b"content-length"]))


def for_stream(headers: Headers) -> Headers:
    """The same for a stream, whose content coding was taken off, under the label that a stream has."""
    if value(headers, b"content-type").lower().startswith("text/event-stream"):
        return _kept(headers, frozenset([b"content-length", b"content-encoding"]))
    kept = _kept(headers, frozenset([b"content-length", b"content-encoding", b"content-type"]))
    return [*kept, (b"content-type", b"text/event-stream")]


def as_json(headers: Headers) -> Headers:
    """Headers of a body that is JSON, or should have been, whatever its label says."""
    return [*(line for line in headers if line[0].lower() != b"content-type"), (b"content-type", b"application/json")]


def value(headers: Headers, name: bytes) -> str:
    """The value of the header `name` (lower case), several joined; `""` if it isn't there."""
    return ", ".join(text.decode("latin-1").strip() for given, text in headers if given.lower() == name)


def _kept(headers: Headers, left_out: frozenset[bytes]) -> Headers:
    named = {word.strip().lower().encode("latin-1") for word in value(headers, b"connection").split(",")}
    dropped = _HOP_BY_HOP | left_out | named
    return [line for line in headers if line[0].lower() not in dropped]
