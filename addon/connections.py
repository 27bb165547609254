"""The hooks for connections: who may connect, what is decrypted, what is said when one fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

from mitmproxy import ctx, http, tls
from mitmproxy.connection import Client, Server
from mitmproxy.proxy import layer, layers, mode_specs, server_hooks
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import quic
from mitmproxy.proxy.layers.modes import Socks5AuthData

from addon import access, authority, log, profiles, scope, startup
from addon.hooks.mitmproxy_internals import logs
from addon.hooks.mitmproxy_internals.connections import replace_reader
from addon.hooks.mitmproxy_internals.options import option
from addon.options import Settings
from addon.route import Routes
from addon.services import Services
from addon.starting import LateReader

logger = logging.getLogger("addon")

_NOT_SHOWN = "The client has shown no token."


class InForce(Protocol):
    """What is in force now, by the options."""

    settings: Settings
    routes: Routes
    guarded: bool
    """Clients of other machines may do nothing before they have shown who they are."""
    services: Services


class Connections:
    """Keeps this addon to its own hosts: connections to others pass unopened, and stay out of the log."""

    name = "hunyuan_connections"

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force
        self._quiet = scope.QuietConnections(self._foreign)

    def running(self) -> None:
        """Keep other hosts out of the log, and say what a reverse port would not repair, or not reach."""
        logging.getLogger(logs.CONNECTIONS).addFilter(self._quiet)
        for target in self._reverse_targets():
            if not self._known(target):
                logger.warning(
                    "%s is no known host: what comes in for it passes untouched. hunyuan_hosts=%s would change that.",
                    target,
                    target,
                )
            elif self._in_force.settings.upstream is None and (gone := profiles.shut_down(target)):
                logger.warning(log.SHUT_DOWN, target, gone.shut_down, gone.moved_to)

    def done(self) -> None:
        """End, or be replaced in a hot reload."""
        logging.getLogger(logs.CONNECTIONS).removeFilter(self._quiet)

    def client_connected(self, client: Client) -> Awaitable[None] | None:
        """Let who comes while mitmproxy starts wait; refuse who comes from elsewhere before that is closed to them."""
        self._in_force.services.outsiders.arrived(client)
        if startup.exposed(client.proxy_mode, ctx.options.listen_host, client.sockname[0]):
            client.error = "No listen address was given: only this machine may connect."
        elif not self._in_force.services.starting.over:
            return self._wait(client)
        return None

    async def _wait(self, client: Client) -> None:
        client.error = await self._in_force.services.starting.wait()
        proxyserver = ctx.master.addons.get("proxyserver")
        handler = proxyserver.connections.get(client.id) if proxyserver else None
        if handler is not None:
            replace_reader(handler, LateReader)

    def socks5_auth(self, data: Socks5AuthData) -> None:
        """Note who has signed in, after mitmproxy's proxyauth has looked."""
        if data.valid:
            self._in_force.services.outsiders.known(data.client_conn)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse a stranger's tunnel to other hosts: a proxy for clients with tokens is no way to everywhere."""
        client, signed_in = flow.client_conn, "proxyauth" in flow.metadata
        if signed_in:
            self._in_force.services.outsiders.known(client)
        if flow.response is None:
            refusal = access.tunnel_refused(
                signed_in=signed_in, known_host=self._known(flow.request.host), guarded=self._guards(client)
            )
            if refusal is not None:
                flow.response = http.Response.make(refusal.status, refusal.body, refusal.headers)

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Let nothing out for a client that nobody knows: SOCKS, transparent modes, raw TCP."""
        if self._in_force.guarded and data.client in self._in_force.services.outsiders:
            data.server.error = _NOT_SHOWN

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Let TLS to other hosts pass through unopened."""
        if not self._sees_all(data.context):
            address, sni = data.context.server.address, data.client_hello.sni
            target = address[0] if address else None
            data.ignore_connection = not scope.decrypts(sni, target, self._in_force.routes.hosts)
            if data.ignore_connection and sni and self._known(sni):
                logger.info("A tunnel to another host names %s in its TLS handshake: it passes untouched.", sni)

    def tls_start_server(self, data: tls.TlsData) -> None:
        """Check the certificate of a known host under the name that is connected to, whatever the client called it.

        mitmproxy's own choice would be the name in the client's handshake. Its tlsconfig, which comes after scripts,
        takes what stands here.
        """
        address = data.conn.address if isinstance(data.conn, Server) else None
        if address and self._in_force.routes.trusts(address[0]):
            data.conn.sni = scope.canonical(address[0])

    def quic_start_server(self, data: quic.QuicTlsData) -> None:
        """The same for HTTP/3."""
        self.tls_start_server(data)

    def next_layer(self, data: layer.NextLayer) -> None:
        """Let what isn't TLS in a tunnel to another host pass through unread: SSH, plain HTTP by CONNECT."""
        context = data.context
        address = context.server.address
        if data.layer or self._sees_all(context) or context.client.transport_protocol != "tcp" or not address:
            return
        if not (context.client.tls or self._known(address[0]) or data.data_client().startswith(b"\x16")):
            data.layer = layers.TCPLayer(context, ignore=True)

    def server_connect_error(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Say what to do when the endpoint can't be reached: the old platform has been shut down."""
        host = (data.server.address or ("",))[0]
        if data.server.error != _NOT_SHOWN and self._known(host) and self._in_force.settings.upstream is None:
            logger.warning(log.UNREACHABLE, host)

    def tls_failed_client(self, data: tls.TlsData) -> None:
        """Say what to do when a client doesn't trust the proxy's certificate."""
        host = data.context.client.sni or (data.context.server.address or ("",))[0]
        if self._known(host) and data.context.server.address:
            confdir = Path(ctx.options.confdir).expanduser().absolute()
            bundle = authority.bundle_file(confdir)
            missing = "" if bundle.exists() else log.NO_BUNDLE
            logger.warning(log.UNTRUSTED, host, bundle, authority.ca_file(confdir), missing)

    def _guards(self, client: Client) -> bool:
        return self._in_force.guarded and startup.comes_from_outside(client.proxy_mode, client.peername[0])

    def _known(self, host: str) -> bool:
        return self._in_force.routes.known(host)

    def _sees_all(self, context: Context) -> bool:
        reverse = isinstance(context.client.proxy_mode, mode_specs.ReverseMode)
        return self._in_force.settings.intercept_all or reverse

    def _foreign(self, host: str) -> bool:
        known = self._known(host) or host in self._reverse_targets()
        return not known and not self._in_force.settings.intercept_all

    @staticmethod
    def _reverse_targets() -> list[str]:
        modes = startup.modes_of(option)
        return [mode.address[0] for mode in modes if isinstance(mode, mode_specs.ReverseMode)]
