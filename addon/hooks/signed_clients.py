"""Requests that their clients sign (Tencent Cloud's SDK): read at their headers, checked once the body is there.

Between the two the client is the one that the signature claims: the request may be lent the key by then, but leaves
only after `checked`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from mitmproxy import http
from mitmproxy.connection import Client

from .. import profiles
from ..access import signed_clients
from ..access.callers import Caller
from ..access.signed_clients import Claim, SignedClients
from ..dialects import SIGNED
from ..dialects.tencent_cloud import client_api
from ..exchange import Exchange, Response
from ..route import Route
from ..runtime import Runtime
from ..texts.terminal import say
from ..wire import proxy_errors, safe_text, user_agents
from ..wire.openai_error import ProxyError
from .mitmproxy_internals import sent_host

logger = logging.getLogger("hunyuan_fix")

SIGNER = "tc3"
"""The signer of endpoints that speak the API themselves."""
_BYTES_HASHED = 16
"""Bytes that are hashed in the time that `Workers` counts for one."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A claim until the body is there, and the connection that it came by."""

    claim: Claim
    connection: Client
    admits: bool
    """The client is known by this alone, and is admitted with it."""

    @property
    def is_kept(self) -> bool:
        """Whether the request has its signature until it is checked: its endpoint wants one, too."""
        return self.claim.signs


@dataclass(slots=True)
class Signed:
    """What the headers of a native request say of who has sent it, and of whether it can be answered."""

    claim: Claim | None = None
    fault: ProxyError | None = None
    program: str = ""
    """The SDK."""
    connection: Client | None = None
    pending: bool = False
    """The client is the claimed one, which isn't admitted yet."""

    def caller(self, known: Caller | Response) -> Caller | Response:
        """The sender: the claimed client, unless another is known, by a token or a password."""
        if isinstance(known, Response) or known.known or self.claim is None or self.claim.client is None:
            return known
        self.pending = True
        return known._replace(client=self.claim.client)

    def refusal[T](self, caller: Caller | Response, admitted: Response | T) -> Response | T:
        """The refusal of a request whose client sent no token, in words for one that can't have one."""
        unknown = isinstance(caller, Caller) and not caller.known
        if unknown and isinstance(admitted, Response) and admitted.status == 401:
            return proxy_errors.SECRET_ID_UNKNOWN().response()
        return admitted

    def begin(self, exchange: Exchange) -> Response | None:
        """Note the claim for `checked`. Returns the error of a request that can't be answered."""
        exchange.program = self.program
        fault, is_spoken = self.fault, self.claim is not None and self.claim.signs
        if fault is None and not is_spoken and (not exchange.dialect or exchange.mode == "observe"):
            fault = proxy_errors.NATIVE_UNTRANSLATED()
        if fault is not None:
            if self.pending:
                exchange.client = ""  # nobody has checked that it is the claimed one
            return fault.response()
        if is_spoken and not exchange.dialect:
            exchange.client = "" if self.pending else exchange.client  # it passes unread, with its own signature
            return None
        counts = self.pending or is_spoken or (self.claim is not None and self.claim.client is None)
        if counts and self.claim is not None and self.connection is not None:
            exchange.claim = Pending(self.claim, self.connection, self.pending)
        return None


class _Unsigned(Signed):
    """Any request of another kind."""

    def caller(self, known: Caller | Response) -> Caller | Response:
        """The sender, as it is known."""
        return known

    def refusal[T](self, caller: Caller | Response, admitted: Response | T) -> Response | T:
        """The refusal itself."""
        return admitted

    def begin(self, exchange: Exchange) -> Response | None:
        """Nothing."""
        return None


class _Untouched(_Unsigned):
    """A request that only the endpoint can check or answer: each change would break its signature."""

    def begin(self, exchange: Exchange) -> Response | None:
        """Let it pass unread."""
        exchange.dialect = ""
        return None


class _Unknown(_Untouched):
    """One whose SecretId isn't known."""

    def begin(self, exchange: Exchange) -> Response | None:
        """Let it pass unread, and say so once."""
        global _has_said  # noqa: PLW0603 - once in a process
        if not _has_said:
            _has_said = True
            said = say(
                "A request to {host} is signed with a SecretId that this proxy doesn't know: such requests pass "
                "untouched, since a repair would break their signature. hunyuan_tencent_secrets_file has room for it.",
                host=safe_text.plain(exchange.base_url.partition("://")[2]),
            )
            logger.warning("%s", said)
        return super().begin(exchange)


_UNSIGNED, _UNTOUCHED, _UNKNOWN = _Unsigned(), _Untouched(), _Unknown()
_has_said = False


def read(flow: http.HTTPFlow, route: Route | None, clients: SignedClients) -> Signed:
    """Read the headers of a native request, and remove from them what its client authenticates with.

    That stays until `checked` where the endpoint wants it signed, too: the request has a key of its own there.
    """
    if route is None or route.spoken not in SIGNED:
        return _UNSIGNED
    request = flow.request
    host = next(iter(sent_host.of(request)), "")
    found = signed_clients.read_claim(request, host, clients, time.time())
    fault = client_api.fault(request.method, request.headers)
    if fault is None and _length(request) > client_api.LARGEST:
        fault = proxy_errors.REQUEST_TOO_LARGE(limit=client_api.LARGEST)
    if isinstance(found, ProxyError):
        fault = fault or found
    if profiles.load(route.profile).signer == SIGNER and not route.foreign:
        is_known = isinstance(found, Claim) and found.client is not None
        if not route.rerouted and signed_clients.is_signed(request.headers.get("authorization", "")):
            if fault is not None:
                return _UNTOUCHED  # it may have more actions than are known here, and says itself what is wrong
            if not is_known:
                return _UNKNOWN
        if isinstance(found, Claim) and is_known:
            found = replace(found, signs=True)
    if not (isinstance(found, Claim) and found.signs):
        signed_clients.drop_signature(request.headers)
    program = user_agents.program(request.headers.get("x-tc-requestclient", ""))
    claim = found if isinstance(found, Claim) else None
    return Signed(claim, fault, program, flow.client_conn)


async def checked(request: http.Request, exchange: Exchange, runtime: Runtime) -> Response | None:
    """Why a native request is refused, now that its body is there; `None`: its client is the one that it says."""
    body = request.raw_content or b""
    pending: Pending | None = exchange.claim
    exchange.claim = None
    if len(body) > client_api.LARGEST:
        return proxy_errors.REQUEST_TOO_LARGE(limit=client_api.LARGEST).response()
    if pending is None:
        return None
    claim = pending.claim
    wrong = await runtime.workers.run(lambda _: claim.wrong(body), len(body) // _BYTES_HASHED)
    if wrong is not None:
        exchange.client = ""
        return wrong.response()
    if claim.client is None:
        return None
    if claim.signs and exchange.mode == "repair":
        signed_clients.drop_signature(request.headers)
        request.headers["authorization"] = f"Bearer {claim.credentials}"
    if not pending.admits:
        return None
    runtime.unauthenticated.remove(pending.connection)
    admitted = await runtime.limits.admit(claim.client)
    if isinstance(admitted, Response):
        return admitted
    exchange.limits = admitted
    return None


def _length(request: http.Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < _LONGEST else 0


_LONGEST = 15
"""Digits of a length."""
