"""What a request wants of caches: the header that says it, and what comes of it with an option."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

HEADER: Final = "x-hunyuan-cache"
"""Request header: a `CacheWish`. Response header: `hit`, or `part` where some of it came from the cache."""

type CacheWish = Literal["", "use", "refresh", "off"]
"""`use`: from the cache where it is there, else kept; `refresh`: asked anew, and kept in its place; `off`: neither."""

_WISHES: Final[tuple[CacheWish, ...]] = ("use", "refresh", "off")


class Access(NamedTuple):
    """What may be done with a cache for one request."""

    reads: bool
    keeps: bool


def wish(header: str) -> CacheWish:
    """What the value of a request's `HEADER` asks for; `""` where it can't be read."""
    return next((known for known in _WISHES if known == header.strip().lower()), "")


def access(option: str, wished: str) -> Access:
    """What may be done, by an option that is `use`, `read`, `write` or `off`, and by what a request wishes."""
    match wished:
        case "use":
            return Access(reads=True, keeps=True)
        case "refresh":
            return Access(reads=False, keeps=True)
        case "off":
            return Access(reads=False, keeps=False)
    return Access(reads=option in ("use", "read"), keeps=option in ("use", "write"))
