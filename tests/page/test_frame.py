"""The frame of the page: its views, its languages, its colours."""

from __future__ import annotations

import pytest

from scripts.lib.browser import Page
from tests.page.conftest import Watched, show


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("", "What goes on"),
        ("exchanges", "Exchanges"),
        ("sessions", "Sessions"),
        ("images", "Images"),
        ("settings", "Settings"),
    ],
)
def test_each_view_opens_by_its_address(watched: Watched, browser: Page, address: str, title: str) -> None:
    show(browser, watched, address)
    browser.wait_for_text("main h1", title)
    assert browser.wait_for("document.querySelector('#nav a[aria-current]')?.getAttribute('href')") == f"#/{address}"


def test_the_other_language_is_one_click_away(watched: Watched, browser: Page) -> None:
    show(browser, watched)
    browser.click("#tools button", "中文")
    browser.wait_for_text("main h1", "当前情况")
    browser.click("#tools button", "English")
    browser.wait_for_text("main h1", "What goes on")
