"""Whether the proxy is up, for what watches it: `GET /health`, answered without a look at any endpoint."""

from __future__ import annotations

from ..exchange import Response
from ..wire import json_body

PATH = "/health"
SERVICE = "hunyuan-fix"


def answered_here(method: str, path: str) -> Response | None:
    """The answer to a request for the proxy's health; `None` for any other. `path`: without its query.

    While the proxy ends, the request is refused with a 503 before this, as any other.
    """
    if method not in ("GET", "HEAD") or path != PATH:
        return None
    body = json_body.serialise({"status": "ok", "service": SERVICE})
    return Response(200, {"content-type": "application/json"}, body if method == "GET" else b"")
