"""Which requests the admin server hears. Each rule is for one kind of attack:

1. `Host` must be a name of this server: a web page whose own name resolves to this machine (DNS rebinding) may
   otherwise read everything, since to the browser it is one origin with the server.
2. What a browser sends for a page of another origin is refused (`Sec-Fetch-Site`, `Origin`). Only a link that a person
   follows may come from elsewhere, and it changes nothing.
3. If there is a token, it must come with the request, or a session that a browser has opened with it, on this machine
   too. Without one only this machine is heard, and under `hunyuan_trust_loopback=false` nobody.

Probes are excepted from all three, and get one word. The page to sign in by a link is excepted from the third.
"""

from __future__ import annotations

import ipaddress
import logging
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from ...access.callers import TrustSettings, is_on_this_machine
from ...config.command_names import command
from ...texts.terminal import say
from ...wire import proxy_errors
from ...wire.host_names import canonical, host_in, is_loopback
from ...wire.openai_error import ProxyError
from .failures import MOST, Failures
from .request import Request
from .sessions import COOKIE, Sessions
from .settings import Address
from .token import AdminToken


class Who(Enum):
    """Who may use a path."""

    PROBE = "anyone"
    """By any `Host`, without a token."""
    SIGNING_IN = "anyone who reaches the server by its own name"
    ADMIN = "who has the token, or a session; without a token this machine"


SAFE = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
_SIGN_IN = f"{command('admin')} link"
_TOKEN_INVALID = proxy_errors.ADMIN_TOKEN_INVALID()
logger = logging.getLogger("hunyuan_fix")


@dataclass(slots=True)
class Guard:
    """Decides for each request. `bound`: where the server listens; `hosts`: further names by which it is reached.

    `trust`: whether a loopback address says that a client is on this machine.
    """

    token: AdminToken
    sessions: Sessions
    failures: Failures
    bound: Address
    hosts: Collection[str] = ()
    trust: TrustSettings = field(default_factory=TrustSettings)

    def refusal(self, request: Request, who: Who) -> ProxyError | None:
        """Why the request isn't heard; `None` if it is."""
        if who is Who.PROBE:
            return None
        if not self._is_own_host(request.header("host")):
            return proxy_errors.ADMIN_HOST_NOT_ALLOWED()
        if _is_of_other_origin(request):
            return proxy_errors.ADMIN_CROSS_ORIGIN()
        if who is Who.SIGNING_IN:
            return None
        if not self.token.value:
            here = is_on_this_machine(request.peer, self.trust)
            return None if here else proxy_errors.ADMIN_TOKEN_REQUIRED(command=_SIGN_IN)
        if authorization := request.header("authorization"):
            return self.credentials(request.peer, lambda: self.token.is_in(authorization), _TOKEN_INVALID)
        if self.sessions.holds(request.cookie(COOKIE), self.token.value):
            return None
        return proxy_errors.ADMIN_TOKEN_REQUIRED(command=_SIGN_IN)

    def credentials(self, peer: str, are_right: Callable[[], bool], wrong: ProxyError) -> ProxyError | None:
        """`None` if credentials from `peer` are right, else `wrong`. After too many wrong ones none is looked at."""
        if wait := self.failures.wait(peer):
            return proxy_errors.ADMIN_TOO_MANY_FAILURES(seconds=math.ceil(wait), retry_after=wait)
        if are_right():
            return None
        if self.failures.add(peer):
            said = say(
                "Admin server: {count} wrong tokens or links from {peer}: it has to wait.", count=MOST, peer=peer
            )
            logger.warning("%s", said)
        return wrong

    def is_still_admin(self, request: Request) -> bool:
        """Whether a request that was heard would be now: its session may be over, the token another one."""
        if not self.token.value:
            return is_on_this_machine(request.peer, self.trust)
        if authorization := request.header("authorization"):
            return self.token.is_in(authorization)
        return self.sessions.holds(request.cookie(COOKIE), self.token.value)

    def _is_own_host(self, given: str) -> bool:
        host = host_in(given)
        if is_loopback(host) or host in self.hosts or host == canonical(self.bound.host):
            return True
        # Where it listens beyond this machine it may have any address, and by an address no page's name is rebound.
        return not self.bound.is_local and _is_address(host)


def _is_of_other_origin(request: Request) -> bool:
    """Whether a browser sends the request for a page of another origin. Other programs send neither header.

    Every browser sends `Origin` with a method that may change something (https://fetch.spec.whatwg.org/#origin-header).
    """
    site, origin = request.header("sec-fetch-site"), request.header("origin")
    if request.method in SAFE:
        if site in ("", "same-origin", "none"):
            return False
        # A link that a person follows, not one in a frame or an image of another page.
        return request.header("sec-fetch-mode") != "navigate" or request.header("sec-fetch-dest") != "document"
    return site not in ("", "same-origin") or (bool(origin) and not is_own_origin(request))


def is_own_origin(request: Request) -> bool:
    """Whether the request's `Origin` is the server as its `Host` names it, by HTTP or HTTPS."""
    try:
        origin = urlsplit(request.header("origin"))
        host = urlsplit(f"//{request.header('host')}")
        default = {"http": 80, "https": 443}[origin.scheme]
        of_origin, of_host = (origin.hostname, origin.port or default), (host.hostname, host.port or default)
    except (ValueError, KeyError):
        return False
    return bool(of_origin[0]) and of_origin == of_host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
