"""What happens at a request's headers: sender, admission, route, and the key that is lent to it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

from mitmproxy import ctx, http
from mitmproxy.proxy import mode_specs

from .. import dialects, events, profiles
from ..access import callers, cors, keys
from ..access.callers import Caller
from ..access.keys import Destination, Withheld
from ..access.token_search import RedactedStream
from ..answer_cache.settings import RUN_HEADER
from ..answers import model_list
from ..answers.json_repair import settings as json_settings
from ..answers.rounds import settings as continue_settings
from ..budgets.spending import Verdict
from ..config.hook_options import MODES
from ..config.values import BaseUrl
from ..dialects import UPSTREAM_DIALECTS
from ..exchange import Change, Exchange, Response, printable
from ..kept import cache_wish
from ..key_routes import KeyRoutes
from ..observe import front_page
from ..observe.health import reverse_port
from ..options import Settings
from ..route import Address, Route, Routes, is_translated
from ..steps import budget, mask
from ..texts.terminal import say
from ..upstream import tc3
from ..upstream.client import ASKED, LOOP_GUARD, PROFILE, SHUT_DOWN, UPSTREAM, Transport
from ..upstream.server_clock import TC3
from ..upstream.signing import BEARER, UnusableCredentials
from ..vendors import HOME
from ..wire import host_names, paths, proxy_errors, rule_names, safe_text, user_agents
from ..wire.trace_context import TRACEPARENT, TRACESTATE
from . import exchanges, proxy_modes, redaction, signed_clients, way_out
from .mitmproxy_internals import flows, ports, sent_host
from .process import Process
from .respond import answer_preflight, refuse_upgrade, respond
from .sign import sign
from .trace_headers import put_exchange_on

logger = logging.getLogger("hunyuan_fix")

MODE_HEADER = "x-hunyuan-mode"
"""Request header: the mode for this request alone. It goes no further."""
_NATIVE_CLIENT = "x-tc-action"
"""Request header of clients of Tencent Cloud's own API, which sign by themselves."""
RUNAWAY_HEADER = "x-hunyuan-runaway"
"""Request header: `off` lets an agent go on as long as it likes. It goes no further."""
TAG_HEADER = "x-hunyuan-tag"
"""Request header: what the request is for, in a word of the client's own (`hunyuan_model_map`). It goes no further."""
FALLBACK_HEADER = "x-hunyuan-fallback"
"""Request header: `off` where its own model is to answer, or none. It goes no further."""
_ASKED = (
    *(MODE_HEADER, RUNAWAY_HEADER, TAG_HEADER, FALLBACK_HEADER),
    *(json_settings.HEADER, continue_settings.HEADER, cache_wish.HEADER, RUN_HEADER),
)
_LONGEST_TAG = 300
"""Characters of a tag, and of a run's name, that count."""
_ASKING = frozenset(name.encode() for name in _ASKED)
_ROOT = ("/", "/?")


