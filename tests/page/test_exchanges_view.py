"""The list of exchanges: live, paused while one reads, filtered by its address, bounded whatever comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from hunyuan_fix import events
from scripts.lib.browser import Page
from tests.page.fed import Fed, fed

ROWS = "document.querySelectorAll('.list tbody tr')"
FIRST = "document.querySelector('.list tbody tr')?.dataset.id"
STATE = ".state .tag"


@pytest.fixture
def server() -> Iterator[Fed]:
    with fed() as running:
        yield running


def show(browser: Page, server: Fed, address: str = "exchanges") -> None:
    browser.open("about:blank")
    browser.open(f"{server.admin}/#/{address}")
    browser.wait_for("document.querySelector('main h1')")


def live(browser: Page) -> None:
    """Until the page is connected: what is told from now on reaches it."""
    browser.wait_for_text(STATE, "live")


def test_an_empty_start_says_how_to_begin(server: Fed, browser: Page) -> None:
    show(browser, server)
    browser.wait_for_text("main .empty", "Nothing has come yet", "How to point a client here")
    live(browser)
    server.exchanges(1)
    browser.wait_for(f"{ROWS}.length === 1")


def test_a_row_says_what_came_and_what_became_of_it(server: Fed, browser: Page) -> None:
    told: dict[str, Any] = {
        "model": "claude-sonnet",
        "sent_model": "hy3",
        "first_token_ms": 250.0,
        "ms": 1500.0,
        "tries": 2,
    }
    (id,) = server.exchanges(1, **told, client="anna", rules=["a", "b", "c", "d", "e"], dialect="anthropic")
    server.tell(events.PAID, id, amount=2 * 10**12, currency="USD", usage={})
    (bad,) = server.exchanges(1, status=503, error="upstream_overloaded", usage={})
    show(browser, server)
    row = f".list tr[data-id='{id}']"
    texts = ("codex", "anna", "Messages", "claude-sonnet → hy3", "200 answered", "2 tries", "1.50 s", "250 ms", "50%")
    browser.wait_for_text(row, *texts, "1K / 10", "$2", "+2")
    browser.wait_for_text(f".list tr[data-id='{bad}']", "503 endpoint's error", "upstream_overloaded")
    assert (
        browser.value(f"document.querySelector({row!r}).querySelector('a').getAttribute('href')") == f"#/exchanges/{id}"
    )


def test_what_is_under_way_changes_in_its_place(server: Fed, browser: Page) -> None:
    (first,) = server.exchanges(1, over=False)
    show(browser, server)
    live(browser)
    server.exchanges(1)
    browser.wait_for(f"{ROWS}.length === 2")
    server.tell(events.QUEUED, first)
    browser.wait_for_text(f"tr[data-id='{first}']", "waits for a slot")
    browser.value(f"document.querySelector(`tr[data-id='{first}']`).mark = 1")
    server.tell(events.FIRST_BYTE, first, status=200)
    browser.wait_for_text(f"tr[data-id='{first}']", "answer comes")
    assert browser.value(f"{ROWS}[1].mark") == 1, "it is the same row, in the same place"


@pytest.mark.parametrize("reads", ["scrolls", "focuses", "selects", "presses"])
def test_nothing_moves_while_one_reads(server: Fed, browser: Page, reads: str) -> None:
    browser.resize(1280, 600)
    server.exchanges(40)
    show(browser, server)
    live(browser)
    first = browser.wait_for(FIRST)
    begin, end = {
        "scrolls": ("window.scrollTo(0, 600)", "window.scrollTo(0, 0)"),
        "focuses": ("document.querySelectorAll('.list a')[6].focus()", "document.activeElement.blur()"),
        "selects": (
            "document.getSelection().selectAllChildren(document.querySelector('.list .of-model'))",
            "document.getSelection().removeAllRanges()",
        ),
        "presses": ("document.querySelector('.state button:last-child').click()",) * 2,
    }[reads]
    browser.value(f"{begin};0")
    browser.wait_for_text(STATE, "paused")
    where = browser.value("document.querySelector('.list tbody tr:nth-child(9)').getBoundingClientRect().top")
    fresh = server.exchanges(12)
    browser.wait_for_text(".state button.main", "Show 12 new")
    assert browser.value(FIRST) == first
    at = browser.value("document.querySelector('.list tbody tr:nth-child(9)').getBoundingClientRect().top")
    assert abs(at - where) < 2
    browser.value(f"{end};0")
    browser.wait_for(f"{FIRST} === {fresh[-1]!r}")
    browser.wait_for_text(STATE, "live")
    browser.resize(1280, 900)


def test_what_is_new_is_shown_by_the_button(server: Fed, browser: Page) -> None:
    server.exchanges(40)
    show(browser, server)
    live(browser)
    browser.value("window.scrollTo(0, 600);0")
    browser.wait_for_text(STATE, "paused")
    fresh = server.exchanges(60)
    browser.click(".state button.main", "Show 50+ new")
    browser.wait_for(f"{FIRST} === {fresh[-1]!r} && scrollY === 0")


def test_filters_are_in_the_address_and_found_there(server: Fed, browser: Page) -> None:
    server.exchanges(3, model="deepseek")
    (bad,) = server.exchanges(1, status=500, error="x")
    server.exchanges(60)
    show(browser, server, "exchanges?status=failed")
    browser.wait_for(f"{ROWS}.length === 1 && {FIRST} === {bad!r}")
    browser.value("""(field => { field.value = ''; field.dispatchEvent(new Event('input', {bubbles: true})); })
        (document.querySelector('[name=status]'))""")
    browser.wait_for(f"{ROWS}.length === 50 && location.hash === '#/exchanges'")
    browser.value("""(field => { field.value = 'deepseek'; field.dispatchEvent(new Event('input', {bubbles: true})); })
        (document.querySelector('[name=model]'))""")
    browser.wait_for(f"{ROWS}.length === 3 && location.hash === '#/exchanges?model=deepseek'")
    live(browser)
    (fresh,) = server.exchanges(1, model="deepseek")
    server.exchanges(1)
    browser.wait_for(f"{ROWS}.length === 4 && {FIRST} === {fresh!r}")
    show(browser, server, "exchanges?model=nobody")
    browser.wait_for_text("main .empty", "No exchange fits")
    browser.click("main .empty a", "Show all")
    browser.wait_for(f"{ROWS}.length === 50")


def test_a_filter_that_can_not_be_used_is_said_in_words(server: Fed, browser: Page) -> None:
    show(browser, server, "exchanges?status=9xx")
    browser.wait_for_text("main [role=alert]", "status")


def test_older_ones_are_a_page_further(server: Fed, browser: Page) -> None:
    ids = server.exchanges(120)
    show(browser, server)
    browser.wait_for(f"{ROWS}.length === 50 && {FIRST} === {ids[-1]!r}")
    browser.click(".pager a", "Older")
    browser.wait_for(f"{FIRST} === {ids[-51]!r}")
    browser.wait_for_text(STATE, "older exchanges")
    browser.click(".pager a", "Older")
    browser.wait_for(f"{ROWS}.length === 20 && {FIRST} === {ids[19]!r}")
    browser.click(".pager a", "Back to the newest")
    browser.wait_for(f"{FIRST} === {ids[-1]!r}")


def test_a_lost_connection_is_said_and_what_came_meanwhile_is_shown(server: Fed, browser: Page) -> None:
    server.exchanges(1)
    show(browser, server)
    live(browser)
    browser.value("window.fetchBefore = fetch; window.fetch = () => Promise.reject(new TypeError('lost')); 0")
    server.run(server.live.close)
    browser.wait_for_text(STATE, "connection lost")
    server.exchanges(1)
    browser.value("window.fetch = window.fetchBefore; 0")
    browser.wait_for(f"{ROWS}.length === 2")
    live(browser)


def test_rows_are_walked_by_keyboard(server: Fed, browser: Page) -> None:
    ids = server.exchanges(5)
    show(browser, server)
    browser.wait_for(f"{ROWS}.length === 5")
    for _ in range(40):
        browser.press("Tab")
        if browser.value("document.activeElement.dataset.opens !== undefined"):
            break
    focused = "document.activeElement.closest('tr')?.dataset.id"
    assert browser.value(focused) == ids[4]
    browser.press("ArrowDown")
    browser.press("ArrowDown")
    browser.press("ArrowUp")
    assert browser.value(focused) == ids[3]
    browser.press("Enter")
    browser.wait_for(f"location.hash === '#/exchanges/{ids[3]}'")


def test_what_is_hostile_is_text(server: Fed, browser: Page) -> None:
    evil = "<img src=x onerror=document.title='evil'>"
    server.exchanges(1, model=evil, program=evil, client=evil, rules=[evil], error=evil, dialect=evil, status=500)
    show(browser, server)
    browser.wait_for_text(".list tbody", "<img src=x")
    assert browser.value("document.querySelectorAll('.list img').length") == 0
    assert "evil" not in browser.value("document.title")


def test_ten_thousand_behind_it_cost_the_first_paint_little_and_hours_of_events_no_memory(browser: Page) -> None:
    def painted(count: int) -> float:
        with fed() as server:
            server.exchanges(count)
            best = float("inf")
            for _ in range(3):
                browser.open("about:blank")
                began = time.monotonic()
                browser.open(f"{server.admin}/#/exchanges")
                browser.wait_for(f"{ROWS}.length === 50")
                best = min(best, time.monotonic() - began)
            assert browser.value("document.querySelectorAll('*').length") < 3000
            if count > 1000:
                streamed(server)
            return best

    def streamed(server: Fed) -> None:
        live(browser)
        for _ in range(4):  # so that all that is made once is made
            server.exchanges(100)
        browser.wait_for(f"{FIRST} === '00000000-0000-4000-8000-{server.number:012d}'")
        before = browser.heap()
        for _ in range(25):
            server.exchanges(100)  # 300 events
        browser.wait_for(f"{FIRST} === '00000000-0000-4000-8000-{server.number:012d}'")
        assert browser.value("document.querySelectorAll('*').length") < 3000
        assert browser.heap() - before < 3 << 20

    few, many = painted(100), painted(10_000)
    assert many < 4 * few
