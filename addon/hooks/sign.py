"""The signature of a request that mitmproxy sends: the last thing done to it."""

from __future__ import annotations

from mitmproxy import http

from .. import profiles
from ..exchange import Exchange, Response
from ..upstream.server_clock import ServerClocks
from ..upstream.signing import BEARER, Unsigned, UnusableCredentials, signed
from ..wire import proxy_errors


def sign(request: http.Request, exchange: Exchange, clocks: ServerClocks) -> Response | None:
    """Put the credentials of `request` into the endpoint's form. Returns the client's error if they can't be used."""
    signer = profiles.load(exchange.profile).signer
    if signer == BEARER:
        return None  # the credentials have that form inside the proxy
    unsigned = Unsigned(request.method, request.url, request.headers.fields, request.raw_content or b"")
    try:
        headers = signed(signer, unsigned, clocks.now(request.url))
    except UnusableCredentials as error:
        return proxy_errors.CREDENTIALS_UNUSABLE(why=error).response()
    if headers is not unsigned.headers:
        request.headers.fields = tuple(headers)
    return None