class RequestHeaders:
    """Handles request headers under one set of options. `requires_token`, `lends_key`: see `listeners`."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        process: Process,
        transport: Transport,
        *,
        requires_token: bool,
        lends_key: bool,
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._process = process
        self._runtime = process.runtime
        self._transport = transport
        self._requires_token = requires_token
        self._lends_key = lends_key
        self._key_routes = KeyRoutes(settings)
        named = settings.keys_file, settings.vision_upstream, settings.embeddings_upstream
        self._calls_elsewhere = lends_key and (bool(settings.fallbacks) or any(one is not None for one in named))
        """Own calls for a request may go to endpoints that its client didn't name, with keys of the proxy's."""
        self._ports = ports.OwnPorts()

    async def handle(self, flow: http.HTTPFlow) -> None:
        """Give the request of `flow` a route or an answer. Called at its headers; raises nothing.

        Fails closed: if the decision itself fails, the request gets a 502.
        """
        if flow.error or not flow.live:
            return
        content = self._process.content.begins(flow)
        try:
            await self._handle(flow)
        except Exception as error:
            said = say("A request could not be taken in and is refused:")
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
            flow.request.stream = False
            exchange = exchanges.of(flow) or self._begun(flow, None, self._settings.mode)
            respond(flow, exchange, proxy_errors.PROXY_FAILED_AT_HEADERS().response())
        if (begun := exchanges.of(flow)) is not None:
            if content is not None:
                self._process.content.goes_on(flow, begun, content)
            begun.program = begun.program or user_agents.program(flow.request.headers.get("user-agent", ""))
            begun.tell(
                events.CAME,
                profile=begun.profile,
                dialect=begun.dialect or begun.spoken,
                mode=begun.mode,
                client=begun.client,
                program=begun.program,
                **(begun.trace.told() if begun.trace is not None else {}),
            )

    async def _handle(self, flow: http.HTTPFlow) -> None:
        caller = self._caller(flow)
        route = self._route(flow)
        preflight = route is not None and cors.is_preflight(flow.request.method, flow.request.headers)
        if flow.response is not None:
            challenge = flow.response.headers.get("www-authenticate", "")
            if not callers.overrules(caller, flow.response.status_code, challenge, preflight=preflight):
                return
            flow.response = None
            callers.drop_password(flow.request)
        self._process.finisher.expect(flow)
        asked = _asked(flow.request.headers) if route else {}
        mode = asked.get(MODE_HEADER, "")
        mode = mode if mode in MODES else self._settings.mode
        may_run_on = asked.get(RUNAWAY_HEADER) == "off"
        if route is not None and preflight:
            self._pass_preflight(flow, route, self._begun(flow, route, mode), caller)
            return
        answer = _answered_here(flow, route, self._settings)
        signed = signed_clients.read(flow, route, self._runtime.secrets.signed)
        caller = signed.caller(caller)
        admission = await self._admitted(flow, caller, route, counted=answer is None, claimed=signed.pending)
        admitted = signed.refusal(caller, admission)
        if isinstance(admitted, Response):
            self._refuse(flow, self._begun(flow, route, mode), caller, admitted)
        elif route is not None and isinstance(caller, Caller):
            exchange = self._begun(flow, route, mode)
            exchange.client, exchange.limits = caller.client or "", admitted
            if exchange.spoken or route.lists_models:  # what is kept of its answers is for the client alone
                user = flow.metadata["proxyauth"][0] if "proxyauth" in flow.metadata else ""
                exchange.caller = keys.identity(caller, flow.request.headers, user)
            exchange.query = flow.request.path.partition("?")[2]
            exchange.may_run_on = may_run_on
            exchange.elsewhere = route.elsewhere
            exchange.borrows = self._calls_elsewhere and self._withheld(flow, caller) is None
            _note_wishes(exchange, asked)
            answer = answer or signed.begin(exchange)
            if answer is None and self._settings.budgets and not exchange.dialect and flow.request.method == "POST":
                answer = await self._over_budget(exchange)
            if answer is not None:
                respond(flow, exchange, answer)
            else:
                self._direct(flow, route, exchange, caller)
        elif self._sees(flow):
            exchanges.begin(flow, None)
        else:
            self._pass_body(flow.request)
        if _reverse(flow) and flow.response is None:
            way_out.lead(flow, self._settings.outgoing_proxy)

    async def _over_budget(self, exchange: Exchange) -> Response | None:
        """The refusal of a call whose body passes untouched, where a budget of its client's is spent."""
        spent = await self._runtime.spending.spent(exchange.client, "")
        if spent is None:
            return None
        is_observed = self._settings.mode != "repair"
        refusal = budget.told(self._runtime, exchange, Verdict(spent=spent), "", "", is_observed=is_observed)
        return None if is_observed else refusal

    def _caller(self, flow: http.HTTPFlow) -> Caller | Response:
        signed_in = "proxyauth" in flow.metadata
        return callers.recognised(
            flow.request, on_this_machine=self._is_here(flow), signed_in=signed_in, tokens=self._runtime.secrets.tokens
        )

    def _is_here(self, flow: http.HTTPFlow) -> bool:
        return callers.is_on_this_machine(flow.client_conn.peername[0], self._settings)

    def _route(self, flow: http.HTTPFlow) -> Route | None:
        """The route of a request; where no endpoint is named, the shape of its key may decide (`key_routes`)."""
        route, by_key = self._found(self._routes, flow), self._key_routes
        if route is None or not by_key.apply or not by_key.concern(route.profile, rerouted=route.rerouted):
            return route
        if (key := self._key(flow.request.headers)) is None or (addressed := self._found(by_key.unmoved, flow)) is None:
            return route
        routes = by_key.instead(addressed.profile, key)
        return route if routes is None else self._found(routes, flow)

    def _key(self, headers: http.Headers) -> str | None:
        """The key that a request would go with; `None` for one that is signed by its client, or has none."""
        if _NATIVE_CLIENT in headers:
            return None
        if keys.has_key(headers):
            given = keys.authorization(headers) or ""
            return given.partition(" ")[2].strip() if given[:7].lower() == "bearer " else None
        return self._runtime.secrets.key.value or self._runtime.secrets.cloud.value

    def _found(self, routes: Routes, flow: http.HTTPFlow) -> Route | None:
        request = flow.request
        address = Address(request.scheme, request.host, request.port, request.path)
        named = None
        if address.path[:2] in _ROOT and request.method != "OPTIONS":  # the only path of APIs that headers tell apart
            named = dialects.of_headers(request.pretty_host, address.path, request.headers)
        if _reverse(flow):
            return routes.of_port(request.method, address, sent_host.of(request), named)
        # With a server address the client has opened a tunnel to it, or its connection was redirected here. Without
        # one, the TLS handshake (if any) was with the proxy itself.
        sni = flow.client_conn.sni if flow.server_conn.address else None
        sent = sent_host.of(request)
        route = routes.route(request.method, address, sni, sent, named=named)
        if (
            route is None
            and host_names.one_name(request.host, sni, sent) is None
            and any(map(routes.known, (request.host, sni, *map(host_names.host_in, sent))))
        ):
            logger.info(
                "%s %s %s",
                request.method,
                safe_text.plain(request.path.partition("?")[0]),
                say("passes untouched: its connection, its TLS handshake and its Host name different hosts"),
            )
        return route

    async def _admitted(
        self, flow: http.HTTPFlow, caller: Caller | Response, route: Route | None, *, counted: bool, claimed: bool
    ) -> Response | dict[str, str]:
        """The refusal of the request, or the rate limit headers for its answer; none if it isn't `counted`.

        A `claimed` caller is admitted once it is believed.
        """
        if self._process.draining.begun:
            return proxy_errors.SHUTTING_DOWN().response()
        if LOOP_GUARD in flow.request.headers:
            loop = proxy_errors.PROXY_LOOP(header=LOOP_GUARD).response()
            if route is None:
                return loop
            behind = {PROFILE: _behind(route), **({UPSTREAM: route.base_url} if self._is_here(flow) else {})}
            return replace(loop, headers={**loop.headers, **behind})
        if isinstance(caller, Response):
            return caller
        client = flow.client_conn
        if caller.known and not claimed:
            self._runtime.unauthenticated.remove(client)
        refusal = callers.refused(caller, known_host=route is not None, requires_token=self._must_authenticate(flow))
        if refusal is not None or caller.client is None or not counted or claimed:
            return refusal or {}
        return await self._runtime.limits.admit(caller.client)

    def _pass_body(self, request: http.Request) -> None:
        """Stream the body of `request` unchanged, except that client tokens in it are replaced."""
        search = self._runtime.secrets.tokens.search
        request.stream = RedactedStream(search) if search else True

    @staticmethod
    def _refuse(flow: http.HTTPFlow, exchange: Exchange, caller: Caller | Response, refusal: Response) -> None:
        exchange.client = (caller.client or "") if isinstance(caller, Caller) else ""
        # Never together with request.stream: docs/facts/mitmproxy.md#streamed-request.
        respond(flow, exchange, refusal)

    def _pass_preflight(self, flow: http.HTTPFlow, route: Route, exchange: Exchange, caller: Caller | Response) -> None:
        """Forward a browser's preflight without a key and without counting it against any limit.

        A page can't read a refused preflight. Where requests of unknown clients are refused, the preflight is answered
        here, so that the page can read the refusal of its real request.
        """
        known = isinstance(caller, Caller) and caller.known
        _readdress(flow.request, route, exchange)
        stays = self._leads_back(flow.request) or self._settings.answer_cache == "replay"
        if stays or (self._must_authenticate(flow) and not known):
            answer_preflight(flow, exchange)
        else:
            self._pass_body(flow.request)

    def _direct(self, flow: http.HTTPFlow, route: Route, exchange: Exchange, caller: Caller) -> None:
        """Send the request along its route, with the lent key if it gets one."""
        request = flow.request
        asked = request.host
        had_key = _readdress(request, route, exchange)
        had_key = had_key or (exchange.claim is not None and not exchange.claim.is_kept)
        to_chat = (route.dialect is not None and not route.native) or route.lists_models
        translated = exchange.spoken in route.translates
        if to_chat and keys.send_as_bearer(request.headers, alone=translated) and exchange.mode != "off":
            exchange.note([Change("key", "", "the endpoint reads keys in Authorization")])
        if self._leads_back(request):
            respond(flow, exchange, proxy_errors.PROXY_LOOP(header=LOOP_GUARD).response())
            return
        if exchange.mode == "repair" and _asks_for_websocket(request, route):
            refuse_upgrade(flow, exchange)
            return
        if not _is_offered(route, exchange):
            respond(flow, exchange, proxy_errors.API_NOT_OFFERED(path=safe_text.plain(exchange.path)).response())
            return
        if route.unrepaired and exchange.spoken and mask.is_wanted(exchange, self._settings):
            respond(flow, exchange, proxy_errors.CANT_BE_MASKED().response())
            return
        if route.unrepaired:
            logger.info("%s %s %s", request.method, safe_text.plain(exchange.path), _why_unrepaired(route))
        if self._settings.answer_cache == "replay":
            self._keep_here(flow, route, exchange)
            return
        refused = self._put_key_on(flow, route, exchange, caller, asked if had_key else "")
        if refused is not None:
            respond(flow, exchange, refused)
            return
        if (answer := _refused_key(request, route, exchange) or self._models_of_data(route, exchange)) is not None:
            respond(flow, exchange, answer)
        elif not exchange.dialect:  # else it is signed when its body is written
            self._pass_unread(flow, route, exchange)

    def _keep_here(self, flow: http.HTTPFlow, route: Route, exchange: Exchange) -> None:
        """Answer what has no body that is read, or refuse it: a recording is replayed, and nothing is sent.

        No key is put on, and whichever it has is as good as none.
        """
        if (answer := self._models_of_data(route, exchange)) is not None:
            respond(flow, exchange, answer)
        elif not exchange.dialect:
            respond(flow, exchange, proxy_errors.NOT_SENT().response())

    def _pass_unread(self, flow: http.HTTPFlow, route: Route, exchange: Exchange) -> None:
        """Send a request on whose body isn't repaired."""
        request = flow.request
        put_exchange_on(request, exchange)
        if route.lists_models:
            if (refused := sign(request, exchange, self._runtime.clocks)) is not None:
                respond(flow, exchange, refused)
                return
            formed = exchange.spoken in dialects.APIS and self._settings.translate != "never"
            if exchange.mode == "repair" and (formed or (route.of_model and not exchange.spoken)):
                exchange.lists_models = True
                exchange.listed_model = unquote(route.of_model.removeprefix("/"))
                request.path = route.list_path  # without the pages of its own format's list
                request.headers["accept-encoding"] = "identity"
            exchange.names_models = not (exchange.lists_models or route.of_model)
        self._pass_body(request)

    def _models_of_data(self, route: Route, exchange: Exchange) -> Response | None:
        """The list of models, or one of them, for an endpoint that has none: those that its profile knows."""
        profile, api = profiles.load(route.profile), dialects.APIS.get(exchange.spoken) or model_list.OPENAI
        is_asked = UPSTREAM_DIALECTS[profile.dialect].lists_models and self._settings.answer_cache != "replay"
        if not route.lists_models or is_asked:
            return None
        aliases = is_translated(exchange.spoken, profile, self._settings.translate)
        window = self._settings.window
        listed = model_list.in_form_of(api, model_list.NO_LIST, b"", "", profile, aliases=aliases, window=window)
        if not route.of_model:
            return listed
        named = unquote(route.of_model.removeprefix("/"))
        return model_list.one_of(listed, named, named)

    def _put_key_on(
        self, flow: http.HTTPFlow, route: Route, exchange: Exchange, caller: Caller, key_of: str
    ) -> Response | None:
        """Put a key of the proxy's on a request that gets one; the client's answer where it can't go without.

        `key_of`: the host that its own key was for, which was taken off; `""`: it had none, or has it still.
        """
        request = flow.request
        key = self._key_elsewhere(route, exchange) if route.elsewhere else self._lent(flow, route, exchange, caller)
        if isinstance(key, str):
            if key:  # a server on this machine may have none
                request.headers["Authorization"] = key
                exchange.lent = True
                exchange.use_key(key.removeprefix("Bearer "))
                keys.drop_placeholder(request.headers)
                if not exchange.dialect:  # the key is looked for in the answer
                    request.headers["accept-encoding"] = "identity"
            return None
        if route.elsewhere:
            return proxy_errors.EMBEDDINGS_NO_KEY(url=safe_text.plain(route.base_url), why=key.value).response()
        is_call = route.dialect is not None or route.lists_models or route.native
        if key_of and is_call and not host_names.is_loopback(request.host):
            return proxy_errors.KEY_FOR_ANOTHER_HOST(host=safe_text.plain(key_of), why=key.value).response()
        if caller.client is not None and not keys.has_key(request.headers):
            return callers.no_key(key.value)
        return None

    def _key_elsewhere(self, route: Route, exchange: Exchange) -> str | Withheld:
        """The key for the endpoint of `hunyuan_embeddings_upstream`; `""`: it needs none."""
        to = route.address
        base = BaseUrl("http" if to.scheme == "http" else "https", to.host, to.port, to.path)
        return self._runtime.call_keys.authorization(base, exchange)

    def _lent(self, flow: http.HTTPFlow, route: Route, exchange: Exchange, caller: Caller) -> str | Withheld:
        if not (route.dialect or route.lists_models or route.native):
            return Withheld.PATH
        if not (exchange.dialect or route.lists_models) and profiles.load(route.profile).signer != BEARER:
            return Withheld.UNSIGNED
        request = flow.request
        if keys.has_key(request.headers):  # as of most clients
            return Withheld.OWN
        named = self._runtime.secrets.providers.key_for(request.host, request.port, request.path.partition("?")[0])
        to = Destination(
            on_this_machine=host_names.is_loopback(request.host) and self._transport.proxy is None,
            encrypted=request.scheme == "https",
            verified=not self._transport.insecure,
            of_the_keys_vendor=route.lends or named is not None,
        )
        secrets = self._runtime.secrets
        value = secrets.key.value
        if profiles.load(route.profile).signer == TC3:
            # The file may name one key for all hosts of the vendor: here only one that can sign is of use.
            value = secrets.cloud.value
            named = named if named is not None and (tc3.is_native(named.key) or not value) else None
        key = value if named is None else named.key
        key = key if self._lends_key else None
        lent = keys.lend(
            key,
            request.headers,
            caller,
            to,
            addressed=lambda: self._is_addressed(flow),
            origins=self._settings.allowed_origins,
        )
        if named is not None and not named.key and lent is Withheld.NONE:
            return Withheld.UNSET
        if key and isinstance(lent, Withheld) and lent is not Withheld.OWN:
            logger.warning(
                "%s %s %s",
                request.method,
                safe_text.plain(request.path.partition("?")[0]),
                say("gets no key: {why}", why=lent.value),
            )
        return lent

    def _withheld(self, flow: http.HTTPFlow, caller: Caller) -> Withheld | None:
        return keys.withheld_from(
            flow.request.headers,
            caller,
            addressed=lambda: self._is_addressed(flow),
            origins=self._settings.allowed_origins,
        )

    def _is_addressed(self, flow: http.HTTPFlow) -> bool:
        return not _reverse(flow) or keys.is_addressed(
            sent_host.of(flow.request), _listener_names(flow), self._routes.known
        )

    def _leads_back(self, request: http.Request) -> bool:
        """Whether `request` would go to a port of this proxy.

        mitmproxy's own check misses the ports of reverse:https, which listen on UDP too: such a request would loop a
        thousand times a second.
        """
        if not host_names.is_loopback(request.host):
            return False
        proxyserver = ctx.master.addons.get("proxyserver")
        return proxyserver is not None and request.port in self._ports.of(proxyserver)

    def _must_authenticate(self, flow: http.HTTPFlow) -> bool:
        client = flow.client_conn
        outside = proxy_modes.comes_from_outside(client.proxy_mode, client.peername[0], self._settings)
        return self._requires_token and outside

    def _sees(self, flow: http.HTTPFlow) -> bool:
        return self._settings.intercept_all or _reverse(flow)

    def _begun(self, flow: http.HTTPFlow, route: Route | None, mode: str) -> Exchange:
        if _only_asks(flow, route):  # every few seconds, by supervisors: no log, no metric, no trace
            return exchanges.begin(flow, route, mode, self._settings.language)
        exchange = exchanges.begin(flow, route, mode, self._settings.language, self._runtime.sinks.tell)
        if (traces := self._runtime.traces).are_on:
            given = flow.request.headers
            exchange.trace = traces.begin(given.get(TRACEPARENT), given.get(TRACESTATE), is_sent_on=mode == "repair")
        return exchange


