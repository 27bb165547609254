"""The routes of the page in a browser: its files, and what it asks for. `page` answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ...exchange import Response
from ...wire import proxy_errors
from ...wire.openai_error import ProxyError
from . import session_schemas
from .guard import Who
from .parameters import Parameter, number, text
from .route import HTML, JSON, PLAIN, Call, Route
from .schemas import TEXT

_SESSION = text(64, pattern=r"[0-9a-f]+", examples=["9f86d081884c7d659a2feaa0c55ad015"])
_FILE = text(80, pattern=r"[A-Za-z0-9._-]+", examples=["page.css", "main.js"])


def _file(call: Call, name: str) -> Response | ProxyError:
    found = call.rooms.page.file(name) if call.rooms.page is not None else None
    return found or proxy_errors.ADMIN_NO_SUCH_PATH()


def asks(what: str) -> Callable[[Call], ProxyError | Awaitable[Response | ProxyError]]:
    """The answer of the page to what is asked for by this name."""

    def answer(call: Call) -> ProxyError | Awaitable[Response | ProxyError]:
        if call.rooms.page is None:
            return proxy_errors.ADMIN_NO_SUCH_PATH()
        return call.rooms.page.ask(what, call.values, call.language)

    return answer


OF_THE_PAGE: Sequence[Route] = (
    Route(
        method="GET",
        path="/",
        who=Who.ADMIN,
        summary="The page in a browser: what goes on, what was changed and why.",
        answer=lambda call: _file(call, "index.html"),
        answers={200: ("The page.", HTML, TEXT)},
    ),
    Route(
        method="GET",
        path="/page/{file}",
        who=Who.ADMIN,
        summary="A file of the page.",
        answer=lambda call: _file(call, call.values["file"]),
        parameters=[Parameter("file", "Its name.", _FILE, "path")],
        answers={200: ("The file.", "*/*", {})},
    ),
)
_ID = Parameter(
    "id",
    "The id of the exchange.",
    text(64, pattern=r"[0-9A-Za-z-]+", examples=["5b37e441-0274-4aed-90ed-d3176dc2deac"]),
    "path",
)
_CONTENTS: Sequence[Route] = (
    Route(
        method="GET",
        path="/api/exchanges/{id}/raw/{part}",
        who=Who.ADMIN,
        summary="A body of an exchange, without content coding: as it came, as it left, its client's answer.",
        answer=asks("raw"),
        parameters=[
            _ID,
            Parameter("part", "Which one.", text(6, enum=["came", "sent", "answer"]), "path"),
            Parameter("pretty", "1: JSON is set out for people.", number(0, 1, "integer")),
        ],
        answers={200: ("The body.", PLAIN, {})},
    ),
)
_SESSIONS: Sequence[Route] = (
    Route(
        method="GET",
        path="/api/exchanges/{id}/cache",
        who=Who.ADMIN,
        summary="Where a prompt differs first from that of the turn before, with both texts if they are kept.",
        answer=asks("cache"),
        parameters=[_ID],
        answers={200: ("What broke the prompt cache, or would have.", JSON, session_schemas.CACHE_BREAK)},
    ),
    Route(
        method="GET",
        path="/api/sessions",
        who=Who.ADMIN,
        summary="The sessions of the last exchanges, the newest first.",
        answer=asks("sessions"),
        answers={200: ("The sessions.", JSON, session_schemas.SESSIONS)},
    ),
    Route(
        method="GET",
        path="/api/sessions/{session}",
        who=Who.ADMIN,
        summary="One session, with its turns in order.",
        answer=asks("session"),
        parameters=[Parameter("session", "Its digest, as exchanges have it.", _SESSION, "path")],
        answers={200: ("The session.", JSON, session_schemas.ONE_SESSION)},
    ),
)
ASKED_BY_IT: Sequence[Route] = (*_CONTENTS, *_SESSIONS)
