"""The picture of an image record: found again in the request that had it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Literal

from ..images import data
from ..vision.image_records import ImageRecord
from . import sent_images
from .contents import Contents

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
        for found in (
            sent_images.image_sources(content.came) if content is not None and content.came is not None else ()
        ):
            if data.digest(found) == record.keys.picture:
                return found
    return None
