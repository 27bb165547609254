"""The bodies of one exchange as they were, and what the parts of the page say where there is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson

from ..exchange import Response
from ..wire import json_body, proxy_errors
from ..wire.openai_error import ProxyError
from ..workers import LIGHT
from .content import Content, WhyNot
from .sources import Sources

type Answer = Response | ProxyError

PARTS: Final = ("came", "sent", "answer")
"""What is asked for, as fields of `Content`."""
TEXT: Final = {
    "content-type": "text/plain; charset=utf-8",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
"""Headers of an answer that is text, whatever is in it."""


def raw(sources: Sources, values: Mapping[str, Any], language: str) -> Awaitable[Answer]:
    """One body of an exchange (`id`, `part`) as text; with `pretty` JSON is set out for people."""
    part, is_pretty = values["part"], bool(values.get("pretty"))

    def answer(content: Content) -> Answer:
        body: bytes | None = getattr(content, part)
        if body is None:
            return no_body(content.why)
        return Response(200, dict(TEXT), _pretty(body) if is_pretty else body)

    return of_exchange(sources, values["id"], answer)


async def of_exchange(sources: Sources, id: str, answer: Callable[[Content], Answer]) -> Answer:
    """What `answer` makes, in a thread, of what the exchange with this `id` said; else the error that says why not."""
    contents = sources.contents
    if contents is None:
        return proxy_errors.ADMIN_NO_SUCH_PATH()

    def found(_: object) -> Answer | None:
        content = contents.get(id)
        return None if content is None else answer(content)

    answered = await sources.workers.run(found, LIGHT)
    if answered is not None:
        return answered
    why = contents.why_not(id)
    if why == "gone" and sources.exchanges.get(id) is None:
        return proxy_errors.ADMIN_NO_SUCH_EXCHANGE()
    return no_body(why)


def no_body(why: WhyNot) -> ProxyError:
    """The error that says why there is no body."""
    return _ERRORS[why]()


_ERRORS: Final = {
    "off": proxy_errors.ADMIN_CONTENT_OFF,
    "too_large": proxy_errors.ADMIN_CONTENT_TOO_LARGE,
    "unread": proxy_errors.ADMIN_CONTENT_UNREAD,
    "gone": proxy_errors.ADMIN_CONTENT_GONE,
    "": proxy_errors.ADMIN_NO_CONTENT,
}


def _pretty(body: bytes) -> bytes:
    """JSON set out for people; anything else as it is."""
    try:
        value = json_body.parse(body)
        return orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except (json_body.InvalidJson, TypeError, ValueError, RecursionError):
        return body
