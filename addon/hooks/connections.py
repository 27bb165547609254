"""The hooks for connections: admission, which hosts are decrypted, and hints when one fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

from mitmproxy import ctx, http, tls
from mitmproxy.connection import Client, Connection, Server
from mitmproxy.proxy import layer, layers, mode_specs, server_hooks
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import quic
from mitmproxy.proxy.layers.modes import Socks5AuthData
from mitmproxy.proxy.server import ConnectionHandler

from .. import profiles
from ..access import callers
from ..config import operating_system
from ..config.command_names import command
from ..observe.repeated import Repeated
from ..options import Settings
from ..route import Routes
from ..runtime import Runtime
from ..texts.terminal import say
from ..wire import host_names, safe_text
from . import authority, proxy_modes, way_out
from .log_handlers import QuietConnections, is_verbose
from .mitmproxy_internals import logs
from .mitmproxy_internals.connections import limit_connecting, replace_reader, transport
from .mitmproxy_internals.options import option
from .process import Process
from .starting import LateReader

logger = logging.getLogger("hunyuan_fix")

CONNECT_TIMEOUT = 30.0
"""Seconds that a connection to a known host may take. The system's own time is longer than many clients wait."""

_FAULTS_EVERY, _HINTS_EVERY = 60.0, 3600.0
"""Seconds between two lines about a host that can't be reached, and between two hints about the CA to one machine:
programs try again for hours, and blocked telemetry would fill the window."""

_LONGEST_REASON = 300
"""Characters."""

