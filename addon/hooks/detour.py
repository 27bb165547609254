"""The detour of a flow by the relay: mitmproxy is sent there, and the flow shows where its request really goes."""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.connection import Server

from ..relay.job import LOOPBACK, RELAY_HEADER
from .mitmproxy_internals import flows

KEY = "hunyuan_fix_detour"
"""The key in `flow.metadata`. Plain data, so that the flow can be saved (docs/facts/mitmproxy.md#metadata)."""

_LENGTH = "content-length"


def divert(flow: http.HTTPFlow, port: int, secret: str) -> None:
    """Let mitmproxy send the request of `flow` to the relay on `port`. To be called in the `request` hook.

    It goes to the relay in every mode: an upstream proxy is taken from `server_conn`, which is a new one from now on.
    """
    request = flow.request
    unframed = _LENGTH not in request.headers and "transfer-encoding" not in request.headers
    flow.metadata[KEY] = {
        "scheme": request.scheme,
        "host": request.host,
        "port": request.port,
        "added": [RELAY_HEADER, _LENGTH] if unframed else [RELAY_HEADER],
    }
    request.scheme = "http"
    flows.send_to(request, LOOPBACK, port)
    request.headers[RELAY_HEADER] = secret
    # An HTTP/2 request may have no length, and may have trailers. mitmproxy doesn't add the length when it sends the
    # request as HTTP/1.1, so the relay would read the body as the next request; trailers make mitmproxy crash.
    if unframed:
        request.headers[_LENGTH] = str(len(request.raw_content or b""))
    request.trailers = None
    flow.server_conn = Server(address=(LOOPBACK, port))


def restore(flow: http.HTTPFlow) -> None:
    """Let `flow` show the real scheme, host and port again, and no secret. Does nothing where there was no detour."""
    real = flow.metadata.pop(KEY, None)
    if real is None:
        return
    request = flow.request
    request.scheme = real["scheme"]
    flows.send_to(request, real["host"], real["port"])
    for name in real["added"]:
        request.headers.pop(name, None)
