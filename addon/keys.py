"""Lending the user's API key to clients that have none."""

from __future__ import annotations

import os
from collections.abc import Mapping

from addon.startup import is_loopback

VARIABLE = "HUNYUAN_API_KEY"
"""The environment variable that the key is in. Never an option: mitmweb shows options to whoever opens it."""


def lent(headers: Mapping[str, str], client: str, *, to_host: str, encrypted: bool) -> str | None:
    """The `Authorization` to put on a request, `None` if it keeps its own or gets none.

    The key goes only to requests without a key of their own, from a `client` (address) on this machine, and
    never to one that carries `Origin`: any web page can make a browser on this machine send a request. Nor
    does it leave this machine unencrypted.
    """
    key = os.environ.get(VARIABLE, "").strip()
    if not key or "origin" in headers or not is_loopback(client):
        return None
    if not (encrypted or is_loopback(to_host)):
        return None
    own = headers.get("authorization", "").strip()
    return None if own and own.lower() != "bearer" else f"Bearer {key}"
