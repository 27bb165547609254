"""What an exchange said, taken from its flow for the page in a browser (`page.contents`): as its client sent it, as it
left, as its client got the answer. Keys never: only headers that are known to be harmless are taken.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from weakref import WeakValueDictionary

from mitmproxy import http
from mitmproxy.proxy import mode_specs

from ..access import keys
from ..access.client_tokens import CARRIERS
from ..answers.streamed import EVENT_STREAM
from ..exchange import KEY, Exchange, JsonObject, printable
from ..page.content import WhyNot
from ..page.contents import Contents
from ..page.packing import Coded, Raw
from ..texts.terminal import say
from ..wire import safe_text
from . import exchanges, redaction
from .mitmproxy_internals import sent_host
from .mitmproxy_internals.flows import Fields

logger = logging.getLogger("hunyuan_fix")

_SHOWN: Final = frozenset(
    b"accept accept-encoding accept-language anthropic-beta anthropic-dangerous-direct-browser-access "
    b"anthropic-version content-encoding content-language content-type http-referer openai-beta "
    b"originator traceparent user-agent version x-app x-client-request-id x-hunyuan-cache x-hunyuan-continue "
    b"x-hunyuan-fallback x-hunyuan-json x-hunyuan-mode x-hunyuan-run x-hunyuan-runaway x-hunyuan-tag x-request-id "
    b"x-stainless-arch x-stainless-async x-stainless-helper-method x-stainless-lang x-stainless-os "
    b"x-stainless-package-version x-stainless-retry-count x-stainless-runtime x-stainless-runtime-version "
    b"x-stainless-timeout x-tc-action x-tc-language x-tc-region x-tc-requestclient x-tc-timestamp x-tc-version "
    b"x-title".split()
)
"""Request headers that hold no secret. All others are left out."""
_LONGEST: Final = 500
"""Characters of a header's value, and of a URL."""


@dataclass(slots=True)
class Begun:
    """What is taken of a request as it comes, before anything is changed."""

    fields: Fields
    """Its headers, keys and all: looked at when the exchange is over."""
    url: str
    proxy: str
    body: Coded | None = None
    """The body that came, of a request that was rewritten."""
    held: int = 0
    """Bytes of `body` that nothing else holds."""


