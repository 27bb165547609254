"""A stand-in for the proxy that records what a client does with the user's environment. No network, no endpoint.

The client is given this server's address both as its proxy and as the page to fetch, so every connection comes here:
with CONNECT if the client uses its proxy, with TLS at once if it doesn't. The certificate is made by the proxy's CA, so
the handshake shows whether the client trusts it.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...hooks.authority import key_file
from .. import mitmproxy_api
from ..addresses import HOST
from .proxy_address import EXCEPTION_VARIABLES, PROXY_VARIABLES

TIMEOUT = 10.0
"""Seconds that a client may take."""

_TLS_HANDSHAKE = b"\x16"
_TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_REPLACED = {*PROXY_VARIABLES, *EXCEPTION_VARIABLES, "ALL_PROXY", "all_proxy"}


@dataclass(frozen=True, slots=True)
class Visit:
    """What a client did."""

    proxied: bool
    """It used its proxy."""
    trusted: bool
    """It accepted a certificate of the proxy's CA."""


def server_context(confdir: Path) -> ssl.SSLContext:
    """TLS with a certificate for this machine by the CA in `confdir`.

    Raises `OSError`, and `ValueError` for a CA that can't be read.
    """
    certificate = mitmproxy_api.certificate_for(confdir, HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder, "leaf.pem")
        chain.write_bytes(certificate)
        # All of mitmproxy's certificates have its CA's key, so no copy of the key needs to be written.
        context.load_cert_chain(chain, key_file(confdir))
    return context


def visit(
    command: Callable[[str], list[str]],
    environment: Mapping[str, str],
    context: ssl.SSLContext,
    *,
    timeout: float = TIMEOUT,
) -> Visit | None:
    """Run `command(url)`, a client that asks for `url`, and return what it did; `None` if it made no connection.

    It gets `environment` with the proxy variables replaced by this server, and `timeout` seconds. Raises `OSError` if
    it can't be started.
    """
    visits: list[Visit] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen = _serve(self.request, context)
            if seen is not None:
                visits.append(seen)

    with socketserver.ThreadingTCPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            port = server.server_address[1]
            own = {name: value for name, value in environment.items() if name not in _REPLACED}
            proxies = dict.fromkeys(PROXY_VARIABLES, f"http://{HOST}:{port}")
            _run(command(f"https://{HOST}:{port}/"), own | proxies, timeout)
        finally:
            server.shutdown()
            thread.join()
    return visits[0] if visits else None


def _run(command: list[str], environment: Mapping[str, str], timeout: float) -> None:
    try:
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return


def _serve(connection: socket.socket, context: ssl.SSLContext) -> Visit | None:
    connection.settimeout(TIMEOUT)
    try:
        first = connection.recv(1, socket.MSG_PEEK)
        if not first:
            return None
        proxied = first != _TLS_HANDSHAKE
        if proxied:
            _read_head(connection)
            connection.sendall(_TUNNEL)
    except OSError:
        return None
    try:
        with context.wrap_socket(connection, server_side=True) as tunnel:
            trusted = bool(tunnel.recv(65536))
            tunnel.sendall(_ANSWER)
    except OSError:
        trusted = False
    return Visit(proxied, trusted)


def _read_head(connection: socket.socket) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < 65536:
        byte = connection.recv(1)
        if not byte:
            raise ConnectionResetError
        head += byte
