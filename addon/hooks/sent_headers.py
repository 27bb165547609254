"""What a request becomes for the format that its endpoint speaks: its body, its headers, its path."""

from __future__ import annotations

from mitmproxy import http

from .. import dialects
from ..access import keys
from ..answers.translated import upstream_of
from ..dialects import APIS, DIALECTS
from ..dialects.anthropic import native
from ..dialects.anthropic.native import NativeMessages
from ..exchange import Change, Exchange, JsonObject
from ..options import Settings
from ..route import api_path
from ..steps.native_fields import native_of
from ..steps.rules import context_of


def is_translated(exchange: Exchange) -> bool:
    """Whether the client or the endpoint speaks another format than the house language."""
    return not (DIALECTS[exchange.dialect].is_house and upstream_of(exchange).is_house)


def sent_body(exchange: Exchange, settings: Settings) -> JsonObject:
    """The repaired request, `exchange.chat`, in the format that its endpoint speaks. Raises `BadRequest`."""
    upstream = upstream_of(exchange)
    if upstream.is_house:
        return exchange.chat
    note = exchange.note_of(upstream.name)
    body = upstream.request(exchange.chat, context_of(exchange, settings), note)
    exchange.note([Change(upstream.name, pointer, why) for pointer, why in note.pop("changes", ())])
    return body


def set_headers(request: http.Request, exchange: Exchange, model: str) -> None:
    """Give the request the path, the key and the headers that its endpoint reads in the format that it leaves in.

    `model`: as the body that leaves names it.
    """
    if is_translated(exchange):
        dialect = DIALECTS[exchange.dialect]
        upstream = upstream_of(exchange)
        if keys.send_as_bearer(request.headers, alone=not dialect.is_house):
            exchange.note([Change("key", "", "the endpoint reads keys in Authorization")])
        target = request.path if dialect.is_house else ""  # the query is the other format's own
        request.path = api_path(target, exchange.base_url, upstream.path(dialect.house))
        _drop_own_headers(request, dialect.name)
        for name, value in upstream.headers(dialect.house).items():
            request.headers[name] = value
    if exchange.dialect == NativeMessages.name:
        _leave_accepted_betas(request, exchange, model)
    if exchange.streamed:
        # A stream that comes compressed would have to be unpacked to be repaired.
        request.headers["accept-encoding"] = "identity"


def _leave_accepted_betas(request: http.Request, exchange: Exchange, model: str) -> None:
    """Take out of header and query what names betas that the endpoint doesn't know: it may refuse them."""
    accepted = native_of(exchange, model)
    given = ",".join(request.headers.get_all(native.BETA_HEADER))
    path, _, query = request.path.partition("?")
    betas, fields = native.accepted_betas(given, accepted), native.without_beta(query)
    if betas != given or fields != query:
        exchange.note([Change(NativeMessages.name, "", "betas that the endpoint doesn't know are dropped")])
    if betas != given:
        request.headers.set_all(native.BETA_HEADER, [betas] if betas else [])
    if fields != query:
        request.path = f"{path}?{fields}" if fields else path


def _drop_own_headers(request: http.Request, dialect: str) -> None:
    """Remove the headers that only endpoints of the format `dialect` read: another may refuse what they name."""
    api = APIS.get(dialects.of_format(dialect))
    for name in [name for name in request.headers if api and name.lower().startswith(api.own_headers)]:
        del request.headers[name]
