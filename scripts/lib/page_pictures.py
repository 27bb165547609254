"""The pictures of the page in a browser, before real requests, in its own light and dark theme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from scripts.lib import pictured_session
from scripts.lib.browser import Page
from scripts.lib.pictured_traffic import AGENT_TURN, Clients

SIZE = (1180, 820)
"""CSS pixels of the window. A page of GitHub shows a picture 840 pixels wide."""
SCALE = 1.25
_LOADED = """
Promise.all([document.fonts.ready, ...[...document.images]
  .filter(image => image.getBoundingClientRect().top < innerHeight)
  .map(image => image.decode().catch(() => null))]).then(() => true)
"""
"""What is seen is drawn. Images further down are loaded when somebody scrolls there."""
_THEMES = ("light", "dark")


def take(page: Page, admin: str, clients: Clients, language: str, suffix: str) -> Iterator[tuple[str, bytes]]:
    """File name and content of each picture. `admin`: the admin server's URL. Raises `BrowserError`."""
    pictured_session.send(clients, pictured_session.draw(page))
    page.resize(*SIZE, SCALE)
    _speak(page, admin, language)
    exchanges = _listed(admin)
    changed = next(one for one in exchanges if one["program"] == "opencode" and one["model"] == AGENT_TURN["model"])
    session = next(one["session"] for one in exchanges if one.get("session_named") and one["program"] == "opencode")
    views = {
        "overview": ("", "main canvas"),
        "exchange": (f"exchanges/{changed['id']}", "#exchange-sides ol.pairs li"),
        "session": (f"sessions/{session}", "main .breaks .panes"),
        "images": ("images", "main img"),
    }
    for name, (address, shown) in views.items():
        for theme in _THEMES:
            page.prefer(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
            page.open("about:blank")  # a change of what stands behind # alone would load nothing
            page.open(f"{admin}/#/{address}")
            page.wait_for(f"document.querySelector('{shown}')")
            if name == "exchange":  # both sides, which stand below what was changed
                page.wait_for("(document.querySelector('#exchange-sides').scrollIntoView(), true)")
            page.value(_LOADED)
            yield f"page-{name}{suffix}-{theme}.png", page.picture()
    page.prefer()


def _speak(page: Page, admin: str, language: str) -> None:
    """Choose the page's language, as its reader would."""
    page.open(f"{admin}/")
    page.wait_for("document.querySelector('main h1')")
    page.wait_for(f"(localStorage.setItem('hunyuan-fix-language', '{language}'), true)")


def _listed(admin: str) -> list[dict[str, Any]]:
    """The exchanges that the page lists."""
    return list(httpx.get(f"{admin}/api/exchanges", params={"limit": 200}, trust_env=False).json()["exchanges"])
