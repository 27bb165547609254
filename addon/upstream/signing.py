"""The credentials of a request, in the form that its endpoint wants, put on when nothing else changes any more.

Inside the proxy the credentials are in `Authorization: Bearer …`: the client's own, or the key that it is lent. Just
before a request leaves, the signer that its profile names (`signer`) turns them into the endpoint's form, over the
exact bytes. There is one call of `signed` for each way out: `hooks/sign.py` (requests that mitmproxy sends), `calls.py`
(the addon's own), `relay/tries.py` (anew for each try).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

type Headers = Sequence[tuple[bytes, bytes]]
"""Header pairs, in their order and spelling."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A request that is otherwise ready. What the connection adds (`Host`, `Content-Length`) follows from the rest."""

    method: str
    url: str
    headers: Headers
    body: bytes


class UnusableCredentials(Exception):
    """The credentials aren't of the form that the endpoint's signer needs. The message never quotes them."""


class Signer(Protocol):
    """Puts the credentials on a request. Pure: the time is given."""

    def sign(self, request: Unsigned, credentials: str, now: float) -> Headers:
        """The headers to send `request` with; `replaced` makes them of those that it has.

        `credentials`: what its `Authorization` has after `Bearer`. `now`: Unix time in seconds. Raises
        `UnusableCredentials`.
        """


class Bearer:
    """The credentials are an API key, which is sent in the form that it has inside the proxy."""

    def sign(self, request: Unsigned, credentials: str, now: float) -> Headers:
        """The headers of `request`, unchanged."""
        return request.headers


class XApiKey:
    """The credentials are an API key, which is sent as `x-api-key`, as Anthropic's API wants it."""

    def sign(self, request: Unsigned, credentials: str, now: float) -> Headers:
        """The headers of `request` with the key in `x-api-key` alone."""
        return replaced(request.headers, {"x-api-key": credentials})


BEARER = "bearer"
SIGNERS: Mapping[str, Signer] = {BEARER: Bearer(), "x-api-key": XApiKey()}
"""By the name that a profile's `signer` gives."""


def signed(signer: str, request: Unsigned, now: float) -> Headers:
    """The headers to send `request` with, signed by the one of `SIGNERS` that has the name `signer`.

    A request without credentials keeps its headers: the endpoint says what is missing. Raises `UnusableCredentials`.
    """
    credentials = _credentials(request.headers)
    return SIGNERS[signer].sign(request, credentials, now) if credentials else request.headers


def replaced(headers: Headers, new: Mapping[str, str]) -> Headers:
    """`headers` with `new` in the place of those that have their names, and without any other `Authorization`."""
    names = {b"authorization", *(name.lower().encode() for name in new)}
    kept = [pair for pair in headers if pair[0].lower() not in names]
    return [*kept, *((name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in new.items())]


def _credentials(headers: Headers) -> str:
    """What the first `Authorization` has after `Bearer`; nothing where it has another scheme."""
    value = next((value for name, value in headers if name.lower() == b"authorization"), b"")
    scheme, _, credentials = value.decode("utf-8", "surrogateescape").strip().partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""
