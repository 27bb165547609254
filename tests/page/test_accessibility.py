"""Everybody can use the page: nothing that axe-core finds wrong, by keyboard alone, narrow, and without any network.

`VIEWS` is what is looked at: a view that isn't in it isn't held to this.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

import pytest

from hunyuan_fix import events
from scripts.lib.browser import Page
from tests.page import axe, traffic
from tests.page.conftest import Watch, Watched
from tests.page.fed import fed

VIEWS = (
    *(
        "",
        "exchanges",
        "exchanges?status=failed",
        "exchanges?model=nobody",
        "exchanges/{exchange}",
        "exchanges/unknown",
    ),
    *("sessions", "sessions/{session}", "images", "settings"),
)
"""Addresses; `{exchange}` and `{session}` are those of one that there is."""
_UNSAID = re.compile(r"\b(null|undefined|NaN)\b|\[object ")
_LOOKS = [
    (width, colours, language) for width in (1280, 375) for colours in ("light", "dark") for language in ("en", "zh")
]


@pytest.fixture(scope="module")
def busy(watch: Watch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A proxy that has seen calls in all formats, and one that failed."""
    options, environment = traffic.options(tmp_path_factory.mktemp("secrets"))
    with watch(*options, environment=environment) as running:
        assert set(traffic.in_all_formats(running).values()) == {200}
        assert traffic.that_fails(running).status_code == 500
        yield running


@pytest.fixture(scope="module")
def script() -> str:
    return axe.source()


def opened(browser: Page, busy: Watched, view: str, language: str = "en") -> None:
    """The view, once it shows its title and has asked for what it shows."""
    one = busy.get("/api/exchanges", limit="1").json()["exchanges"][0]
    browser.open("about:blank")
    browser.open(f"{busy.admin}/page/icon.svg")
    browser.value(f"localStorage.setItem('hunyuan-fix-language', {language!r}); 0")
    browser.open(f"{busy.admin}/#/{view.format(exchange=one['id'], session=one['session'])}")
    browser.wait_for("document.querySelector('main h1')")
    browser.wait_for("!document.querySelector('main [aria-busy=true]')")


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_keeps_anybody_out(busy: Watched, browser: Page, script: str, view: str) -> None:
    found = {}
    for width, colours, language in _LOOKS:
        browser.resize(width, 900)
        browser.prefer(prefers_color_scheme=colours)
        opened(browser, busy, view, language)
        if wrong := axe.violations(browser, script):
            found[f"{width} {colours} {language}"] = wrong
        assert browser.value("document.documentElement.scrollWidth") <= width, "it scrolls sideways"
        said = browser.value("document.querySelector('main').innerText")
        if "{exchange}" not in view:  # whose JSON may say so
            assert not _UNSAID.search(said), "a value that isn't there was shown"
    browser.prefer()
    browser.resize(1280, 900)
    assert not found, json.dumps(found, indent=1)


@pytest.mark.parametrize("view", VIEWS)
def test_all_that_can_be_used_is_reached_by_keyboard_and_seen(busy: Watched, browser: Page, view: str) -> None:
    opened(browser, busy, view)
    wanted = browser.value(
        "[...document.querySelectorAll('a[href], button, select, input, summary, textarea, [tabindex=\"0\"]')]"
        ".filter(one => !one.disabled && one.checkVisibility({visibilityProperty: true}))"
        ".map((one, at) => (one.dataset.walked = at)).length"
    )
    assert wanted > 5
    reached = set()
    for _ in range(wanted + 5):
        browser.press("Tab")
        at = browser.value("document.activeElement?.dataset.walked ?? null")
        if at is not None:
            reached.add(at)
            outline = browser.value("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", browser.value("document.activeElement.outerHTML.slice(0, 200)")
    missed = [at for at in map(str, range(wanted)) if at not in reached]
    assert not missed, browser.value(f"document.querySelector('[data-walked=\"{missed[0]}\"]').outerHTML.slice(0, 200)")


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_asked_of_another_host_and_nothing_is_forbidden(busy: Watched, browser: Page, view: str) -> None:
    browser.open("about:blank")
    browser.watch()
    opened(browser, busy, view)
    browser.value("new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 0)))")
    asked = [url for url in browser.requested if not url.startswith(("data:", "about:", "blob:"))]
    assert len(asked) > 5 and all(url.startswith(f"{busy.admin}/") for url in asked), asked
    unknown = [one for one in browser.complaints if "/api/exchanges/unknown" not in one]
    assert not unknown


def test_headings_come_in_order(busy: Watched, browser: Page) -> None:
    for view in VIEWS:
        opened(browser, busy, view)
        levels = browser.value(
            "[...document.querySelectorAll('main h1, main h2, main h3, main h4')].map(one => +one.tagName[1])"
        )
        assert levels[0] == 1 and levels.count(1) == 1, view
        assert all(later - level <= 1 for level, later in itertools.pairwise(levels)), (view, levels)


STATUS = {
    "draining": True,
    "checks": [{"name": "disk", "state": "degraded", "message": "It is full."}],
    "alerts": [{"state": "firing", "summary": "One request in ten fails.", "action": "Look at the last errors."}],
    "breaker": {"open": ["api.example"]},
    "slots": {"accounts": [{"limit": 5, "taken": 5, "waiting": 1}]},
    "budgets": [{"budget": "anna", "unit": "CNY", "limit": 1.0, "spent": 1.5, "held": 0.0, "resets": 1.8e9}],
    "workers": [
        {"number": 1, "pid": 4711, "since": 1.7e9, "ready": True, "leaving": False, "exchanges": 3},
        {"number": 2, "pid": 4712, "since": None, "ready": False, "leaving": True, "exchanges": 0},
    ],
}
"""All that may need attention."""


@pytest.mark.parametrize("view", ["", "exchanges"])
def test_nothing_keeps_anybody_out_when_all_goes_wrong(browser: Page, script: str, view: str) -> None:
    with fed() as server:
        server.shown.status = lambda _: STATUS
        server.exchanges(3, status=503, error="upstream_overloaded")
        (waits,) = server.exchanges(1, over=False)
        server.tell(events.QUEUED, waits)
        (id,) = server.exchanges(1, left=True, how="failed", status=None)
        server.tell(events.PAID, id, amount=10**10, currency="CNY", usage={"input": 1000, "cached": 500, "output": 7})
        for width, colours in ((1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")):
            browser.resize(width, 900)
            browser.prefer(prefers_color_scheme=colours)
            browser.open("about:blank")
            browser.open(f"{server.admin}/#/{view}")
            browser.wait_for("document.querySelector('main h1')")
            browser.value("document.querySelectorAll('details').forEach(one => { one.open = true; }); 0")
            assert not axe.violations(browser, script)
            assert browser.value("document.documentElement.scrollWidth") <= width
        if not view:
            said = browser.text()
            for text in (
                "One request in ten fails.",
                "api.example",
                "disk",
                "It is full.",
                "anna",
                "Waiting for a slot: 1",
                "4712",
            ):
                assert text in said, text
    browser.prefer()
    browser.resize(1280, 900)
