"""docs/operations.md names what there is: every alert as it is made, what may be looked at, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hunyuan_fix.observe.alerts import alert as alerts
from scripts.lib import alerts_page

PAGES = tuple(alerts_page.PAGES.items())


@pytest.mark.parametrize(("language", "page"), PAGES, ids=alerts_page.PAGES)
def test_the_alerts_are_as_they_are_made(language: str, page: Path) -> None:
    """`python -m scripts.lib.alerts_page` writes them anew."""
    text = page.read_text("utf-8")
    assert alerts_page.filled(text, language) == text
    assert re.findall(r"^#### (\w+)$", text, re.MULTILINE) == [*alerts.shipped()]
