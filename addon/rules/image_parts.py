"""Image parts: an image in another dialect's part or in a text becomes an `image_url` part, or a note.

The rule is for images that the cascade did not describe. A model that sees gets them as `image_url` parts. For any
other model a note stands in their place: base64 read as text costs hundreds of thousands of tokens and says nothing
(JohnnyZ93/oai-compatible-copilot#175).
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from ..exchange import Changes, JsonObject
from ..images import in_body
from ..images.data import BadImage, sendable_url
from ..images.in_body import Image, Place
from . import content
from .base import Rule, RuleContext
from .survey import Survey

_IMAGE_URL = re.compile(r"https?://|data:image/[\w.+-]+;base64,[A-Za-z0-9+/=]", re.IGNORECASE)
_MAX_BYTES = 1 << 30
"""Here no size is too large: the endpoint says its limit itself."""
_ODD = frozenset("-_%\\ \n\r\t")
"""Characters of data that isn't in standard base64."""


def image_parts(body: JsonObject, context: RuleContext) -> Changes:
    """Images in whatever shape become `image_url` parts, or notes where the model can't see."""
    changes = Changes()
    spread: dict[int, list[list[Any]]] = {}
    for place, group in groupby(in_body.find(body), key=lambda image: image.place):
        found = list(group)
        whole = body["messages"][place.message]["content"]
        given = whole[place.part] if place.part is not None else whole
        if _is_proper(given):
            continue
        if place.message not in spread:
            spread[place.message] = [[part] for part in (whole if isinstance(whole, list) else [whole])]
        spread[place.message][place.part or 0] = _shaped(place, found, given, context)
        below = "/content" if place.part is None else f"/content/{place.part}"
        changes.note("image-parts", place.message, "an image in another shape becomes an image part or note", below)
    for index, parts in spread.items():
        flat = [part for several in parts for part in several]
        body["messages"][index]["content"] = flat[0] if len(flat) == 1 and isinstance(flat[0], str) else flat
    return changes


def _needed(_: Survey, context: RuleContext) -> bool:
    return context.may_hold_images


RULE = Rule(
    name="image-parts",
    repairs=(
        "Where no cascade ran, an image in another dialect's part or inside a text becomes an `image_url` "
        "part, or a note where the model can't see."
    ),
    why=(
        "The endpoint takes images as `image_url` parts; base64 read as text costs hundreds of thousands of "
        "tokens (JohnnyZ93/oai-compatible-copilot#175)."
    ),
    apply=image_parts,
    after=(
        "roles",
        "fields",
    ),
    needed=_needed,
)


def _is_proper(part: object) -> bool:
    """Whether `part` is an `image_url` part as the endpoint takes it, as far as its URL's beginning and letters say."""
    image = part.get("image_url") if isinstance(part, dict) else None
    url = image.get("url") if isinstance(image, dict) else image
    return isinstance(url, str) and bool(_IMAGE_URL.match(url)) and not _is_odd(url)


def _is_odd(url: str) -> bool:
    start = url.find(",", 0, 200) + 1
    return url[:5].lower() == "data:" and any(url.find(letter, start) >= 0 for letter in _ODD)


def _shaped(place: Place, found: list[Image], given: object, context: RuleContext) -> list[Any]:
    """The parts that stand for one with images: its text with a note for each, and the images after it."""
    urls = [_url(image.source) for image in found] if context.model.images else [None] * len(found)
    unsent = context.texts.unsupported_part.format(type="image", detail="")
    notes = iter([unsent if url is None else context.texts.image_after for url in urls])
    image = given.get("image_url") if isinstance(given, dict) else None
    beside = image if isinstance(image, dict) else {}  # `detail` and the like
    parts = [{"type": "image_url", "image_url": {**beside, "url": url}} for url in urls if url is not None]
    if place.is_picture and parts:
        return [*parts, *([content.text_part(place.words)] if place.words else [])]
    return [place.filled(lambda _: next(notes)), *parts]


def _url(source: str) -> str | None:
    """What an `image_url` part may hold; `None` where the image can't be read."""
    try:
        return sendable_url(source, _MAX_BYTES)
    except BadImage:
        return None
