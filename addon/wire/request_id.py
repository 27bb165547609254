"""The id by which a person finds one exchange again: in the log, in events, in the answer that the client shows.

It is the client's own where it sends one, else made here. The endpoint's own, for which its vendor's support asks, is
another: it stays in the header that it came in, and the record of the exchange has both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

HEADER = "x-request-id"
"""Where clients send theirs, and OpenAI's libraries look for the endpoint's (docs/facts/clients.md#request-ids)."""
OURS = "x-hunyuan-request-id"
"""Response header: the exchange's id. `HEADER` stays the endpoint's."""

SHOWN: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "request-id",
        "anthropic-count-tokens": "request-id",
        "tencent-cloud": "x-tc-requestid",
        "tencent-cloud-embedding": "x-tc-requestid",
        "tencent-cloud-token-count": "x-tc-requestid",
    }
)
"""Format of a client -> the header in which its libraries look for an id, where that isn't `HEADER`."""

_OF_ENDPOINTS = (b"x-request-id", b"request-id", b"x-tc-requestid")
"""The last is that of Tencent Cloud's own API (docs/facts/clients.md#request-ids)."""

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+@-]{0,127}")
_KEY = re.compile(r"(?:sk|ak|pk|hf)-|AKID|eyJ|Bearer", re.IGNORECASE)
"""How keys, client tokens and JSON Web Tokens begin."""


def sane(text: str) -> str:
    """The id `text`, if it is one word of up to 128 plain characters that doesn't look like a key; else `""`."""
    return text if _SANE.fullmatch(text) and not _KEY.match(text) else ""


def of_client(headers: Mapping[str, str], made: str) -> str:
    """The id of the exchange that the request with these `headers` begins: the client's, else `made`."""
    sent = headers.get(HEADER)
    return (sent and sane(sent)) or made


def of_endpoint(fields: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that the endpoint gives in the header `fields` of its answer; `""`: none."""
    given = {lower: value for name, value in fields if (lower := name.lower()) in _OF_ENDPOINTS}
    for name in _OF_ENDPOINTS if given else ():
        if name in given and (found := sane(given[name].decode("latin-1"))):
            return found
    return ""


def shown_in(dialect: str) -> str:
    """The header in which libraries of clients that speak `dialect` look for an id."""
    return SHOWN.get(dialect, HEADER)
