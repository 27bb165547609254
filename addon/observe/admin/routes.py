"""What the admin server has: ONE table, by which requests are answered and the OpenAPI description is made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from urllib.parse import unquote_to_bytes

from ...events import ALL_KINDS
from ...exchange import Response
from ...wire import proxy_errors
from ...wire.openai_error import ProxyError
from . import exchange_pages, links, page_routes, schemas, signing_in
from .guard import Who
from .live import TYPE as EVENT_STREAM
from .parameters import Parameter, number, text
from .route import HTML, JSON, PLAIN, Call, Listening, Route, json_answer
from .schemas import TEXT


def _word(word: str, status: int = 200) -> Response:
    return Response(status, {"content-type": f"{PLAIN}; charset=utf-8"}, f"{word}\n".encode())


def _alive(call: Call) -> Response:
    return _word("ok")


def _ready(call: Call) -> Response:
    why_not = call.rooms.why_not_ready()
    return _word(why_not or "ready", 503 if why_not else 200)


def _status(call: Call) -> Response:
    rooms = call.rooms
    checks = list(rooms.checks(call.language))
    # Read by people too: what is wrong comes first.
    is_ready = {"ready": not rooms.why_not_ready(), "draining": rooms.draining}
    return json_answer({**is_ready, "checks": checks, **rooms.status(call.language)})


def _metrics(call: Call) -> Response:
    content_type, body = call.rooms.metrics(call.request.header("accept"))
    return Response(200, {"content-type": content_type}, body)


def _exchanges(call: Call) -> Response | ProxyError:
    page = exchange_pages.page(call.rooms.exchanges, call.values)
    return proxy_errors.ADMIN_NO_SUCH_EXCHANGE() if page is None else json_answer(page)


def _exchange(call: Call) -> Response | ProxyError:
    kept = call.rooms.exchanges.get(call.values["id"])
    if kept is None:
        return proxy_errors.ADMIN_NO_SUCH_EXCHANGE()
    return json_answer({"exchange": kept.summary(), "events": kept.timeline(), "paid": kept.paid})


def _events(call: Call) -> Listening:
    last = call.request.header("last-event-id") or call.values.get("last", "")
    kinds = [kind for kind in call.values.get("kinds", "").split(",") if kind]
    return Listening(last, kinds, call.values.get("seconds"))


def _description(call: Call) -> Response:
    from .openapi import description  # noqa: PLC0415 - it is made from this table

    return json_answer(description())


_KIND = "|".join(ALL_KINDS)
_KINDS = text(pattern=f"({_KIND})(,({_KIND}))*", examples=[",".join(ALL_KINDS)])
_ID = text(64, pattern=r"[0-9A-Za-z-]+", examples=["5b37e441-0274-4aed-90ed-d3176dc2deac"])
ROUTES: Sequence[Route] = (
    *page_routes.OF_THE_PAGE,
    Route(
        method="GET",
        path="/healthz",
        who=Who.PROBE,
        summary="Whether the process is alive. Never looks at an endpoint.",
        answer=_alive,
        answers={200: ("It is.", PLAIN, TEXT)},
    ),
    Route(
        method="GET",
        path="/readyz",
        who=Who.PROBE,
        summary="Whether it takes requests. A degraded proxy does.",
        answer=_ready,
        answers={
            200: ("It does.", PLAIN, TEXT),
            503: ("It starts, it ends, or a check is unhealthy: one word says which.", PLAIN, TEXT),
        },
    ),
    Route(
        method="GET",
        path="/status",
        who=Who.ADMIN,
        summary="The proxy now: version, upstream, checks, slots, circuit breaker, stores, alerts.",
        answer=_status,
        answers={200: ("The status.", JSON, schemas.STATUS)},
    ),
    Route(
        method="GET",
        path="/metrics",
        who=Who.ADMIN,
        summary="All metrics, for Prometheus; in its text format or in OpenMetrics, as Accept asks.",
        answer=_metrics,
        answers={200: ("The metrics.", PLAIN, TEXT)},
    ),
    Route(
        method="GET",
        path="/api/exchanges",
        who=Who.ADMIN,
        summary="The last exchanges, the newest first. All filters that are given must fit.",
        answer=_exchanges,
        parameters=exchange_pages.PARAMETERS,
        answers={200: ("A page of them, and the id to give as `before` for the next page.", JSON, schemas.EXCHANGES)},
    ),
    Route(
        method="GET",
        path="/api/exchanges/{id}",
        who=Who.ADMIN,
        summary="One exchange, with its events.",
        answer=_exchange,
        parameters=[Parameter("id", "The id of the exchange.", _ID, "path")],
        answers={200: ("The exchange.", JSON, schemas.TIMELINE)},
    ),
    *page_routes.ASKED_BY_IT,
    Route(
        method="GET",
        path="/api/events",
        who=Who.ADMIN,
        summary="Events as they are told, as server-sent events. `gap` says that some are missing, `end` why it ends.",
        answer=_events,
        parameters=[
            Parameter("kinds", "Kinds of events, comma separated; without it all.", _KINDS),
            Parameter("seconds", "For how long; 0: what is there. Without it, for ever.", number(0, 86400)),
            Parameter("last", "As the header `Last-Event-ID`, which wins.", text()),
            Parameter("last-event-id", "The id of the last event that came: those after it follow.", TEXT, "header"),
        ],
        answers={200: ("Events.", EVENT_STREAM, schemas.SENT_EVENT)},
    ),
    Route(
        method="GET",
        path="/openapi.json",
        who=Who.ADMIN,
        summary="This description.",
        answer=_description,
        answers={200: ("The description.", JSON, schemas.ANYTHING)},
    ),
    Route(
        method="GET",
        path=links.PATH,
        who=Who.SIGNING_IN,
        summary="The page that a link to sign in opens.",
        answer=lambda call: signing_in.page(call.values.get(links.PARAMETER, ""), call.language),
        parameters=signing_in.FORM,
        answers={200: ("The page.", HTML, TEXT)},
    ),
    Route(
        method="POST",
        path=links.PATH,
        who=Who.SIGNING_IN,
        summary="Sign in: opens a session for a browser, by the secret of a link, once.",
        answer=lambda call: signing_in.sign_in(call.request, call.guard, call.links),
        form=signing_in.FORM,
        answers={303: ("The session is in the cookie.", "", {})},
    ),
    Route(
        method="POST",
        path="/signout",
        who=Who.ADMIN,
        summary="Sign out: ends the session of the cookie.",
        answer=lambda call: signing_in.sign_out(call.request, call.guard),
        answers={204: ("The session has ended.", "", {})},
    ),
)


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | list[str]:
    """The route and the texts of the parameters in its path; else the methods that the path takes, of which HEAD is one
    where GET is. `path`: as in the request's first line, without the query.
    """
    methods = []
    for route, pattern in _patterns():
        if (match := pattern.fullmatch(path)) is None:
            continue
        if route.method == ("GET" if method == "HEAD" else method):
            return route, {
                name: unquote_to_bytes(value).decode("utf-8", "replace") for name, value in match.groupdict().items()
            }
        methods += ["GET", "HEAD"] if route.method == "GET" else [route.method]
    return methods


@cache
def _patterns() -> list[tuple[Route, re.Pattern[str]]]:
    named = ((route, re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(route.path))) for route in ROUTES)
    return [(route, re.compile(pattern, re.ASCII)) for route, pattern in named]
