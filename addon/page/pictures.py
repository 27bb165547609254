"""The picture of an image record: found again in the request that had it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from ..images import data, in_body
from ..images.data import BadImage
from ..vision.image_records import ImageRecord
from ..wire import json_body
from .sources import Contents

type Where = Literal["kept", "gone", "remote", "unshown", "off"]
"""Where the picture is: in a request that is kept; in none that is; elsewhere, its request names it by a URL alone; it
can't be shown; or requests aren't kept at all."""

_UNSHOWN = ("unreadable", "too_large")
"""Reasons why an image has no description, for which a browser has no picture either."""
_MOST_LOOKED_AT = 4
"""Requests that are looked through for one picture, the newest first."""


def where(record: ImageRecord, contents: Contents | None, kept: Iterable[str]) -> Where:
    """Where the picture is. `kept`: the ids of requests that are kept."""
    if contents is None or not contents.is_on:
        return "off"
    if record.is_remote:
        return "remote"
    if record.outcome in _UNSHOWN:
        return "unshown"
    return "gone" if record.exchanges.keys().isdisjoint(kept) else "kept"


def source(record: ImageRecord, contents: Contents) -> str | None:
    """The image as the newest request that is kept has it: a URL or base64; `None`: none has. In a thread."""
    for id in islice(reversed(record.exchanges), _MOST_LOOKED_AT):
        content = contents.get(id)
        body = json_body.parse_object(content.came) if content is not None and content.came is not None else None
        # The dialect doesn't matter: images look the same in all of them, wherever they stand.
        for image in in_body.find({"messages": [{"content": [body]}]}) if body else ():
            if data.digest(image.source) == record.keys.picture:
                return image.source
    return None


def picture(source: str, most: int) -> tuple[str, bytes] | None:
    """MIME type and bytes of the image `source`; `None` for a URL, and for what is no image or has more bytes."""
    if data.is_remote(source):
        return None
    try:
        url = data.sendable_url(source, most)
    except BadImage:
        return None
    head, _, payload = url.partition(",")
    return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(payload)