_PROXY_PROTOCOL = (b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n")
"""The beginnings of its two versions (haproxy.org/download/3.0/doc/proxy-protocol.txt, sections 2.1 and 2.2)."""

_NOT_SHOWN = "The client has sent no token."
_ADMIN = "This port is the admin server's, which isn't reached by the proxy."
_REPLAYS = "A recording is replayed: nothing is sent."


class InForce(Protocol):
    """The state that the current options give."""

    settings: Settings
    routes: Routes
    requires_token: bool
    """Clients on other machines must authenticate before anything else."""
    runtime: Runtime
    process: Process
    lends_key: bool
    """The key may be lent (`listeners.why_key_is_not_lent`)."""

    async def retire(self) -> None:
        """Hand over to another worker, and wait until no client needs this one."""


class Connections:
    """Limits the addon to its own hosts: connections to others stay encrypted and out of the log."""

    name = "hunyuan_connections"

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force
        self._quiet = QuietConnections(self._foreign, lambda: is_verbose(option))
        self._faults, self._hints = Repeated(_FAULTS_EVERY), Repeated(_HINTS_EVERY)

    def running(self) -> None:
        """Keep other hosts out of the log; warn about reverse ports whose target isn't repaired, and about the platform
        that was shut down if clients can address it here.
        """
        logging.getLogger(logs.CONNECTIONS).addFilter(self._quiet)
        targets = self._reverse_targets()
        for target in targets:
            if not self._known(target):
                line = say(
                    "{host} is no known host: requests for it pass unchanged. hunyuan_hosts={host} would repair them.",
                    host=target,
                )
                logger.warning("%s", line)
        if self._in_force.settings.upstream is None:
            chosen = _one_of_each_platform() if self._clients_choose() else []
            for host in dict.fromkeys([*map(str.lower, targets), *chosen]):
                if gone := profiles.shut_down(host):
                    logger.warning(
                        "%s",
                        say(
                            "{host} WAS SHUT DOWN on {day}: requests to it get no answer. "
                            "--set hunyuan_upstream={url} sends them to its successor, which needs a key of its own.",
                            host=host,
                            day=gone.shut_down,
                            url=gone.moved_to,
                        ),
                    )

    def done(self) -> None:
        """Undo `running`, at the end or at a hot reload."""
        logging.getLogger(logs.CONNECTIONS).removeFilter(self._quiet)

    def client_connected(self, client: Client) -> Awaitable[None] | None:
        """Hold connections during startup; reject remote ones until the listener is bound to this machine."""
        if self._comes_from_outside(client):
            self._in_force.runtime.unauthenticated.add(client)
        if proxy_modes.is_exposed(client.proxy_mode, ctx.options.listen_host, client.sockname[0]):
            client.error = "No listen address was given: only this machine may connect."
        elif not self._in_force.process.starting.over:
            return self._wait(client)
        return None

    async def _wait(self, client: Client) -> None:
        client.error = await self._in_force.process.starting.wait()
        handler = _handler_of(client)
        if handler is not None:
            replace_reader(handler, LateReader)

    def socks5_auth(self, data: Socks5AuthData) -> None:
        """Note that proxyauth, which runs before scripts, has accepted the client's password."""
        if data.valid:
            self._in_force.runtime.unauthenticated.remove(data.client_conn)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse tunnels of unknown clients to other hosts: this isn't an open proxy."""
        client, signed_in = flow.client_conn, "proxyauth" in flow.metadata
        if signed_in:
            self._in_force.runtime.unauthenticated.remove(client)
        if flow.response is None:
            refusal = callers.tunnel_refused(
                signed_in=signed_in,
                known_host=self._known(flow.request.host),
                requires_token=self._must_authenticate(client),
            )
            if refusal is not None:
                flow.response = http.Response.make(refusal.status, refusal.body, refusal.headers)

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """Sign in at the proxy by which requests of a reverse port leave."""
        way_out.sign_in(flow, self._in_force.settings.outgoing_proxy)

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Refuse upstream connections of unauthenticated clients: SOCKS, transparent mode, raw TCP.

        All of them while a recording is replayed.

        And those of clients on other machines to the port of the admin server, by whatever name: there they would be
        on this machine. Others have `CONNECT_TIMEOUT`, to a known host.
        """
        if self._in_force.settings.answer_cache == "replay":
            data.server.error = _REPLAYS
        elif self._in_force.requires_token and data.client in self._in_force.runtime.unauthenticated:
            data.server.error = _NOT_SHOWN
        elif self._leads_to_admin(data):
            data.server.error = _ADMIN
        elif data.server.address and self._in_force.routes.trusts(data.server.address[0]):
            handler = _handler_of(data.client)
            if handler is not None:
                limit_connecting(handler, data.server, CONNECT_TIMEOUT)

    def _leads_to_admin(self, data: server_hooks.ServerConnectionHookData) -> bool:
        admin, address = self._in_force.runtime.admin.address, data.server.address
        if admin is None or not address or address[1] != admin.port:
            return False
        return not callers.is_on_this_machine(data.client.peername[0], self._in_force.settings)

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Pass TLS to other hosts through without decrypting it."""
        if not self._sees_all(data.context):
            address, sni = data.context.server.address, data.client_hello.sni
            target = address[0] if address else None
            data.ignore_connection = not host_names.decrypts(sni, target, self._in_force.routes.hosts)
            if data.ignore_connection and sni and self._known(sni):
                line = say("A tunnel to another host names {host} in its TLS handshake: it passes untouched.", host=sni)
                logger.info("%s", line)

    def tls_start_server(self, data: tls.TlsData) -> None:
        """Verify a known host's certificate for the name that is connected to, whatever SNI the client sent.

        mitmproxy would use the client's SNI. Its tlsconfig, which runs after scripts, keeps the one set here.
        """
        address = data.conn.address if isinstance(data.conn, Server) else None
        if address and self._in_force.routes.trusts(address[0]):
            data.conn.sni = host_names.canonical(address[0])

    def quic_start_server(self, data: quic.QuicTlsData) -> None:
        """The same for HTTP/3."""
        self.tls_start_server(data)

    def next_layer(self, data: layer.NextLayer) -> None:
        """Pass anything but TLS in a tunnel to another host through unread: SSH, plain HTTP by CONNECT."""
        context = data.context
        if not data.layer and data.data_client().startswith(_PROXY_PROTOCOL):
            self._say_proxy_protocol(context.client.peername[0])
            handler = _handler_of(context.client)
            # Its second version would be read as the beginning of a request that never comes.
            if handler is not None and (sent_by := transport(handler)) is not None:
                sent_by.close()
        address = context.server.address
        if data.layer or self._sees_all(context) or context.client.transport_protocol != "tcp" or not address:
            return
        if not (context.client.tls or self._known(address[0]) or data.data_client().startswith(b"\x16")):
            data.layer = layers.TCPLayer(context, ignore=True)

    def _say_proxy_protocol(self, address: str) -> None:
        """Log what to do about a balancer that tells clients' addresses in a way that mitmproxy doesn't read."""
        if self._hints.ask((address, _PROXY_PROTOCOL), time.monotonic()) is not None:
            line = say(
                "A connection from {address} begins with the PROXY protocol, which isn't read here: take it out of the "
                "balancer (HAProxy: send-proxy). All its clients have its address, so set "
                "hunyuan_trust_loopback=false, and the key is lent by token only.",
                address=address,
            )
            logger.warning("%s", line)

    def server_connect_error(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Log which host can't be reached, and a hint if it is of the old platform, which has been shut down."""
        if data.server.error in (_NOT_SHOWN, _REPLAYS) or not data.server.address:
            return
        host, why = safe_text.plain(data.server.address[0]), _why(data.server)
        is_told = self._fault(host, say("{host} can't be reached: {why}", host=host, why=why))
        if is_told and self._in_force.settings.upstream is None and profiles.shut_down(host):
            logger.warning(say("hunyuan_upstream=URL would send the requests for {host} elsewhere.", host=host))

    def tls_failed_server(self, data: tls.TlsData) -> None:
        """Log with which host TLS fails, and why."""
        address = data.conn.address if isinstance(data.conn, Server) else None
        if address:
            host = safe_text.plain(address[0])
            self._fault(host, say("TLS with {host} failed: {why}", host=host, why=_why(data.conn)))

    def tls_failed_client(self, data: tls.TlsData) -> None:
        """Log what helps a client that doesn't trust the proxy's certificate: once an hour to each machine."""
        client = data.context.client
        host = safe_text.plain(client.sni or (data.context.server.address or ("",))[0])
        if not self._known(host) or not data.context.server.address:
            line = say("TLS with a client for {host} failed: {why}", host=host or "?", why=_why(client))
            self._fault(host, line)
        elif self._hints.ask(client.peername[0], time.monotonic()) is not None:
            confdir = Path(ctx.options.confdir).expanduser().absolute()
            env = command("env")
            line = say(
                "TLS with a client for {host} failed; most likely it doesn't trust the proxy's CA. Start it anew in a "
                "shell after {command}, which sets SSL_CERT_FILE={bundle} (Python, curl, Rust) and "
                "NODE_EXTRA_CA_CERTS={ca} (Node).",
                host=host,
                command=env if operating_system.is_windows() else f'eval "$({env})"',
                bundle=authority.bundle_file(confdir),
                ca=authority.ca_file(confdir),
            )
            logger.warning("%s", line)

    def _fault(self, host: str, line: str) -> bool:
        """Log `line` about `host`, unless the last one is less than a minute old. Returns whether."""
        kept_back = self._faults.ask(host, time.monotonic())
        if kept_back:
            line = say("{line} ({count} more since the last such line)", line=line, count=kept_back)
        if kept_back is not None:
            logger.warning("%s", line)
        return kept_back is not None

    def _must_authenticate(self, client: Client) -> bool:
        return self._in_force.requires_token and self._comes_from_outside(client)

    def _comes_from_outside(self, client: Client) -> bool:
        return proxy_modes.comes_from_outside(client.proxy_mode, client.peername[0], self._in_force.settings)

    def _known(self, host: str) -> bool:
        return self._in_force.routes.known(host)

    def _sees_all(self, context: Context) -> bool:
        reverse = isinstance(context.client.proxy_mode, mode_specs.ReverseMode)
        return self._in_force.settings.intercept_all or reverse

    def _foreign(self, host: str) -> bool:
        known = self._known(host) or host in self._reverse_targets()
        return not known and not self._in_force.settings.intercept_all

    @staticmethod
    def _clients_choose() -> bool:
        """Whether there is a mode in which the client says which host it wants."""
        fixed = (mode_specs.ReverseMode, mode_specs.DnsMode)
        return any(not isinstance(mode, fixed) for mode in proxy_modes.modes_of(option))

    @staticmethod
    def _reverse_targets() -> list[str]:
        modes = proxy_modes.modes_of(option)
        return [mode.address[0] for mode in modes if isinstance(mode, mode_specs.ReverseMode)]


def _handler_of(client: Client) -> ConnectionHandler | None:
    """What serves the connection of `client`; `None` for a replayed request."""
    proxyserver = ctx.master.addons.get("proxyserver")
    return proxyserver.connections.get(client.id) if proxyserver else None


def _why(failed: Connection) -> str:
    """Why a connection failed, in mitmproxy's words, which may quote the other side's certificate."""
    return safe_text.line(failed.error or "?", _LONGEST_REASON)


def _one_of_each_platform() -> list[str]:
    """A host of each platform that has been shut down: it may have many, and a line for each says nothing more."""
    found: dict[str, str] = {}
    for host in profiles.by_host():
        if gone := profiles.shut_down(host):
            found.setdefault(gone.moved_to or host, host)
    return list(found.values())
