"""The client's answer where its endpoint can't be reached, ends the call without an answer, or breaks off a stream."""

from __future__ import annotations

from collections.abc import Mapping

from mitmproxy import http
from mitmproxy.utils import human

from .. import dialects, profiles
from ..access import cors
from ..answers.streamed import ClientStream
from ..exchange import Exchange
from ..wire import noted_errors, paths, proxy_errors, vendor_errors
from ..wire.proxy_errors import Entry
from . import detour, exchanges
from .mitmproxy_internals import failed_calls
from .mitmproxy_internals.failed_calls import Failure
from .respond import answer_preflight, respond

ENTRIES: Mapping[Failure, Entry] = {
    Failure.NAME_UNKNOWN: proxy_errors.NAME_UNKNOWN,
    Failure.REFUSED: proxy_errors.CONNECTION_REFUSED,
    Failure.CONNECT_TIMED_OUT: proxy_errors.CONNECT_TIMEOUT,
    Failure.UNREACHABLE: proxy_errors.CONNECTION_FAILED,
    Failure.NOT_TRUSTED: proxy_errors.CERTIFICATE_NOT_TRUSTED,
    Failure.TLS_FAILED: proxy_errors.HANDSHAKE_FAILED,
    Failure.CLOSED: proxy_errors.CLOSED_WITHOUT_ANSWER,
    Failure.BROKEN_OFF: proxy_errors.ANSWER_CUT,
    Failure.NOT_HTTP: proxy_errors.ANSWER_NOT_HTTP,
    Failure.HEADERS_REFUSED: proxy_errors.ANSWER_HEADERS_REFUSED,
    Failure.ANSWER_TOO_LARGE: proxy_errors.ANSWER_TOO_LARGE,
    Failure.REQUEST_TOO_LARGE: proxy_errors.BODY_TOO_LARGE,
}
"""What clients get for each failure. All take `where`, and no word of the endpoint's or of mitmproxy's."""


_NO_CONNECTION = (
    Failure.NAME_UNKNOWN,
    Failure.REFUSED,
    Failure.CONNECT_TIMED_OUT,
    Failure.UNREACHABLE,
    Failure.NOT_TRUSTED,
    Failure.TLS_FAILED,
    Failure.CLOSED,
)
"""What becomes of calls to a platform that was shut down."""


def answer(flow: http.HTTPFlow, exchange: Exchange | None, language: str | None = None) -> None:
    """Tell the client of `flow`, whose call failed, in its format; to be called in the hook `error`.

    `language`: `hunyuan_language`, for a request that has no exchange yet.

    A stream ends with an event that says so, if its bytes weren't passed on unchanged. Does nothing where the client
    has left, for hosts that aren't known, and under `hunyuan_mode=observe`, which leaves clients what mitmproxy says.
    """
    failure = failed_calls.of(flow)
    if failure is Failure.REQUEST_REFUSED:
        _answer_refused(flow, language)
        return
    stream = flow.response.stream if flow.response else None
    if exchange is not None and failed_calls.client_left(flow):
        exchange.left = not getattr(stream, "is_told", False)
    if failure is None or exchange is None or not exchange.profile:
        return
    if failure is Failure.STREAM_BROKEN:
        last = stream.broken() if isinstance(stream, ClientStream) else None  # it notes the error
        if last is None:
            noted_errors.own(exchange, proxy_errors.STREAM_BROKEN())
        else:
            failed_calls.end_with(flow, last)
        return
    if exchange.mode == "observe":
        return
    detour.restore(flow)  # the message names the endpoint, not the relay
    if failure is Failure.REQUEST_TOO_LARGE and exchange.answered:
        return  # it was refused at its headers
    if cors.is_preflight(flow.request.method, flow.request.headers):
        answer_preflight(flow, exchange)  # the page can read then why its request fails
        return
    profile = profiles.load(exchange.profile)
    gone = vendor_errors.shut_down(profile, flow.request.host, _where(flow)) if failure in _NO_CONNECTION else None
    respond(flow, exchange, gone or ENTRIES[failure](where=_where(flow)).response())


def _answer_refused(flow: http.HTTPFlow, language: str | None) -> None:
    """Answer a request whose headers can't be trusted, if its path is one of the known APIs'.

    It has no route: its host isn't known, since the headers are what would name it.
    """
    path = flow.request.path.partition("?")[0]
    spoken = dialects.of_call(flow.request.method, paths.read(path, dialects.paths())[1] or "")
    if spoken is None:
        return
    exchange = exchanges.begin(flow, None, language=language)
    exchange.spoken = spoken
    respond(flow, exchange, proxy_errors.HEADERS_AMBIGUOUS().response())


def _where(flow: http.HTTPFlow) -> str:
    """Host and port of the endpoint, and of the proxy that leads there."""
    where = human.format_address((flow.request.host, flow.request.port))
    via = flow.server_conn.via
    return f"{where} (through the proxy {human.format_address(via[1])})" if via else where
