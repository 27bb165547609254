"""The bodies of one exchange, as they are kept for the page."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final, Literal

from ..exchange import JsonObject

type WhyNot = Literal["", "off", "too_large", "unread", "gone"]
"""Why there is no body: none is kept (`hunyuan_page_content`); it is too large for `hunyuan_page_bytes`; it has passed
unread; it was kept, and newer ones took its place."""


@dataclass(slots=True, kw_only=True)  # not frozen: that takes four times as long to make
class About:
    """What is known of an exchange beside its bodies. Not to be changed."""

    exchange: JsonObject = field(kw_only=False)
    """The exchange as plain data (`Exchange.to_plain`), without `original`."""
    streamed: bool = False
    """The answer is a stream."""
    url: str = ""
    """Where its client sent it."""
    headers: tuple[tuple[str, str], ...] = ()
    """The request's headers that may be shown: none that may hold a secret."""
    status: int | None = None
    """The answer's; `None`: there is none."""
    answer_type: str = ""
    """The answer's content type."""
    at: float = 0.0
    """When the request began to come, in Unix time."""
    before_key: str = ""
    """What stands before the client's key in the header for it, as `authorization: Bearer `; `""`: there was none, or a
    signature in its place."""
    proxy: str = ""
    """The proxy by which it came, as curl's `--proxy` has it; `""`: it took this proxy for its endpoint."""
    why: WhyNot = ""
    """Why a body is missing that there was."""

    def about(self) -> JsonObject:
        """These fields, by name."""
        return {name: getattr(self, name) for name in _NAMES}


_NAMES: Final = tuple(one.name for one in fields(About))


@dataclass(slots=True)
class Content(About):
    """What one exchange said. Bodies are without content coding; `None`: it was too large to keep, or there is none."""

    came: bytes | None
    """The request's body as its client sent it."""
    sent: bytes | None
    """As it left; the same object as `came` where nothing was changed. `None` where it did not leave."""
    answer: bytes | None
    """The answer's body as its client got it: as much of it as has come by now."""
    under_way: bool = field(default=False, kw_only=True)
    """The exchange is not over: its answer grows."""
