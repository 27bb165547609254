"""A route of the admin server: what `routes.ROUTES` consists of."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...exchange import JsonObject, Response
from ...wire import json_body
from ...wire.openai_error import ProxyError
from .guard import Guard, Who
from .links import Links
from .parameters import Parameter
from .request import Request
from .rooms import Rooms

JSON = "application/json"
PLAIN = "text/plain"
HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Listening:
    """The answer of a path whose answer goes on: events, from that after `last` on."""

    last: str
    kinds: Sequence[str]
    seconds: float | None


@dataclass(slots=True)
class Call:
    """A request that is heard, with the values of its parameters by name."""

    request: Request
    values: Mapping[str, Any]
    rooms: Rooms
    guard: Guard
    links: Links
    language: str


type Answer = Response | ProxyError | Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path and a method. `answer` raises `Unusable`, and is awaited where the event loop may not wait for it.

    `answers`: status -> what it means, content type, schema.
    """

    method: str
    path: str
    who: Who
    summary: str
    answer: Callable[[Call], Answer | Awaitable[Response | ProxyError]]
    parameters: Sequence[Parameter] = ()
    answers: Mapping[int, tuple[str, str, JsonObject]] = field(default_factory=dict)
    form: Sequence[Parameter] = ()
    """The fields of a form in the body, all of which are required; none: there is no body."""

    @property
    def name(self) -> str:
        """For the description: unique, made of method and path."""
        return "_".join([self.method.lower(), *re.findall(r"[a-z]+", self.path)])


def json_answer(value: object, status: int = 200) -> Response:
    """An answer that is JSON."""
    return Response(status, {"content-type": JSON}, json_body.serialise(value))