class ContentKeeping:
    """Gives what exchanges say to `contents`, where anything is kept."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._under_way: WeakValueDictionary[str, http.HTTPFlow] = WeakValueDictionary()
        contents.live = self._live

    def begins(self, flow: http.HTTPFlow) -> Begun | None:
        """What is to be noted of a request whose headers came, as `Exchange.page`; `None` where nothing is kept."""
        if not self._contents.is_on:
            return None
        return Begun(flow.request.headers.fields, _url(flow), _proxy(flow))

    def goes_on(self, flow: http.HTTPFlow, exchange: Exchange, begun: Begun) -> None:
        """The request has an exchange."""
        exchange.page = begun
        self._under_way[exchange.id] = flow

    def over(self, flow: http.HTTPFlow, exchange: Exchange, *, is_kept: bool) -> None:
        """The exchange is over; nothing is redacted yet. Raises nothing."""
        begun: Begun | None = exchange.page
        if begun is None:
            return
        try:
            self._under_way.pop(exchange.id, None)
            if begun.held:
                self._contents.release(begun.held)
                begun.held = 0
            if is_kept and self._contents.is_on:
                self._contents.keep(_raw(flow, exchange, begun, flow.metadata[KEY]))
        except Exception as error:
            said = say("What an exchange said can't be kept:")
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
        exchange.page = None

    def _live(self, id: str) -> Raw | None:
        """See `Contents.live`. In a thread: the event loop may change things meanwhile."""
        flow = self._under_way.get(id)
        exchange = None if flow is None else exchanges.of(flow)
        begun: Begun | None = None if exchange is None else exchange.page
        if flow is None or exchange is None or begun is None:
            return None
        for _ in range(_TRIES):
            try:
                return _raw(flow, exchange, begun, exchange.to_plain())
            except RuntimeError:  # a dictionary has grown while it was read
                continue
        return None


_TRIES: Final = 5


def came(exchange: Exchange, body: bytes, contents: Contents, kept: int, coding: str = "") -> None:
    """Note the body with which a rewritten request came. `kept`: up to this size it is held anyway."""
    begun: Begun | None = exchange.page
    if begun is None or begun.body is not None:  # made anew for a fallback
        return
    size = len(body)
    if size <= kept:
        begun.body = Coded(body, coding)
    elif contents.hold(size):
        begun.body, begun.held = Coded(body, coding), size


def _raw(flow: http.HTTPFlow, exchange: Exchange, begun: Begun, plain: JsonObject) -> Raw:
    request, response = flow.request, flow.response
    plain = {**plain}
    del plain["original"]
    fields = begun.fields
    shown = tuple(field for field in fields if field[0].lower() in _SHOWN)
    data = request.raw_content
    left = None if data is None else Coded(data, _header(request.headers.fields, b"content-encoding"))
    client = begun.body if exchange.rewritten else left
    why: WhyNot = "" if client is not None else "too_large" if exchange.rewritten else "unread"
    answer, answer_type = None, ""
    if response is not None:
        stream = response.stream
        content = response.raw_content
        if content is None:
            kept = getattr(stream, "kept", None)  # `stream` may be a bool, or another addon's callable
            content = kept if isinstance(kept, bytes) else None
        answer_type = _header(response.headers.fields, b"content-type")
        if content is not None:
            is_cut = exchange.stream_cut or bool(stream)
            answer = Coded(content, _header(response.headers.fields, b"content-encoding"), is_cut)
        elif stream:
            why = why or "unread"
    return Raw(
        id=exchange.id,
        exchange=plain,
        came=client,
        sent=left if exchange.sent_to else None,
        answer=answer,
        streamed=answer_type.lower().startswith(EVENT_STREAM),
        url=begun.url,
        headers=_printed(shown),
        status=None if response is None else response.status_code,
        answer_type=answer_type[:_LONGEST],
        at=request.timestamp_start,
        before_key=_before_key(fields),
        proxy=begun.proxy,
        why=why,
        session=exchange.session,
        secrets=[*_secrets(fields, request.headers.fields), *exchange.secrets],
    )


@lru_cache(256)
def _printed(shown: Fields) -> tuple[tuple[str, str], ...]:
    """Headers as they are shown. Most requests of a client have the same."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")[:_LONGEST]) for name, value in redaction.redacted(shown)
    )


def _header(fields: Fields, wanted: bytes) -> str:
    """The first value of a header; `""`: there is none. A tenth of the time of `Headers.get`."""
    return next((value.decode("latin-1") for name, value in fields if name.lower() == wanted), "")


def _before_key(fields: Fields) -> str:
    """See `Content.before_key`."""
    by_name = {name.lower().decode("latin-1"): value for name, value in fields}
    for name in CARRIERS:
        if (value := by_name.get(name)) is None:
            continue
        is_bearer = value[:7].lower() == b"bearer "
        if name != "authorization" or is_bearer:
            return f"{name}: {'Bearer ' if is_bearer else ''}"
    return ""


def _secrets(*given: Fields) -> list[bytes]:
    """The keys in header fields, without what stands in the place of one."""
    found = {secret for fields in {*given} for secret in redaction.keys_in(fields)}
    return sorted(found - _NO_KEYS, key=len, reverse=True)


_NO_KEYS: Final = frozenset([keys.PLACEHOLDER.encode()])


def _url(flow: http.HTTPFlow) -> str:
    """The address that the client asks for, without secrets in its query."""
    request = flow.request
    if isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode):
        scheme = "https" if flow.client_conn.tls_established else "http"
        sent = sent_host.of(request)
        host, port = flow.client_conn.sockname[:2]
        url = f"{scheme}://{sent[0] if sent else _address(host, port)}{request.path}"
    else:
        url = request.pretty_url
    return printable(redaction.path(url)[:_LONGEST])


def _proxy(flow: http.HTTPFlow) -> str:
    """How curl reaches this proxy as the client did."""
    mode = flow.client_conn.proxy_mode
    scheme = {mode_specs.RegularMode: "http", mode_specs.Socks5Mode: "socks5h"}.get(type(mode))
    return f"{scheme}://{_address(*flow.client_conn.sockname[:2])}" if scheme else ""


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
