"""The bodies of one exchange, as they are kept for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..exchange import JsonObject


@dataclass(frozen=True, slots=True)
class Content:
    """What one exchange said. Bodies are without content coding; `None`: it was too large to keep, or there is none."""

    exchange: JsonObject
    """The exchange as plain data (`Exchange.to_plain`), without `original`."""
    came: bytes | None
    """The request's body as its client sent it."""
    sent: bytes | None
    """As it left; the same object as `came` where nothing was changed. `None` where it did not leave."""
    answer: bytes | None
    """The answer's body as its client got it: as much of it as has come by now."""
    streamed: bool = False
    """The answer is a stream."""
    under_way: bool = False
    """The exchange is not over: its answer grows."""
    url: str = ""
    """Where its client sent it."""
    headers: tuple[tuple[str, str], ...] = ()
    """The request's headers that may be shown: none that may hold a secret."""


class Contents(Protocol):
    """The contents that are kept."""

    def get(self, id: str) -> Content | None:
        """That of the exchange with this id; `None`: it isn't kept. Unpacks it: to be called in a thread."""