def _asked(headers: http.Headers) -> dict[str, str]:
    """What a request asks of this proxy in headers, by their names, in lower case; takes these headers off."""
    if _ASKING.isdisjoint([name.lower() for name, _ in headers.fields]):
        return {}  # as of nearly all
    return {name: headers.pop(name).strip().lower() for name in _ASKED if name in headers}


def _answered_here(flow: http.HTTPFlow, route: Route | None, settings: Settings) -> Response | None:
    """The answer to a request that no endpoint has to see, where the client takes this proxy for its endpoint."""
    if route is None or route.spoken or not (route.rerouted or _reverse(flow)):
        return None
    method, path = flow.request.method, flow.request.path.partition("?")[0]
    if route.rerouted and _reverse(flow):  # else a server of the user's own behind the port may have pages of that name
        if of_proxy := reverse_port.answered_here(method, path):
            return of_proxy
        if path == front_page.PATH:
            headers = flow.request.headers
            to = route.base_url if callers.is_on_this_machine(flow.client_conn.peername[0], settings) else ""
            reads = settings.language or exchanges.accepted_language(headers.get("accept-language"))
            if page := front_page.answered_here(method, path, headers.get("accept", ""), to, reads):
                return page
    return dialects.answered_here(method, path)


def _refused_key(request: http.Request, route: Route, exchange: Exchange) -> Response | None:
    """The error for a key whose shape doesn't fit the endpoint: nothing is sent. Nor is one that can't sign here."""
    profile = profiles.load(route.profile)
    if profile.signer != TC3 and profile.vendor != HOME:
        return None
    if _NATIVE_CLIENT in request.headers:
        return None  # it has signed its request itself
    given = request.headers.get("authorization", "")
    key = given.partition(" ")[2].strip() if given[:7].lower() == "bearer " else ""
    if profile.signer == TC3:
        try:
            tc3.credentials(key)
            if not (exchange.dialect or route.lists_models):
                raise UnusableCredentials(Withheld.UNSIGNED.value)
        except UnusableCredentials as error:
            return proxy_errors.CREDENTIALS_UNUSABLE(why=error).response()
    elif tc3.is_native(key) and profile.vendor == HOME and route.address.host in profiles.by_host():
        return proxy_errors.SIGNING_KEY_MISPLACED(host=route.address.host).response()
    return None


