"""A request as this room needs it. mitmproxy's `http.Request` and `http.Headers` are such."""

from __future__ import annotations

from typing import Protocol


class Headers(Protocol):
    """Header fields in their order; names in any case."""

    fields: tuple[tuple[bytes, bytes], ...]
    """Names and values as they are on the wire."""

    def get(self, key: str, default: str, /) -> str:
        """The values of `key`, joined by commas."""

    def get_all(self, name: str, /) -> list[str]:
        """The values of each field `name`."""

    def set_all(self, name: str, values: list[str], /) -> None:
        """Replace all fields `name` by one for each value."""

    def __delitem__(self, key: str, /) -> None:
        """Remove all fields `key`. Raises `KeyError` if there is none."""

    def pop(self, key: str, default: None, /) -> object:
        """Remove all fields `key`, if there are any."""


class Spelling(Protocol):
    """A request's first line as bytes."""

    method: bytes
    path: bytes
    authority: bytes


class Request(Protocol):
    """A request, whose body may not have been read yet."""

    content: bytes | None
    """The body. Setting it encodes it by the header `content-encoding`."""

    @property
    def data(self) -> Spelling:
        """The first line as bytes; setting them changes the request."""

    @property
    def headers(self) -> Headers:
        """Its header fields."""

    @property
    def trailers(self) -> Headers | None:
        """The fields after the body."""

    @property
    def raw_content(self) -> bytes | None:
        """The body under its content coding; `None`: not read."""
