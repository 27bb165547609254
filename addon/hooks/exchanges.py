"""The exchange of each mitmproxy flow that is under way, and its plain copy in the flow's metadata."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from mitmproxy import http

from .. import dialects
from ..dialects.tencent_cloud.client_answer import REQUEST_ID
from ..exchange import KEY, Exchange, JsonObject, printable
from ..route import Route
from ..texts import sentences
from ..views import under_way
from ..wire import accept_language, request_id

_AT_FIRST = ("request_id", "profile", "dialect", "spoken", "base_url", "successors", "method", "path", "mode")
_HOUSE = frozenset(name for name, dialect in dialects.DIALECTS.items() if dialect.is_house)
_under_way: WeakKeyDictionary[http.HTTPFlow, Exchange] = WeakKeyDictionary()


def begin(
    flow: http.HTTPFlow,
    route: Route | None,
    mode: str = "repair",
    language: str | None = None,
    listener: Callable[[Exchange, str, JsonObject], None] | None = None,
) -> Exchange:
    """The exchange of a request whose headers came. `route` is `None` for one that is only watched.

    `language`: that of errors (`hunyuan_language`); `None`: the one that the client accepts. `listener`: what hears the
    exchange's events.
    """
    # A chat client, as most are, has no other format's headers.
    api = dialects.api_of(flow.request.headers) if route and route.spoken not in _HOUSE else None
    exchange = Exchange(
        id=flow.id,
        request_id=request_id.of_client(flow.request.headers, flow.id),
        listener=listener,
        profile=route.profile if route else "",
        dialect=(route.dialect or "") if route and mode != "off" else "",
        spoken=(route.spoken or (api.dialect if api else "")) if route else "",
        base_url=printable(route.base_url) if route else "",
        successors=bool(route and route.successors),
        method=printable(flow.request.method),
        path=printable(flow.request.path.partition("?")[0]),
        mode=mode,
        headers=flow.request.headers,
        error_language=language or accepted_language(flow.request.headers.get("accept-language")),
    )
    if api and (client := api.client(flow.request.headers)):
        exchange.note_of(exchange.spoken)["client"] = client
    if exchange.spoken in dialects.SIGNED:
        exchange.error_language = language or accepted_language(flow.request.headers.get("x-tc-language"))
        exchange.note_of(exchange.spoken)[REQUEST_ID] = exchange.request_id  # its answers have it in their bodies
    if exchange.error_language != sentences.SOURCE and exchange.spoken and exchange.spoken not in _HOUSE:
        exchange.note_of(exchange.spoken)["language"] = exchange.error_language
    if isinstance(before := flow.metadata.get(KEY), dict):  # the flow is replayed
        exchange.comment = str(before.get("comment", ""))
    _under_way[flow] = exchange
    # What differs from the default by now: the rest is read as if it stood there.
    flow.metadata[KEY] = {name: getattr(exchange, name) for name in _AT_FIRST}
    return exchange


def accepted_language(header: str | None) -> str:
    """The language of errors, by `Accept-Language`; English where that names none that there is."""
    return (header and accept_language.preferred(header, _LANGUAGES)) or sentences.SOURCE


_LANGUAGES = (sentences.SOURCE, "zh")
"""Those of errors. The first is for clients that take any."""


def of(flow: http.HTTPFlow) -> Exchange | None:
    """The exchange of `flow`; `None` if it isn't this addon's business, or was read from a file."""
    return _under_way.get(flow)


under_way.look_with(of)


def save(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Put `exchange` where views find it and files keep it."""
    flow.metadata[KEY] = exchange.to_plain()
