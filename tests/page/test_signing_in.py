"""A browser that has not signed in is told how, and comes to the view that it asked for."""

from __future__ import annotations

import pytest

from scripts.lib.browser import Page
from tests.observe.admin.serving import BEARER, TOKEN, asking, serving
from tests.page import axe
from tests.page.fed import fed

BROWSER = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(("language", "said"), [("en", "Make a link on the machine"), ("zh-CN", "生成一个登录链接")])
async def test_a_browser_gets_a_page_that_says_how(language: str, said: str) -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        answer = await client.get("/", headers={**BROWSER, "accept-language": language})
        assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert said in answer.text and "admin link" in answer.text and TOKEN not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_programs_get_json_and_other_paths_do() -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        for path, headers in (("/", {}), ("/status", BROWSER), ("/api/exchanges", BROWSER), ("/page/main.js", BROWSER)):
            answer = await client.get(path, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "admin_token_required"), path
        answer = await client.post("/", headers={**BROWSER, "origin": admin.url})
        assert answer.status_code == 401 and answer.headers["content-type"].startswith("application/json")
        wrong = await client.get("/", headers={**BROWSER, "authorization": "Bearer wrong", "host": "evil.example"})
        assert wrong.status_code == 403 and wrong.headers["content-type"].startswith("application/json")
        assert (await client.get("/status", headers=BEARER)).status_code == 200


def test_signing_in_leads_to_the_view_that_was_asked_for(browser: Page) -> None:
    with fed(token=TOKEN) as server:
        (id,) = server.exchanges(1)
        browser.open("about:blank")
        browser.open(f"{server.admin}/#/exchanges?model=hy3")
        browser.wait_for_text("main", "admin link")
        assert not axe.violations(browser, axe.source())
        browser.open(server.run(server.link))
        browser.wait_for("location.hash === '#/exchanges?model=hy3'")
        browser.wait_for(f"document.querySelector('.list tbody tr')?.dataset.id === {id!r}")
        browser.open("about:blank")
        browser.open(f"{server.admin}/")
        browser.wait_for_text("main h1", "What goes on")
        assert browser.value("location.hash") == "", "it leads there once"
        browser.value("fetch('/signout', {method: 'POST'})")
        browser.open("about:blank")
        browser.open(f"{server.admin}/")
        browser.wait_for_text("main", "admin link")
