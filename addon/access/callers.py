"""Who sent a request, and what that client may do. Decisions only: the hooks carry them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakSet

from ..config.option import option
from ..exchange import Response
from ..wire import proxy_errors
from ..wire.host_names import is_loopback
from . import client_tokens
from .client_tokens import ClientTokens
from .http_message import Request

PROXYAUTH_REALM = "mitmproxy"
"""What mitmproxy's `proxyauth` calls itself in its 401 (`mitmproxy.addons.proxyauth.REALM`)."""


@dataclass(frozen=True)
class TrustSettings:
    """Whether an address says who a client is."""

    trust_loopback: bool = option(
        True,
        "Clients on this machine need neither a token nor a password to be lent the key or to read the admin server. "
        "False behind anything that connects from this machine for others, such as a balancer.",
    )


def is_on_this_machine(address: str, settings: TrustSettings) -> bool:
    """Whether a client at `address` counts as one of this machine.

    Behind a balancer or a tunnel on this machine every client has a loopback address.
    """
    return settings.trust_loopback and is_loopback(address)


class Caller(NamedTuple):
    """The sender of a request, as far as it has authenticated."""

    on_this_machine: bool
    """`is_on_this_machine`"""
    signed_in: bool = False
    """mitmproxy's `proxyauth` accepted its password."""
    client: str | None = None
    """The client whose token it sent."""

    @property
    def known(self) -> bool:
        """Whether it has authenticated, by token or password."""
        return self.signed_in or self.client is not None

    @property
    def trusted(self) -> bool:
        """Whether it may use the lent key: it is on this machine, or known."""
        return self.known or self.on_this_machine


def recognised(request: Request, *, on_this_machine: bool, signed_in: bool, tokens: ClientTokens) -> Caller | Response:
    """The sender of `request`. Removes the tokens from it, so that no later code can send, log or store one.

    `signed_in`: `proxyauth` has accepted its password. Returns a refusal for a key with a token's prefix that isn't
    valid, for tokens of more than one client, and for a token in a key header in a form that no client sends. Anywhere
    else in the headers or the path a valid token is replaced, and the request continues.
    """
    taken = client_tokens.take(request.headers)
    owners = [tokens.owner(token) for token in taken]
    if client_tokens.scrub(request, tokens.search):
        return proxy_errors.TOKEN_MISPLACED().response()
    if None in owners or len(owners) > 1:
        return proxy_errors.TOKEN_INVALID().response()
    return Caller(on_this_machine, signed_in, next((owner.name for owner in owners if owner), None))


def overrules(caller: Caller | Response, status: int, www_authenticate: str, *, preflight: bool = False) -> bool:
    """Whether a request's token overrules the answer that another addon has already given.

    It overrules only `proxyauth`'s 401: on a reverse port `proxyauth` expects its password in `Authorization`, the
    token's header. A request without a token keeps the 401, except a browser's `preflight` to a known host: browsers
    send no password with a preflight (Fetch standard, section 3.3.2), so no page could work.
    """
    by_proxyauth = status == 401 and www_authenticate == f'Basic realm="{PROXYAUTH_REALM}"'
    return by_proxyauth and (preflight or isinstance(caller, Response) or caller.client is not None)


def drop_password(request: Request) -> None:
    """Remove from `request` the password in `Authorization` that `proxyauth` rejected: it isn't an API key."""
    if request.headers.get("authorization", "").strip().lower().startswith("basic"):
        del request.headers["authorization"]


def refused(caller: Caller, *, known_host: bool, requires_token: bool) -> Response | None:
    """The refusal of a request, or `None` if it may continue.

    `known_host`: its host is one of this addon's. `requires_token`: its client doesn't count as one of this
    machine, and came by a listener that only clients with tokens may use (`listeners.requires_token`).
    """
    if caller.client is not None and not known_host:
        return proxy_errors.TOKEN_FOR_OTHER_HOST().response()
    if not requires_token or caller.known:
        return None
    return (proxy_errors.TOKEN_REQUIRED if known_host else proxy_errors.HOST_NOT_ALLOWED)().response()


def tunnel_refused(*, signed_in: bool, known_host: bool, requires_token: bool) -> Response | None:
    """The refusal of a CONNECT, or `None`. Known hosts are allowed: the requests in the tunnel carry the token."""
    return proxy_errors.HOST_NOT_ALLOWED().response() if requires_token and not signed_in and not known_host else None


def no_key(why: str) -> Response:
    """The refusal of a request with a valid token for which no key is lent: it has no other key to send."""
    return proxy_errors.KEY_NOT_LENT(why=why).response()


class UnauthenticatedClients:
    """The connections whose client has not authenticated yet and doesn't count as one of this machine.

    Covers traffic without HTTP requests: SOCKS, transparent mode, raw TCP. Such a connection gets no upstream
    connection before its client is known. HTTP requests are decided one by one (`refused`).
    """

    def __init__(self) -> None:
        self._unknown: WeakSet[object] = WeakSet()

    def add(self, client: object) -> None:
        """Add a new connection whose client doesn't count as one of this machine."""
        self._unknown.add(client)

    def remove(self, client: object) -> None:
        """Remove a connection: its client has signed in or sent a token."""
        self._unknown.discard(client)

    def __contains__(self, client: object) -> bool:
        """Whether the client was added and has not authenticated."""
        return client in self._unknown
