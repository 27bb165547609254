"""The credentials of a request, in the form that its endpoint wants, put on when nothing else changes any more.

Inside the proxy the credentials are in `Authorization: Bearer …`: the client's own, or the key that it is lent. Just
before a request leaves, the signer that its profile names (`signer`) turns them into the endpoint's form, over the
exact bytes. There is one call of `signed` for each way out: `hooks/sign.py` (requests that mitmproxy sends), `calls.py`
(the addon's own), `relay/tries.py` (anew for each try).
"""

from __future__ import annotations

from collections.abc import Mapping

from .signer import Headers, Signer, Unsigned, UnusableCredentials, replaced
from .tc3 import Tc3

__all__ = ["BEARER", "SIGNERS", "Headers", "Signer", "Unsigned", "UnusableCredentials", "replaced", "signed"]


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
SIGNERS: Mapping[str, Signer] = {BEARER: Bearer(), "x-api-key": XApiKey(), "tc3": Tc3()}
"""By the name that a profile's `signer` gives."""


def signed(signer: str, request: Unsigned, now: float) -> Headers:
    """The headers to send `request` with, signed by the one of `SIGNERS` that has the name `signer`.

    A request without credentials keeps its headers: the endpoint says what is missing. Raises `UnusableCredentials`.
    """
    credentials = _credentials(request.headers)
    return SIGNERS[signer].sign(request, credentials, now) if credentials else request.headers


def _credentials(headers: Headers) -> str:
    """What the first `Authorization` has after `Bearer`; nothing where it has another scheme."""
    value = next((value for name, value in headers if name.lower() == b"authorization"), b"")
    scheme, _, credentials = value.decode("utf-8", "surrogateescape").strip().partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""
