"""A request comes in: who sends it, whether it may go on, where it goes, with whose key. Decided at its headers."""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection

from mitmproxy import ctx, http
from mitmproxy.proxy import mode_specs

from addon import access, cors, draining, keys, log, record, scope, startup
from addon.access import Caller
from addon.exchange import Change
from addon.hooks.mitmproxy_internals import flows, sent_host
from addon.keys import Destination, Withheld
from addon.options import MODES, Settings
from addon.outgoing import LOOP_GUARD, Transport
from addon.record import Record
from addon.repair import MODE_HEADER, answer_preflight, came_back, respond
from addon.route import Address, Route, Routes
from addon.services import Services
from addon.token_search import RedactedStream
from addon.wire import errors
from addon.wire.errors import Refusal

logger = logging.getLogger("addon")


class Arrivals:
    """Takes requests in, under one set of options. `transport`, `guarded`, `lends`: as `startup` says."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        services: Services,
        transport: Transport,
        *,
        guarded: bool,
        lends: bool,
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._services = services
        self._transport = transport
        self._guarded = guarded
        self._lends = lends

    async def take_in(self, flow: http.HTTPFlow) -> None:
        """Decide what becomes of the request of `flow`, at its headers: its route, or an answer. Raises nothing.

        It fails closed: a request of which nobody has found out whether it may go on doesn't.
        """
        if flow.error or not flow.live:
            return
        try:
            await self._take_in(flow)
        except Exception as error:
            logger.error("A request could not be taken in and is refused:\n%s", log.failure(error))
            flow.request.stream = False
            exchange = record.of(flow.metadata) or self._begun(flow, None, self._settings.mode)
            respond(flow, exchange, _not_taken_in())

    async def _take_in(self, flow: http.HTTPFlow) -> None:
        who = self._caller(flow)
        route = self._route(flow)
        preflight = route is not None and cors.is_preflight(flow.request.method, flow.request.headers)
        if flow.response is not None:
            challenge = flow.response.headers.get("www-authenticate", "")
            if not access.overrules(who, flow.response.status_code, challenge, preflight=preflight):
                return
            flow.response = None
            access.drop_password(flow.request)
        self._services.ending.expect(flow)
        asked = flow.request.headers.pop(MODE_HEADER, "").strip().lower() if route else ""
        mode = asked if asked in MODES else self._settings.mode
        if route is not None and preflight:
            self._pass_preflight(flow, route, self._begun(flow, route, mode), who)
            return
        admitted = await self._admitted(flow, who, route)
        if isinstance(admitted, Refusal):
            self._refuse(flow, self._begun(flow, route, mode), who, admitted)
        elif route is not None and isinstance(who, Caller):
            exchange = self._begun(flow, route, mode)
            exchange["client"], exchange["limits"] = who.client or "", admitted
            self._direct(flow, route, exchange, who)
        elif self._sees(flow):
            record.start(flow.metadata, flow.request.method, flow.request.path, None)
        else:
            self._pass_body(flow.request)

    def _caller(self, flow: http.HTTPFlow) -> Caller | Refusal:
        signed_in = "proxyauth" in flow.metadata
        address = flow.client_conn.peername[0]
        return access.recognised(flow.request, address=address, signed_in=signed_in, tokens=self._services.tokens)

    def _route(self, flow: http.HTTPFlow) -> Route | None:
        request = flow.request
        address = Address(request.scheme, request.host, request.port, request.path)
        if _reverse(flow):
            return self._routes.route(request.method, address)
        # A server's address says that the client has opened a tunnel to it, or that its connection was led here. Else
        # the handshake, if there was one, was with the proxy itself.
        sni = flow.client_conn.sni if flow.server_conn.address else None
        sent = sent_host.of(request)
        route = self._routes.route(request.method, address, sni, sent)
        if route is None and any(map(self._routes.known, (request.host, sni, *map(scope.host_in, sent)))):
            logger.info(
                "%s %s passes untouched: its connection, its TLS handshake and its Host name different hosts",
                request.method,
                log.plain(request.path.partition("?")[0]),
            )
        return route

    async def _admitted(
        self, flow: http.HTTPFlow, who: Caller | Refusal, route: Route | None
    ) -> Refusal | dict[str, str]:
        """Why the request goes no further, or the headers that tell its client of its limits."""
        if self._services.draining.begun:
            return draining.refusal()
        if LOOP_GUARD in flow.request.headers:
            return came_back()
        if isinstance(who, Refusal):
            return who
        client = flow.client_conn
        if who.known:
            self._services.outsiders.known(client)
        refusal = access.refused(who, known_host=route is not None, guarded=self._guards(flow))
        if refusal is not None or who.client is None:
            return refusal or {}
        return await self._services.limits.admit(who.client)

    def _pass_body(self, request: http.Request) -> None:
        """Let the body of `request` pass as it comes, without the client tokens in it."""
        search = self._services.tokens.search
        request.stream = RedactedStream(search) if search else True

    @staticmethod
    def _refuse(flow: http.HTTPFlow, exchange: Record, who: Caller | Refusal, refusal: Refusal) -> None:
        exchange["client"] = (who.client or "") if isinstance(who, Caller) else ""
        # Never together with request.stream: mitmproxy can't answer what it streams (mitmproxy.md section 1).
        respond(flow, exchange, refusal)

    def _pass_preflight(self, flow: http.HTTPFlow, route: Route, exchange: Record, who: Caller | Refusal) -> None:
        """Let a browser's question go to the endpoint, whoever asks: without a key, and past all limits.

        A refusal would not reach the page, which could not even read why. Where no stranger's request may go on, the
        question is answered here; the page can read what its own request is answered with then.
        """
        known = isinstance(who, Caller) and who.known
        _readdress(flow.request, route, exchange)
        if _leads_back(flow.request) or (self._guards(flow) and not known):
            answer_preflight(flow, exchange)
        else:
            self._pass_body(flow.request)

    def _direct(self, flow: http.HTTPFlow, route: Route, exchange: Record, who: Caller) -> None:
        """Send the request where its route says, with the key that it is lent."""
        request = flow.request
        _readdress(request, route, exchange)
        if route.unrepaired:
            logger.info(
                "%s %s is not repaired: it passes untouched (repaired are …/chat/completions and …/embeddings)",
                request.method,
                log.plain(exchange["path"]),
            )
        if _leads_back(request):
            respond(flow, exchange, came_back())
            return
        key = self._lent(flow, route, who)
        if isinstance(key, str):
            request.headers["Authorization"] = key
        elif who.client is not None and not keys.has_key(request.headers):
            respond(flow, exchange, access.no_key(key.value))
            return
        if not exchange["endpoint"]:
            self._pass_body(request)

    def _lent(self, flow: http.HTTPFlow, route: Route, who: Caller) -> str | Withheld:
        if not (route.endpoint or route.lists_models):
            return Withheld.PATH
        request = flow.request
        to = Destination(
            on_this_machine=startup.is_loopback(request.host) and self._transport.proxy is None,
            encrypted=request.scheme == "https",
            verified=not self._transport.insecure,
        )
        key = self._services.key.value if self._lends else None
        lent = keys.lend(
            key,
            request.headers,
            who,
            to,
            addressed=not _reverse(flow)
            or keys.is_addressed(sent_host.of(request), _listener_names(flow), self._routes.known),
            origins=self._settings.allowed_origins,
        )
        if key and isinstance(lent, Withheld) and lent is not Withheld.OWN:
            logger.warning(
                "%s %s gets no key: %s", request.method, log.plain(request.path.partition("?")[0]), lent.value
            )
        return lent

    def _guards(self, flow: http.HTTPFlow) -> bool:
        client = flow.client_conn
        return self._guarded and startup.comes_from_outside(client.proxy_mode, client.peername[0])

    def _sees(self, flow: http.HTTPFlow) -> bool:
        return self._settings.intercept_all or _reverse(flow)

    @staticmethod
    def _begun(flow: http.HTTPFlow, route: Route | None, mode: str) -> Record:
        return record.start(flow.metadata, flow.request.method, flow.request.path, route, mode)


def _reverse(flow: http.HTTPFlow) -> bool:
    return isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode)


def _readdress(request: http.Request, route: Route, exchange: Record) -> None:
    """Let `request` go to the address of its route; note a path that was spelt in another way."""
    to = route.address
    if route.rerouted:
        request.scheme, request.host, request.port, request.path = to.scheme, to.host, to.port, to.path
    else:
        # The Host header names the same host by now.
        flows.send_to(request, to.host)
        if route.respelt and exchange["mode"] == "repair":
            request.path = to.path
    if route.respelt and exchange["mode"] != "off":
        record.note(exchange, [Change("path", "", "the path was not spelt as the endpoint knows it")])


def _listener_names(flow: http.HTTPFlow) -> Collection[str]:
    """The names and addresses, as they are compared, under which the listener of `flow` is this proxy.

    The address that the client has reached, the one that was asked for, and this machine's name.
    """
    client = flow.client_conn
    given = client.proxy_mode.listen_host(ctx.options.listen_host)
    machine = socket.gethostname()
    return {scope.canonical(name) for name in (client.sockname[0], given, machine, f"{machine}.local") if name}


def _not_taken_in() -> Refusal:
    return errors.refusal(
        502,
        "The proxy failed while it looked at the request's headers; nothing was sent on. Its log says more.",
        type="server_error",
        code="proxy_failed",
    )


def _leads_back(request: http.Request) -> bool:
    """Whether `request` would go to a port of this very proxy.

    mitmproxy's own check doesn't see the ports of reverse:https, which speak UDP too: such a request would come round
    again and again, a thousand times a second.
    """
    if not startup.is_loopback(request.host):
        return False
    proxyserver = ctx.master.addons.get("proxyserver")
    return proxyserver is not None and any(port == request.port for _, port, *_ in proxyserver.listen_addrs())
