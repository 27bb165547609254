"""Answers that the proxy makes itself, and the headers that name the changes, on every answer of a known host."""

from __future__ import annotations

from dataclasses import replace

from mitmproxy import http

from ..access import cors
from ..answers.json_repair import settings as json_settings
from ..dialects import DIALECTS, SIGNED
from ..exchange import Exchange, Response
from ..wire import noted_errors, proxy_errors, request_id, rule_names
from ..wire.openai_error import ErrorResponse

HEADER = "x-hunyuan-fix"
"""Response header: the names of the rules applied."""
OBSERVED_HEADER = "x-hunyuan-fix-observed"
"""Response header under `hunyuan_mode=observe`: the names of the rules that would have been applied."""
WARNING_HEADER = "x-hunyuan-fix-warning"
FALLBACK_HEADER = "x-hunyuan-fallback"
"""Response header: the model and the provider that answered in the place of the request's own; or that none did."""


def respond(flow: http.HTTPFlow, exchange: Exchange, response: Response) -> None:
    """Answer `flow` with `response`, an error or an answer in the client's format; nothing is sent on.

    An error is in OpenAI's shape, and is put into the client's language and shape here.
    """
    if response.status >= 400:
        response = in_clients_words(exchange, response)
    flow.response = http.Response.make(response.status, response.body, dict(response.headers))
    if response.status >= 400:  # any page may read an error; what has content is for allowed ones (`Answers`)
        cors.add(flow.response.headers, cors.for_answer(flow.request.headers))
    exchange.answered = True
    name_request(flow.response, exchange)
    mark(flow.response, exchange)


def refuse_upgrade(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Answer `flow`, which asks for a WebSocket, that there is none: 426, whatever else its client makes of statuses.

    Codex goes on over HTTP then, at once (docs/facts/responses.md#websockets-and-the-list-of-models).
    """
    error = proxy_errors.WEBSOCKET_NOT_SPOKEN().in_language(exchange.error_language)
    refusal = error.response()
    noted_errors.own(exchange, error)
    # RFC 9110 section 15.5.22: it must say what is spoken.
    flow.response = http.Response.make(refusal.status, refusal.body, {**refusal.headers, "upgrade": "HTTP/1.1"})
    exchange.answered = True
    name_request(flow.response, exchange)
    mark(flow.response, exchange)


def in_clients_words(exchange: Exchange, response: Response) -> Response:
    """An error in OpenAI's shape, in the language and the format of the exchange's client; its reason is noted."""
    if isinstance(response, ErrorResponse):
        noted_errors.own(exchange, response.error)
        response = response.in_language(exchange.error_language)
        named = {request_id.HEADER: exchange.upstream_id or exchange.request_id, **response.headers}
        response = replace(response, headers=named)
    dialect = DIALECTS.get(exchange.spoken or exchange.dialect)
    if dialect is None or dialect.is_house:
        return response
    told = dialect.error(response, exchange.note_of(dialect.name))
    if dialect.name in SIGNED:
        exchange.error_status = response.status  # `told` has 200, whatever happened
    elif told.status < 400:
        noted_errors.none(exchange)  # an answer that makes the client shorten its history (`responses.full_window`)
    return told


def answer_preflight(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Answer `flow`, a browser's preflight, in the endpoint's place: what the page asks for may be sent."""
    flow.response = http.Response.make(204, b"", cors.for_preflight(flow.request.headers))
    del flow.response.headers["content-length"]  # RFC 9110 section 8.6
    exchange.answered = True
    name_request(flow.response, exchange)
    exchange.note_name(rule_names.CORS)
    mark(flow.response, exchange)


def restate(response: http.Response, other: Response) -> None:
    """Turn the endpoint's `response` into `other`."""
    response.headers.pop("content-encoding", None)
    named = response.headers.get(request_id.HEADER)
    response.headers.update(other.headers)
    if named is not None:
        response.headers[request_id.HEADER] = named  # its vendor's support asks for it
    response.status_code = other.status
    response.reason = http.Response.make(other.status).reason if response.is_http11 else ""
    response.content = other.body


def name_request(response: http.Response, exchange: Exchange, *, own: bool = True) -> None:
    """Say in the headers of `response` which exchange it is of, and note the endpoint's own id of it.

    `own`: the answer was made here. Only such a one has the exchange's id where its client's libraries look for an id:
    there the endpoint's stands, for which its vendor's support asks. Under `hunyuan_mode=off` others stay as they are.
    """
    headers, shown = response.headers, request_id.shown_in(exchange.spoken)
    if exchange.dialect in SIGNED:  # the same as in the body, whatever the endpoint's is
        exchange.upstream_id = exchange.upstream_id if own else request_id.of_endpoint(headers.fields)
        headers[shown] = exchange.request_id
    elif own:
        headers.setdefault(shown, exchange.request_id)
    else:
        exchange.upstream_id = request_id.of_endpoint(headers.fields)
        if exchange.mode == "repair" and exchange.upstream_id and shown not in headers:
            headers[shown] = exchange.upstream_id
    if own or exchange.mode != "off":
        headers[request_id.OURS] = exchange.request_id


def mark(response: http.Response, exchange: Exchange) -> None:
    """Say in the headers of `response` what was changed, and what is left of the client's limits."""
    if exchange.limits:
        response.headers.update(exchange.limits)
    if exchange.answer_headers:
        response.headers.update(exchange.answer_headers)
    if exchange.rules:
        header = OBSERVED_HEADER if exchange.mode == "observe" else HEADER
        response.headers[header] = ",".join(exchange.rules)
    if exchange.json_said or exchange.json is not None:
        _say_json(response, exchange)
    if exchange.fallback:
        response.headers[FALLBACK_HEADER] = exchange.fallback
    if exchange.warning:
        response.headers[WARNING_HEADER] = exchange.warning


def _say_json(response: http.Response, exchange: Exchange) -> None:
    """Say what came of an answer that was to be JSON. A stream's headers leave before that is known."""
    said = exchange.json_said or ("held" if exchange.streamed and response.status_code < 300 else "")
    if said:
        response.headers[json_settings.HEADER] = said