def _only_asks(flow: http.HTTPFlow, route: Route | None) -> bool:
    """Whether a request asks no more than whether the proxy is there: `GET /health`, or one of our own commands'."""
    if flow.request.headers.get(LOOP_GUARD) == ASKED:
        return True
    path = flow.request.path.partition("?")[0]
    stands_for_one = route is not None and route.rerouted and _reverse(flow)
    return stands_for_one and reverse_port.answered_here(flow.request.method, path) is not None


def _reverse(flow: http.HTTPFlow) -> bool:
    return isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode)


def _asks_for_websocket(request: http.Request, route: Route) -> bool:
    """Whether `request` opens a WebSocket for responses where they are translated or repaired.

    HTTP/2 has a method of its own for it (RFC 8441), which mitmproxy doesn't offer, and refuses itself.
    """
    return (
        request.headers.get("upgrade", "").lower() == "websocket"
        and rule_names.RESPONSES in route.repairs
        and paths.read(request.path.partition("?")[0], dialects.paths())[1] == "/responses"
    )


def _is_offered(route: Route, exchange: Exchange) -> bool:
    """Whether the endpoint may have what is asked for. In another vendor's place it gets calls that are known, only."""
    if route.spoken or route.lists_models:
        return True
    return not route.foreign and (exchange.mode != "repair" or exchange.spoken not in route.repairs)


