"""A request to the admin server, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...texts import LANGUAGES
from ...wire import accept_language


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `headers`: by names in lower case; one that was sent twice has both values, with a comma between.

    `peer`: the address that the connection comes from. `path`: without the query.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""

    def header(self, name: str) -> str:
        """The value of a header, whose name is in lower case; `""` without one."""
        return self.headers.get(name, "")

    def cookie(self, name: str) -> str:
        """The value of a cookie; `""` without one. Of two with one name the first counts (RFC 6265 section 5.4)."""
        for pair in self.header("cookie").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return ""

    def language(self, otherwise: str) -> str:
        """The language that it asks for."""
        return accept_language.preferred(self.header("accept-language"), LANGUAGES) or otherwise
