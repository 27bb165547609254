"""Whether the proxy that runs says that it is well, and what is plugged into it: what its admin server answers."""

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


def plugins(situation: Situation) -> Finding | None:
    """Which plug-ins the proxy says that it has loaded; `None` where it has none, or doesn't say."""
    named = _rows(situation, "plugins")
    broken = [f"{row.get('name')} ({row.get('why')})" for row in named if not row.get("loaded")]
    if broken:
        found = Sentence("plug-ins that could not be loaded: {names}", names=", ".join(broken))
        return Finding("admin/plugins", "warning", found, Sentence("mend their code and start the proxy again"))
    loaded = ", ".join(str(row.get("name")) for row in named)
    return Finding("admin/plugins", "info", Sentence("plug-ins: {names}", names=loaded)) if loaded else None


def keys(situation: Situation) -> Finding | None:
    """For which providers `hunyuan_keys_file` names keys, and which of them there are; `None` where it names none."""
    named = _rows(situation, "keys")
    missing = ", ".join(str(row.get("name")) for row in named if not row.get("set"))
    if missing:
        found = Sentence("hunyuan_keys_file: no key for {names}, whose variables aren't set", names=missing)
        advice = Sentence("set them where the proxy is started, and start it again")
        return Finding("key/providers", "warning", found, advice)
    there = ", ".join(str(row.get("name")) for row in named)
    return (
        Finding("key/providers", "ok", Sentence("hunyuan_keys_file: keys for {names}", names=there)) if there else None
    )


def _rows(situation: Situation, name: str) -> list[dict[str, object]]:
    """The rows of `name` in `/status`; empty where there are none, or where nobody answers."""
    if not situation.admin_url:
        return []
    try:
        with httpx.Client(trust_env=False, timeout=TIMEOUT) as client:
            status = client.get(f"{situation.admin_url}/status").json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return []
    rows = status.get(name) if isinstance(status, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
