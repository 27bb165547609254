"""The images of a request as its client sent it, in any format, numbered from 1 on in their order."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Mapping
from typing import Any, Final

from ..exchange import JsonObject, Response
from ..images import data as image_data
from ..images import in_body
from ..wire import json_body, proxy_errors
from .content import Content
from .raw import Answer, no_body, of_exchange
from .sources import Sources

_SHOWN: Final = frozenset(["image/png", "image/jpeg", "image/gif", "image/webp"])
"""What browsers show, and can run nothing of."""
_LARGEST: Final = 64 << 20
"""Bytes of an image."""


def image(sources: Sources, values: Mapping[str, Any], language: str) -> Awaitable[Answer]:
    """One image of an exchange (`id`, `number`), as it is."""

    def answer(content: Content) -> Answer:
        if content.came is None:
            return no_body(content.why)
        found = image_sources(content.came)
        number = values["number"]
        shown = answer_with(found[number - 1]) if number <= len(found) else None
        return shown or proxy_errors.ADMIN_NO_SUCH_IMAGE()

    return of_exchange(sources, values["id"], answer)


def answer_with(source: str) -> Response | None:
    """The answer that is the image `source`; `None` where it can't be shown (`shown_image`)."""
    shown = shown_image(source)
    if shown is None:
        return None
    content_type, data = shown
    headers = {
        "content-type": content_type,
        "content-disposition": "inline",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    }
    return Response(200, headers, data)


def image_sources(came: bytes) -> list[str]:
    """The images of a request's body, as URLs or base64, in the order in which they stand in it."""
    body = json_body.parse_object(came)
    return [] if body is None else [found.source for found in in_body.find(_with_messages(body))]


def shown_image(source: str) -> tuple[str, bytes] | None:
    """The content type, by its first bytes, and the bytes of an image; `None` for a link, and what no browser shows."""
    if image_data.is_remote(source):
        return None
    try:
        header, _, payload = image_data.sendable_url(source, _LARGEST).partition(",")
        content_type = header.removeprefix("data:").partition(";")[0]
        return (content_type, base64.b64decode(payload)) if content_type in _SHOWN else None
    except (image_data.BadImage, binascii.Error):
        return None


def _with_messages(body: JsonObject) -> JsonObject:
    """A body whose images are where those of chat messages are."""
    if isinstance(body.get("messages"), list):
        return body
    items = body.get("input", body.get("Messages"))
    items = items if isinstance(items, list) else [items]
    return {"messages": [{"content": [item]} for item in items]}
