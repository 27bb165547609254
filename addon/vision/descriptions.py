"""Descriptions of images, kept in the stores."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .. import texts
from ..stores import Chain, Memory
from ..stores.kept import Kept

_LISTED = 1000
"""Image results of one store that a list for display shows at most."""


@dataclass(frozen=True, slots=True)
class Description:
    """What the vision model wrote about an image."""

    text: str


@dataclass(frozen=True, slots=True)
class ImageFailure:
    """An image that has no description and won't get one. `reason` is a key of `Texts.image_reasons`."""

    reason: str


type ImageResult = Description | ImageFailure
"""The final result for an image. A failure that may pass is not a result."""


class ImageKeys(NamedTuple):
    """Digests by which an image is known."""

    result: bytes
    """Of its result: for what stands beside it, by one model."""
    of_any_question: bytes
    """Of a result for any question, by that model."""
    picture: bytes
    """Of the picture itself (`images.data.digest`)."""


class ImageResultCodec:
    """An image result in a store: JSON, `{"text": …}` or `{"failure": …}`."""

    prefix = "description:"

    def dump(self, value: ImageResult) -> bytes:
        """See `Codec`."""
        fields = {"text": value.text} if isinstance(value, Description) else {"failure": value.reason}
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def load(self, data: bytes) -> ImageResult | None:
        """See `Codec`."""
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError):
            return None
        match fields:
            case {"text": str(text)} if text:
                return Description(text)
            case {"failure": str(reason)} if reason in texts.load("en").image_reasons:
                return ImageFailure(reason)
        return None


class Descriptions:
    """Image results by key, in the stores of `chain`, and as lists for display."""

    def __init__(self, chain: Chain) -> None:
        self._memory = chain.memory
        self.kept: Kept[ImageResult] = Kept(chain, ImageResultCodec())

    def listing(self) -> list[str]:
        """A line for each result in memory, the latest used first: the beginnings of its key and of its text."""
        return [_line(key, result, 60) for key, result in self.kept.listed(_LISTED)]

    async def listing_below(self) -> dict[str, list[str]]:
        """The same for each store below the memory, by its name, without texts because it is for the log."""
        found = await self.kept.listed_below(_LISTED)
        return {store: [_line(key, result, 0) for key, result in results] for store, results in found.items()}

    def clear(self) -> int:
        """Forget everything, in all stores. Returns how many results were in memory."""
        return self.kept.clear()

    def resize(self, entries: int, size: int) -> None:
        """Change the bounds of the memory, keeping what fits, the most recently used first."""
        self._memory.resize(entries, size)


def in_memory(entries: int, size: int, clock: Callable[[], float] = time.monotonic) -> Descriptions:
    """Descriptions that this process alone keeps, until it ends."""
    return Descriptions(Chain(Memory(entries, size, clock)))


def _line(key: str, result: ImageResult | None, shown: int) -> str:
    """A line for a list, with `shown` characters of the text."""
    return f"{key[:12]}  {_summary(result, shown)}"


def _summary(result: ImageResult | None, shown: int) -> str:
    match result:
        case None:
            return "[unreadable]"
        case ImageFailure(reason):
            return f"[{reason}]"
        case Description(text):
            return f"{len(text)} characters" + (f": {text[:shown]!r}" if shown else "")
