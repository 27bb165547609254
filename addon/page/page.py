"""What the page asks a proxy for: one function for each thing, by the names in `observe.admin.page_routes`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..exchange import Response
from ..texts.terminal import say
from ..wire import proxy_errors, safe_text
from ..wire.openai_error import ProxyError
from . import (
    cache_break,
    curl,
    export,
    files,
    images,
    mode,
    raw,
    sent_images,
    sessions,
    settings_shown,
    story,
    story_rest,
)
from .overview import overview
from .sources import Sources

logger = logging.getLogger("hunyuan_fix")

type Answer = Response | ProxyError
type Asked = Callable[[Sources, Mapping[str, Any], str], Answer | Awaitable[Answer]]
"""The process, parameters, the reader's language -> the answer. On the event loop: what takes long goes to a thread."""

ASKED: Mapping[str, Asked] = {
    "answer": story_rest.growing,
    "curl": curl.curl,
    "export": export.export,
    "sent_image": sent_images.image,
    "message_image": story_rest.image,
    "raw": raw.raw,
    "message_rows": story_rest.rows,
    "story": story.answer,
    "cache": cache_break.explained,
    "session": sessions.one,
    "sessions": sessions.listed,
    "overview": overview,
    "images": images.listing,
    "known_image": images.one,
    "known_picture": images.picture,
    "delete_image": images.delete,
    "drop_image": images.drop,
    "describe_image": images.describe_again,
    "settings": settings_shown.answer,
    "mode": mode.switch,
    "mode_now": mode.answer,
    "message_text": story_rest.text,
}
"""What is asked for -> what answers it."""


class Page:
    """The page of one process."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def file(self, name: str) -> Response | None:
        """See `PageRoom`."""
        return files.file(name)

    async def ask(self, what: str, values: Mapping[str, Any], language: str) -> Answer:
        """See `PageRoom`."""
        try:
            answer = ASKED[what](self.sources, values, language)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            said = say("The page's {what} failed:", what=what)
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
            return proxy_errors.ADMIN_FAILED()
