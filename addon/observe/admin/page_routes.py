"""The routes of the page in a browser: its files, and what it asks for. `page` answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ...exchange import JsonObject, Response
from ...wire import proxy_errors
from ...wire.openai_error import ProxyError
from . import schemas
from .guard import Who
from .parameters import Parameter, number, text
from .route import HTML, JSON, PLAIN, Call, Route
from .schemas import ANYTHING, INTEGER, TEXT

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
_SIDES: JsonObject = {"type": "string", "enum": ["came", "sent"]}
_POINTER = text(2000)
_STORY: Sequence[Route] = (
    Route(
        method="GET",
        path="/api/exchanges/{id}/story",
        who=Who.ADMIN,
        summary="One exchange as a story: when what happened, what was changed and why, both sides, the answer.",
        answer=asks("story"),
        parameters=[_ID],
        answers={200: ("The story. `missing` says why there are no bodies.", JSON, schemas.STORY)},
    ),
    Route(
        method="GET",
        path="/api/exchanges/{id}/rows",
        who=Who.ADMIN,
        summary="Messages of a request, as they came and as they were sent, that its story has left out.",
        answer=asks("message_rows"),
        parameters=[
            _ID,
            Parameter("first", "The number of the first row.", number(0, 1e6, "integer", default=0)),
            Parameter("count", "How many at most.", number(1, 100, "integer", default=100)),
        ],
        answers={200: ("The rows.", JSON, schemas.record({"rows": schemas.listing(ANYTHING), "next": INTEGER}))},
    ),
    Route(
        method="GET",
        path="/api/exchanges/{id}/text",
        who=Who.ADMIN,
        summary="A text of an exchange that its story has cut, whole.",
        answer=asks("message_text"),
        parameters=[
            _ID,
            Parameter("of", "Which body.", {"type": "string", "enum": ["came", "sent", "answer"], "default": "came"}),
            Parameter("at", "Its place, as the story says; without it the whole body.", _POINTER),
        ],
        answers={200: ("The text.", JSON, schemas.record({"text": TEXT, "left_out": INTEGER}))},
    ),
    Route(
        method="GET",
        path="/api/exchanges/{id}/image",
        who=Who.ADMIN,
        summary="An image of a request.",
        answer=asks("message_image"),
        parameters=[
            _ID,
            Parameter("of", "Which body.", {**_SIDES, "default": "came"}),
            Parameter("at", "Its place, as the story says.", _POINTER),
        ],
        answers={200: ("The image.", "*/*", {})},
    ),
    Route(
        method="GET",
        path="/api/exchanges/{id}/answer",
        who=Who.ADMIN,
        summary="The answer of an exchange, as far as it has come.",
        answer=asks("answer"),
        parameters=[_ID, Parameter("known", "Bytes that are known already.", number(0, 1e12, "integer"))],
        answers={200: ("The answer.", JSON, schemas.GROWING)},
    ),
)
ASKED_BY_IT: Sequence[Route] = (*_CONTENTS, *_STORY)
