"""The overview and the list before a live proxy: clients of all formats, an endpoint that fails, nothing at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.browser import Page
from tests.page import traffic
from tests.page.conftest import Watch, Watched, show


@pytest.fixture
def proxy(watch: Watch, tmp_path: Path) -> Iterator[Watched]:
    """One that nobody has used."""
    options, environment = traffic.options(tmp_path)
    with watch(*options, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def used(watch: Watch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One that clients of all formats have used three times, and whose endpoint has failed once."""
    options, environment = traffic.options(tmp_path_factory.mktemp("secrets"))
    with watch(*options, environment=environment) as running:
        for _ in range(3):
            traffic.in_all_formats(running)
        assert traffic.that_fails(running).status_code == 500
        yield running


def test_before_anything_came_it_says_how_to_point_a_client_here(proxy: Watched, browser: Page) -> None:
    show(browser, proxy)
    shown = browser.wait_for_text("main", "Nothing has come yet", "scripts/run -- claude", "scripts/env")
    assert f"HTTPS_PROXY=http://127.0.0.1:{proxy.proxy.port}" in shown
    assert f"OPENAI_BASE_URL=http://127.0.0.1:{proxy.proxy.reverse_port}/v1" in shown
    browser.click(".copyable button", "Copy")  # it may be forbidden where nobody looks: then the text can be selected
    assert browser.value(
        "document.querySelectorAll('.chart canvas').length === 0 || document.querySelector('.minutes').hidden"
    )


def test_clients_of_all_formats_appear_while_one_looks(proxy: Watched, browser: Page) -> None:
    show(browser, proxy, "exchanges")
    browser.wait_for_text(".state .tag", "live")
    clients = [threading.Thread(target=traffic.in_all_formats, args=(proxy,)) for _ in range(3)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    browser.wait_for("document.querySelectorAll('.list tbody tr').length === 15")
    browser.wait_for("[...document.querySelectorAll('.of-status')].every(cell => cell.innerText.startsWith('200'))")
    shown = browser.text()
    for name in ("Chat", "Messages", "Responses", "Tencent Cloud", "Embeddings", "opencode", "claude-code", "codex"):
        assert name in shown, name
    assert "roles" in shown  # what was changed


def test_an_endpoint_that_fails_is_what_one_sees_first(used: Watched, browser: Page) -> None:
    show(browser, used)
    browser.wait_for_text("main .matters", "In the last five minutes failed: 1")
    browser.click("main .matters a", "Show them")
    browser.wait_for_text(".list tbody tr", "500 endpoint's error")
    assert browser.value("document.querySelectorAll('.list tbody tr').length") == 1


def test_each_chart_says_what_it_shows_and_has_its_figures(used: Watched, browser: Page) -> None:
    show(browser, used)
    browser.wait_for("document.querySelector('.chart canvas')?.getAttribute('aria-label').includes('16 exchanges')")
    browser.click(".chart summary", "Figures")
    browser.wait_for_text(".chart table", "Minute", "refused by the proxy", "endpoint's errors")
    counted = browser.value(
        "[...document.querySelectorAll('.chart:first-child tbody tr')].flatMap(row => [...row.querySelectorAll('td')])"
        ".reduce((all, cell) => all + Number(cell.innerText), 0)"
    )
    assert counted == 16
    said = browser.value(
        "[...document.querySelectorAll('.chart:not([hidden]) canvas')].map(one => one.getAttribute('aria-label'))"
    )
    assert len(said) >= 4 and all(": " in one for one in said)


def test_charts_have_the_themes_colours_and_the_pages_width(used: Watched, browser: Page) -> None:
    show(browser, used)
    browser.wait_for("document.querySelector('.chart canvas')?.getAttribute('aria-label').includes(': ')")
    colour = "Chart.getChart(document.querySelector('.chart canvas')).data.datasets[0].backgroundColor"
    light = browser.value(colour)
    browser.prefer(prefers_color_scheme="dark")
    dark = browser.wait_for(f"{colour} !== {light!r} && {colour}")
    assert {light, dark} == {"#0f766e", "#3fa79b"}
    browser.prefer()
    wide = browser.value("document.querySelector('.chart canvas').clientWidth")
    browser.resize(375, 900)
    browser.wait_for(f"document.querySelector('.chart canvas').clientWidth < Math.min({wide}, 375)")
    browser.resize(1280, 900)
    assert browser.value("Chart.getChart(document.querySelector('.chart canvas')).options.animation") is False
