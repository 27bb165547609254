"""From a request to its answer: is it heard, what does it ask for. Knows no connection."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping

from ...exchange import Response
from ...texts import terminal
from ...texts.terminal import say
from ...wire import proxy_errors, safe_text
from ...wire.openai_error import ErrorResponse, ProxyError
from . import page_routes, routes, signing_in
from .guard import Guard, Who
from .links import Links
from .parameters import Unusable, read_query
from .request import Request
from .rooms import Rooms
from .route import Answer, Call, Listening

logger = logging.getLogger("hunyuan_fix")

_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Of every answer that doesn't say otherwise."""


async def answered(request: Request, rooms: Rooms, guard: Guard, links: Links) -> Response | Listening:
    """The answer to `request`; `Listening` where it goes on. Raises nothing."""
    try:
        answer = _answer(request, rooms, guard, links)
        if isinstance(answer, Awaitable):
            answer = await answer
    except Unusable as error:
        answer = error.error
    except Exception as error:
        said = say("The admin server failed at {path}:", path=safe_text.plain(request.path))
        logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
        answer = proxy_errors.ADMIN_FAILED()
    if isinstance(answer, Listening):
        return answer
    if isinstance(answer, ProxyError):
        answer = answer.response()
    return finished(request, answer)


def finished(request: Request, answer: Response) -> Response:
    """`answer` in the reader's language, with the headers that every answer has."""
    more = {}
    if isinstance(answer, ErrorResponse):
        answer = answer.in_language(request.language(terminal.language()))
        if answer.status == 401:
            more["www-authenticate"] = 'Bearer realm="hunyuan-fix"'
    return Response(answer.status, {**_HEADERS, **more, **answer.headers}, answer.body)


def _answer(request: Request, rooms: Rooms, guard: Guard, links: Links) -> Answer | Awaitable[Response | ProxyError]:
    found = routes.find(request.method, request.path)
    # A path or a method that isn't there is told only to those that may look.
    who = found[0].who if isinstance(found, tuple) else Who.ADMIN
    if refused := guard.refusal(request, who):
        is_browser = request.method == "GET" and "text/html" in request.header("accept")
        if refused.status == 401 and request.path == page_routes.PATH and is_browser:
            return signing_in.needed(request.language(terminal.language()))
        return refused
    if not isinstance(found, tuple):
        if not found:
            return proxy_errors.ADMIN_NO_SUCH_PATH()
        methods = ", ".join(found)
        refusal = proxy_errors.ADMIN_METHOD_NOT_ALLOWED(methods=methods).response()
        refusal.headers["allow"] = methods
        return refusal
    route, in_path = found
    values = read_query(request.query, route.parameters)
    for one in route.parameters:
        if one.where == "path":
            values[one.name] = one.read(in_path[one.name])
        elif one.where == "header" and (given := request.header(one.name)):
            values[one.name] = one.read(given)
    return route.answer(Call(request, values, rooms, guard, links, request.language(terminal.language())))
