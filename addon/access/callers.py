"""Who sends a request, and what that client may do here. Decisions only: the hooks carry them out."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakSet

from mitmproxy.addons import proxyauth
from mitmproxy.connection import Client
from mitmproxy.http import Request

from ..hooks.startup import comes_from_outside, is_loopback
from ..wire import proxy_errors
from ..wire.proxy_errors import Refusal
from . import client_tokens
from .client_tokens import ClientTokens


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as far as that has been shown."""

    address: str
    signed_in: bool = False
    """mitmproxy's `proxyauth` let it in."""
    client: str | None = None
    """The client whose token it sent."""

    @property
    def known(self) -> bool:
        """It has shown who it is."""
        return self.signed_in or self.client is not None

    @property
    def trusted(self) -> bool:
        """It may use the lent key: from this machine, or known."""
        return self.known or is_loopback(self.address)


def recognised(request: Request, *, address: str, signed_in: bool, tokens: ClientTokens) -> Caller | Refusal:
    """Who sends `request`. Tokens are taken out of it here, so that nothing later can send, log or keep one.

    `signed_in`: `proxyauth` has let it in. A refusal for a key that begins like a token and isn't valid, for tokens
    of more than one client, and for a token that stands where keys stand in a spelling that no client sends. In any
    other place of the headers or the path a valid token is replaced, and the request goes on.
    """
    taken = client_tokens.take(request.headers)
    owners = [tokens.owner(token) for token in taken]
    if client_tokens.scrub(request, tokens.search):
        return _unauthorised(
            "A client token stands in a header for API keys, but not as the key: send it as it is, in Authorization: "
            "Bearer."
        )
    if None in owners or len(owners) > 1:
        return _unauthorised("This client token is unknown, disabled, or one of several.")
    return Caller(address, signed_in, next((owner.name for owner in owners if owner), None))


def overrules(who: Caller | Refusal, status: int, www_authenticate: str, *, preflight: bool = False) -> bool:
    """Whether what a request's token says counts for more than the answer that another addon has given to it.

    Only where that is `proxyauth`'s 401: on a reverse port it looks for its password in `Authorization`, where the
    token travels. A request without a token keeps that answer, unless it is a browser's `preflight` to a known host:
    browsers send no password with those (Fetch standard, section 3.3.2), and no page would get any further.
    """
    by_proxyauth = status == 401 and www_authenticate == f'Basic realm="{proxyauth.REALM}"'
    return by_proxyauth and (preflight or isinstance(who, Refusal) or who.client is not None)


def drop_password(request: Request) -> None:
    """Take out of `request` what `proxyauth` was given in `Authorization`, and did not accept: it is no API key."""
    if request.headers.get("authorization", "").strip().lower().startswith("basic"):
        del request.headers["authorization"]


def refused(caller: Caller, *, known_host: bool, guarded: bool) -> Refusal | None:
    """Why a request goes no further, `None` where it may.

    `known_host`: it is for a host of this addon's. `guarded`: its client comes from beyond this machine, by a listener
    that is open for clients with tokens alone (`startup.guarded`).
    """
    if caller.client is not None and not known_host:
        return _unauthorised("A client token is good for the endpoints of this proxy only, and goes no further.")
    if not guarded or caller.known:
        return None
    if known_host:
        return _unauthorised("This proxy is for clients that have a token: send it as the API key.")
    return _forbidden()


def tunnel_refused(*, signed_in: bool, known_host: bool, guarded: bool) -> Refusal | None:
    """Why a CONNECT is refused, `None` where it may pass. To a known host it may: its requests show a token inside."""
    return _forbidden() if guarded and not signed_in and not known_host else None


def no_key(why: str) -> Refusal:
    """The answer to a valid token for which no key is lent: it must not go on, and nothing else is there to send."""
    return _unauthorised(f"The client token is valid, but the proxy lends its key to no such request: {why}.")


class Outsiders:
    """The connections from beyond this machine whose client has not shown yet who it is.

    What a request may do is decided for each by itself (`refused`). This is for what no request stands for: SOCKS and
    transparent modes, raw TCP. Nothing goes upstream for such a connection before its client is known.
    """

    def __init__(self) -> None:
        self._unknown: WeakSet[Client] = WeakSet()

    def arrived(self, client: Client) -> None:
        """A connection is there."""
        if comes_from_outside(client.proxy_mode, client.peername[0]):
            self._unknown.add(client)

    def known(self, client: Client) -> None:
        """Its client has signed in or shown a token."""
        self._unknown.discard(client)

    def __contains__(self, client: Client) -> bool:
        """Whether nobody knows who that is."""
        return client in self._unknown


def _unauthorised(message: str) -> Refusal:
    # As OpenAI words it: clients know that they must not try again, and people see which key is meant.
    return proxy_errors.refusal(401, message, type="invalid_request_error", code="invalid_api_key", retry=False)


def _forbidden() -> Refusal:
    return proxy_errors.refusal(
        403,
        "This proxy leads clients of other machines to its own endpoints only.",
        type="invalid_request_error",
        code="host_not_allowed",
        retry=False,
    )