def _readdress(request: http.Request, route: Route, exchange: Exchange) -> bool:
    """Set the address of `request` to its route's; record a change if its path was spelt differently.

    Returns whether it had a key for another vendor's host, which is removed.
    """
    to = route.address
    had_key = False
    if route.foreign:
        had_key = keys.drop(request.headers)
        if had_key and exchange.mode != "off":
            exchange.note([Change("key", "", "the request's key is for another vendor's host, and is not sent")])
        request.scheme, request.host, request.port = to.scheme, to.host, to.port
        request.path = redaction.path(to.path)
    elif route.rerouted:
        request.scheme, request.host, request.port, request.path = to.scheme, to.host, to.port, to.path
    else:
        # The Host header names the same host by now.
        flows.send_to(request, to.host)
        if route.respelt and exchange.mode == "repair":
            request.path = to.path
    if route.respelt and exchange.mode != "off":
        exchange.note([Change("path", "", "the path was not spelt as the endpoint knows it")])
    return had_key


def _why_unrepaired(route: Route) -> str:
    """Why the body of a call passes untouched, for the log."""
    if route.native:
        return say("passes untouched: the endpoint speaks this format itself (hunyuan_translate)")
    if route.spoken:
        return say("passes untouched: hunyuan_translate=never")
    every = dialects.paths()
    apis = [path for path in every if not any(path.startswith(f"{other}/") for other in every)]
    return say("is not repaired: it passes untouched (repaired are {paths})", paths=_listed(apis))


