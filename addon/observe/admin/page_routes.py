"""The routes of the page in a browser: its files, and what it asks for. `page` answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ...exchange import Response
from ...wire import proxy_errors
from ...wire.openai_error import ProxyError
from . import schemas
from .guard import Who
from .parameters import Parameter, text
from .route import HTML, JSON, Call, Route
from .schemas import TEXT

PATH = "/"
"""Of the page itself."""
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
ASKED_BY_IT: Sequence[Route] = (
    Route(
        method="GET",
        path="/api/overview",
        who=Who.ADMIN,
        summary="The last three hours minute by minute, and the exchanges under way with what each waits for.",
        answer=asks("overview"),
        answers={200: ("The sums, and those under way.", JSON, schemas.OVERVIEW)},
    ),
)
