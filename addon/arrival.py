"""A request comes in: who sends it, whether it may go on, where it goes, with whose key. Decided at its headers."""

from __future__ import annotations

import logging

from mitmproxy import ctx, http
from mitmproxy.proxy import mode_specs

from addon import access, draining, keys, log, record, startup
from addon.access import Caller
from addon.keys import Withheld
from addon.options import MODES, Settings
from addon.outgoing import LOOP_GUARD
from addon.record import Record
from addon.repair import MODE_HEADER, came_back, respond
from addon.route import Address, Route, Routes
from addon.services import Services
from addon.wire import errors
from addon.wire.errors import Refusal

logger = logging.getLogger("addon")


class Arrivals:
    """Takes requests in, under one set of options. `guarded`, `lends`: as `startup` says."""

    def __init__(self, settings: Settings, routes: Routes, services: Services, *, guarded: bool, lends: bool) -> None:
        self._settings = settings
        self._routes = routes
        self._services = services
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
        if flow.response is not None:
            challenge = flow.response.headers.get("www-authenticate", "")
            if not access.overrules(who, flow.response.status_code, challenge):
                return
            flow.response = None
            access.drop_password(flow.request)
        self._services.ending.expect(flow)
        route = self._route(flow)
        asked = flow.request.headers.pop(MODE_HEADER, "").strip().lower() if route else ""
        mode = asked if asked in MODES else self._settings.mode
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
            flow.request.stream = True

    def _caller(self, flow: http.HTTPFlow) -> Caller | Refusal:
        signed_in = "proxyauth" in flow.metadata
        address = flow.client_conn.peername[0]
        return access.recognised(flow.request, address=address, signed_in=signed_in, tokens=self._services.tokens)

    def _route(self, flow: http.HTTPFlow) -> Route | None:
        request, reverse = flow.request, isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode)
        address = Address(request.scheme, request.host, request.port, request.path)
        return self._routes.route(request.method, address, None if reverse else flow.client_conn.sni)

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
        guarded = self._guarded and startup.comes_from_outside(client.proxy_mode, client.peername[0])
        refusal = access.refused(who, known_host=route is not None, guarded=guarded)
        if refusal is not None or who.client is None:
            return refusal or {}
        return await self._services.limits.admit(who.client)

    @staticmethod
    def _refuse(flow: http.HTTPFlow, exchange: Record, who: Caller | Refusal, refusal: Refusal) -> None:
        exchange["client"] = (who.client or "") if isinstance(who, Caller) else ""
        # Never together with request.stream: mitmproxy can't answer what it streams (mitmproxy.md section 1).
        respond(flow, exchange, refusal)

    def _direct(self, flow: http.HTTPFlow, route: Route, exchange: Record, who: Caller) -> None:
        """Send the request where its route says, with the key that it is lent."""
        request = flow.request
        if route.rerouted:
            request.scheme, request.host = route.address.scheme, route.address.host
            request.port, request.path = route.address.port, route.address.path
        if route.not_yet:
            logger.info("%s %s is not repaired: it passes untouched", request.method, log.plain(exchange["path"]))
        if _leads_back(request):
            respond(flow, exchange, came_back())
            return
        key = self._lent(request, route, exchange, who)
        if isinstance(key, str):
            request.headers["Authorization"] = key
        elif who.client is not None and not keys.has_key(request.headers):
            respond(flow, exchange, access.no_key(key.value))
            return
        if not exchange["endpoint"]:
            request.stream = True

    def _lent(self, request: http.Request, route: Route, exchange: Record, who: Caller) -> str | Withheld:
        if not (route.endpoint or exchange["path"].endswith("/models")):
            return Withheld.PATH
        return keys.lend(
            self._services.key.value if self._lends else None,
            request.headers,
            who,
            to_host=request.host,
            encrypted=request.scheme == "https",
            origins=self._settings.allowed_origins,
        )

    def _sees(self, flow: http.HTTPFlow) -> bool:
        return self._settings.intercept_all or isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode)

    @staticmethod
    def _begun(flow: http.HTTPFlow, route: Route | None, mode: str) -> Record:
        return record.start(flow.metadata, flow.request.method, flow.request.path, route, mode)


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
