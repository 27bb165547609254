"""The headers by which a request that mitmproxy sends names its trace. Put on before it is signed."""

from __future__ import annotations

from mitmproxy import http

from ..exchange import Exchange, JsonObject
from ..wire.trace_context import TRACEPARENT, TRACESTATE, Trace, new_span_id


def put_on(request: http.Request, exchange: Exchange) -> JsonObject:
    """Let `request` name a span of its own as what it belongs to. Returns what the event `SENT` tells of it.

    Nothing, and the request keeps its headers, with traces off.
    """
    if exchange.trace is None:
        return {}
    span_id = new_span_id()
    _set(request, exchange.trace, span_id)
    return {"span_id": span_id}


def put_exchange_on(request: http.Request, exchange: Exchange) -> None:
    """The same for a request whose body passes untouched: it belongs to the exchange's own span."""
    if exchange.trace is not None:
        _set(request, exchange.trace, exchange.trace.span_id)


def _set(request: http.Request, trace: Trace, span_id: str) -> None:
    if not trace.is_sent_on:
        return
    headers = trace.headers(span_id)
    request.headers[TRACEPARENT] = headers[TRACEPARENT]
    if TRACESTATE in headers:
        request.headers[TRACESTATE] = headers[TRACESTATE]
    else:
        request.headers.pop(TRACESTATE, None)
