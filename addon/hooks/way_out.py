"""The HTTP proxy by which requests of a reverse port leave: mitmproxy has one for its upstream mode alone."""

from __future__ import annotations

import base64
from urllib.parse import unquote, urlsplit

from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.net.server_spec import ServerSpec

from ..wire.host_names import is_loopback


def lead(flow: http.HTTPFlow, proxy: str | None) -> None:
    """Let the request of `flow` leave by `proxy`, a URL, unless it goes to this machine. To be called at its headers.

    mitmproxy takes the proxy from `server_conn`, which becomes a new one: that of the client's connection is shared.
    """
    if proxy is None or is_loopback(flow.request.host):
        return
    server = Server(address=(flow.request.host, flow.request.port))
    server.via = _address(proxy)
    flow.server_conn = server


def sign_in(flow: http.HTTPFlow, proxy: str | None) -> None:
    """Put the login of `proxy` on `flow`, the CONNECT that mitmproxy sends to it."""
    url = urlsplit(proxy or "")
    if not proxy or url.username is None or flow.server_conn.address != _address(proxy)[1]:
        return
    login = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
    flow.request.headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login).decode()}"


def _address(proxy: str) -> ServerSpec:
    url = urlsplit(proxy)
    if url.scheme == "https":
        return "https", (url.hostname or "", url.port or 443)
    return "http", (url.hostname or "", url.port or 80)