def _listed(paths: Sequence[str]) -> str:
    """`/a`, `/b` and `/c` as "…/a, …/b, …/c"."""
    return ", ".join(f"…{path}" for path in paths)


def _listener_names(flow: http.HTTPFlow) -> Collection[str]:
    """The canonical names and addresses of the listener that `flow` came by.

    The address that the client connected to, the configured listen address, and this machine's name.
    """
    client = flow.client_conn
    given = client.proxy_mode.listen_host(ctx.options.listen_host)
    machine = socket.gethostname()
    return {host_names.canonical(name) for name in (client.sockname[0], given, machine, f"{machine}.local") if name}


def _behind(route: Route) -> str:
    """The value of `PROFILE`."""
    return route.profile + (SHUT_DOWN if profiles.shut_down(route.address.host) else "")


def _note_wishes(exchange: Exchange, asked: Mapping[str, str]) -> None:
    """Note what a client asks for in headers of ours."""
    exchange.stays = asked.get(FALLBACK_HEADER) == "off"
    exchange.tag = printable(asked.get(TAG_HEADER, "")[:_LONGEST_TAG])
    exchange.json_wish = json_settings.wish(asked.get(json_settings.HEADER, ""))
    exchange.cache_wish = cache_wish.wish(asked.get(cache_wish.HEADER, ""))
    exchange.run_wish = asked.get(RUN_HEADER, "")[:_LONGEST_TAG]
    exchange.continue_wish = continue_settings.wish(asked.get(continue_settings.HEADER, ""))
