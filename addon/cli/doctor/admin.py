"""Whether the proxy that runs says that it is well: what its admin server answers to probes."""

from __future__ import annotations

import httpx

from ...texts.sentence import Sentence
from .listeners import TIMEOUT
from .situation import Finding, Situation

_WORDS = frozenset({"ready", "starting", "draining", "unhealthy"})
"""What `/readyz` says (`observe.admin.rooms`)."""


def well(situation: Situation) -> Finding | None:
    """What `/readyz` says; `None` where there is no admin server."""
    url = situation.admin_url
    if not url:
        return None
    try:
        with httpx.Client(trust_env=False, timeout=TIMEOUT) as client:
            word = client.get(f"{url}/readyz").text.strip()
    except (httpx.HTTPError, httpx.InvalidURL):
        word = ""
    if word == "ready":
        return Finding("admin/ok", "ok", Sentence("the proxy is ready; {url}/status says more", url=url))
    if word in _WORDS:
        found = Sentence("{url}/readyz says {word}", url=url, word=word)
        return Finding("admin/not-ready", "warning", found, Sentence("look at the checks in {url}/status", url=url))
    found = Sentence("{url} doesn't answer", url=url)
    return Finding("admin/silent", "warning", found, Sentence("stop the proxy and start it again"))
