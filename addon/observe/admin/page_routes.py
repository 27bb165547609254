"""The routes of the page in a browser: its files, and what it asks for. `page` answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ...config.hook_options import MODES
from ...exchange import JsonObject, Response
from ...wire import proxy_errors
from ...wire.openai_error import ProxyError
from . import schemas, session_schemas
from .guard import Who
from .parameters import Parameter, number, read_form, text
from .route import HTML, JSON, PLAIN, Call, Route
from .schemas import ANYTHING, INTEGER, TEXT

_SESSION = text(64, pattern=r"[0-9a-f]+", examples=["9f86d081884c7d659a2feaa0c55ad015"])
PATH = "/"
"""Of the page itself."""
_FILE = text(80, pattern=r"[A-Za-z0-9._-]+", examples=["page.css", "main.js"])


def _file(call: Call, name: str) -> Response | ProxyError:
    found = call.rooms.page.file(name) if call.rooms.page is not None else None
    return found or proxy_errors.ADMIN_NO_SUCH_PATH()


PEER = "peer"
"""The value with the address that a change is asked from."""


def asks(what: str, form: Sequence[Parameter] = ()) -> Callable[[Call], ProxyError | Awaitable[Response | ProxyError]]:
    """The answer of the page to what is asked for by this name. `form`: the fields of the form that must come with it.

    It raises `Unusable`. With a form, the page is also told who asks (`PEER`).
    """

    def answer(call: Call) -> ProxyError | Awaitable[Response | ProxyError]:
        if call.rooms.page is None:
            return proxy_errors.ADMIN_NO_SUCH_PATH()
        request, values = call.request, call.values
        if form:
            given = read_form(request.header("content-type"), request.body, form)
            values = {**values, **given, PEER: request.peer}
        return call.rooms.page.ask(what, values, call.language)

    return answer


OF_THE_PAGE: Sequence[Route] = (
    Route(
        method="GET",
        path=PATH,
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
_DIGEST = text(64, pattern=r"[0-9a-f]{64}", examples=["0" * 64])
_KEY = Parameter("key", "The key of the image.", _DIGEST, "path")
_ANY = [Parameter("any", "The key of its description for any question, as the list says it.", _DIGEST)]
_MODE = [Parameter("mode", "What is done to bodies from now on.", text(20, enum=list(MODES)))]
_LIMIT = Parameter("limit", "How many at most; without it 60.", number(1, 500, "integer"))
_IMAGES: Sequence[Route] = (
    Route(
        method="GET",
        path="/api/images",
        who=Who.ADMIN,
        summary="The images that requests had lately: descriptions, costs, failures. That seen last is the first.",
        answer=asks("images"),
        parameters=[_LIMIT],
        answers={200: ("The images.", JSON, schemas.IMAGES)},
    ),
    Route(
        method="GET",
        path="/api/images/{key}",
        who=Who.ADMIN,
        summary="One image, with its whole description and what was asked.",
        answer=asks("known_image"),
        parameters=[_KEY],
        answers={200: ("The image.", JSON, schemas.IMAGE)},
    ),
    Route(
        method="GET",
        path="/api/images/{key}/picture",
        who=Who.ADMIN,
        summary="The picture, from the last request that had it and is kept.",
        answer=asks("known_picture"),
        parameters=[_KEY],
        answers={200: ("The picture.", "image/*", {})},
    ),
    Route(
        method="POST",
        path="/api/images/{key}/delete",
        who=Who.ADMIN,
        summary="Forget the description of an image, in all stores.",
        answer=asks("delete_image", _ANY),
        parameters=[_KEY],
        form=_ANY,
        answers={200: ("It is forgotten.", JSON, schemas.DELETED_IMAGE)},
    ),
    Route(
        method="POST",
        path="/api/images/{key}/describe",
        who=Who.ADMIN,
        summary="Forget the description of an image, and have it described again with the proxy's own key.",
        answer=asks("describe_image", _ANY),
        parameters=[_KEY],
        form=_ANY,
        answers={200: ("What came of it.", JSON, schemas.DESCRIBED_IMAGE)},
    ),
)
_SETTINGS: Sequence[Route] = (
    Route(
        method="GET",
        path="/api/settings",
        who=Who.ADMIN,
        summary="All options: their values, where these come from, and what they mean. No secrets.",
        answer=asks("settings"),
        answers={200: ("The settings.", JSON, schemas.SETTINGS)},
    ),
    Route(
        method="POST",
        path="/api/mode",
        who=Who.ADMIN,
        summary="Switch hunyuan_mode, until the proxy ends or a file of options changes.",
        answer=asks("mode", _MODE),
        form=_MODE,
        answers={200: ("The mode now, and what the sources give.", JSON, schemas.MODE)},
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
    Route(
        method="GET",
        path="/api/exchanges/{id}/curl",
        who=Who.ADMIN,
        summary="A command for bash that sends the client's request once more; its key is to be in API_KEY.",
        answer=asks("curl"),
        parameters=[_ID],
        answers={200: ("The command.", PLAIN, {})},
    ),
    Route(
        method="GET",
        path="/api/exchanges/{id}/images/{number}",
        who=Who.ADMIN,
        summary="An image of the client's request: PNG, JPEG, GIF or WebP.",
        answer=asks("sent_image"),
        parameters=[_ID, Parameter("number", "Which one, from 1 on.", number(1, 100_000, "integer"), "path")],
        answers={200: ("The image.", "image/*", {})},
    ),
    Route(
        method="GET",
        path="/api/sessions/{session}/export/{format}",
        who=Who.ADMIN,
        summary="A session as a file, JSON lines or HAR: all its exchanges that are kept, without keys.",
        answer=asks("export"),
        parameters=[
            Parameter("session", "The id of the session.", text(200), "path"),
            Parameter("format", "Of the file.", text(5, enum=["jsonl", "har"]), "path"),
        ],
        answers={200: ("The file.", "*/*", {})},
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
_OVERVIEW: Sequence[Route] = (
    Route(
        method="GET",
        path="/api/overview",
        who=Who.ADMIN,
        summary="The last three hours minute by minute, and the exchanges under way with what each waits for.",
        answer=asks("overview"),
        answers={200: ("The sums, and those under way.", JSON, schemas.OVERVIEW)},
    ),
)
ASKED_BY_IT: Sequence[Route] = (*_CONTENTS, *_STORY, *_SESSIONS, *_OVERVIEW, *_IMAGES, *_SETTINGS)
