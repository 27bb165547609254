"""The files of the page: no build step, nothing from another host."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Final

from ..exchange import Response

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but the page's own files runs, and nothing that it shows is fetched from elsewhere."""


def file(name: str) -> Response | None:
    """The file with this name, as it is served; `None`: there is none."""
    content_type = _TYPES.get(name.rpartition(".")[2])
    body = _read(name) if content_type and _NAME.fullmatch(name) else None
    if content_type is None or body is None:
        return None
    headers = {"content-type": content_type}
    if name.endswith(".html"):
        headers["content-security-policy"] = _POLICY
    return Response(200, headers, body)


@cache
def _read(name: str) -> bytes | None:
    found = resources.files(__package__).joinpath("static", name)
    return found.read_bytes() if found.is_file() else None
