"""`GET /health` on a port that stands for an endpoint: the port answers, and takes requests.

It looks at no check: the same 200 with the same body since there is such a port, a 503 once the process is about to
end. What restarts a container hangs on it, and clients from elsewhere may ask. How the proxy's parts are, and whether
it is ready, is told by the admin server.
"""

from __future__ import annotations

from ...exchange import Response
from ...wire import json_body

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
