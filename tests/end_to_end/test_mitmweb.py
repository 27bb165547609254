"""What a person sees in mitmweb's page, by a real browser: the mark, the diff, the transcript, and no key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hunyuan_fix.cli import mitmweb_columns
from scripts.lib import processes
from scripts.lib.browser import BrowserError, Page, chromium, find
from scripts.lib.mitmweb import Mitmweb, mitmweb
from tests.end_to_end.requests import agent_request, good_request

KEY = "sk-only-the-endpoint-may-know"
LIST, PANE = ".flow-table", ".flow-detail"
UNTOUCHED, REWRITTEN, STREAMED = 1, 2, 3
"""The flows, by their rows in the list."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitmweb]:
    """mitmweb, through which three requests went to a strict simulator."""
    folder = tmp_path_factory.mktemp("mitmweb")
    with (
        processes.simulator(folder, "--accept-key", KEY) as endpoint,
        mitmweb(folder, "--set", "hunyuan_hosts=127.0.0.1=hunyuan") as running,
    ):
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(proxy=running.url, headers=headers, trust_env=False, timeout=60) as client:
            for body in (
                good_request("[[sim:say 好]]"),
                agent_request("[[sim:say 修好了]]"),
                agent_request("[[sim:say 流式的答案]]", stream=True),
            ):
                answer = client.post(f"{endpoint}/v1/chat/completions", json=body)
                assert answer.status_code == 200, answer.text
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        running.resize(1400, 900)
        yield running


@pytest.fixture
def page(browser: Page, web: Mitmweb) -> Page:
    """The page, opened anew."""
    browser.open(web.page)
    browser.wait_for(f"document.querySelectorAll('{LIST} .has-response').length === 3")
    return browser


def show(page: Page, flow: int, tab: str) -> None:
    """Open a flow as a person does: click its row, then the tab."""
    rows = f"[...document.querySelectorAll('{LIST} .has-response')]"
    page.wait_for(f"(row => row && (row.click(), true))({rows}[{flow - 1}])")
    page.click(f"{PANE} nav a", tab)


def test_a_rewritten_request_is_shown_as_its_changes_and_a_diff(page: Page) -> None:
    show(page, REWRITTEN, "Request")
    shown = page.wait_for_text(PANE, "+++ as it left", '"max_tokens": 1000').splitlines()
    assert "Hunyuan changes" in shown  # nobody chose this view
    changes = {tuple(line.split()[:2]) for line in shown}
    assert {
        ("roles", "/messages/0/role"),
        ("merge", "/messages/2"),
        ("placeholders", "/messages/3/content"),  # where its client has it; "→ /messages/2/content" follows
        ("parameters", "/parallel_tool_calls"),
    } <= changes
    assert '-      "content": null,' in shown
    assert '+      "content": "我将调用工具：read_file",' in shown
    assert '-  "parallel_tool_calls": true,' in shown


def test_the_transcript_of_the_conversation_is_one_choice_away(page: Page) -> None:
    show(page, REWRITTEN, "Request")
    page.wait_for_text(PANE, "Hunyuan changes")
    page.click(f"{PANE} .controls a", "View:")
    page.click(".dropdown-menu a", "chat transcript")
    shown = page.wait_for_text(PANE, "─── developer ───")
    assert "→ read_file  (call_1)" in shown
    assert "as it left" not in shown


def test_a_streamed_answer_is_shown_put_together(page: Page) -> None:
    show(page, STREAMED, "Response")
    shown = page.wait_for_text(PANE, "Chat transcript", "finish reason: stop")
    assert "流式的答案" in shown.splitlines()
    assert "data:" not in shown


def test_the_list_marks_what_was_rewritten_and_the_comment_names_the_rules(page: Page) -> None:
    rows = f"[...document.querySelectorAll('{LIST} .has-response')]"
    marks = page.wait_for(f"(rows => rows.length === 3 && rows.map(row => row.innerText))({rows})")
    assert ["🔧" in row for row in marks] == [False, True, True]
    show(page, REWRITTEN, "Comment")
    shown = page.wait_for_text(PANE, "roles")
    assert {"roles", "merge", "placeholders"} <= set(shown.split())


def test_the_list_of_run_web_tells_requests_apart(tmp_path: Path, browser: Page) -> None:
    agent = {"user-agent": "codex_exec/0.171.0 (Debian 12.0.0; x86_64)"}
    with (
        processes.simulator(tmp_path) as endpoint,
        mitmweb(tmp_path, "--set", "hunyuan_hosts=127.0.0.1=hunyuan", *mitmweb_columns.arguments(())) as running,
        httpx.Client(
            proxy=running.url, headers={"authorization": "Bearer sk-x"}, trust_env=False, timeout=60
        ) as client,
    ):
        url = f"{endpoint}/v1/chat/completions"
        client.post(url, json=good_request("[[sim:say 好]]")).raise_for_status()
        client.post(url, json=agent_request("[[sim:say 修好了]]"), headers=agent).raise_for_status()
        assert client.post(url, json={**good_request("x"), "model": "made-up"}).status_code == 404
        client.get(f"{endpoint}/v1/models")
        browser.open(running.page)
        cells = f"[...document.querySelectorAll('{LIST} .has-response .col-comment')]"
        # In one look: mitmweb may draw its list anew between two.
        shown = (
            f"(texts => texts.length === 4 && texts.every(text => text) && texts)({cells}.map(cell => cell.innerText))"
        )
        good, repaired, failed, models = browser.wait_for(shown)
        assert good.startswith("hunyuan-2.0-instruct-20251111 · httpx · ")
        assert repaired.startswith("hunyuan-2.0-instruct-20251111 · codex · roles tools ")
        assert good.endswith(" tok")
        assert "made-up · httpx" in failed
        assert "model_not_found: " in failed
        assert models.startswith("GET /v1/models · httpx")
        width = browser.wait_for(f"{cells}[0]?.offsetWidth / document.querySelector('{LIST} table')?.offsetWidth")
        assert width > 0.5, "a line of a hundred characters is seen"


@pytest.mark.parametrize("flow", [UNTOUCHED, REWRITTEN, STREAMED])
def test_no_key_is_on_the_page_once_the_exchange_is_over(page: Page, flow: int) -> None:
    show(page, flow, "Request")
    shown = page.wait_for_text(PANE, "authorization: [redacted]")
    assert KEY not in shown


def test_a_browser_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HUNYUAN_FIX_CHROMIUM", "")
    with pytest.raises(BrowserError, match="no Chromium here: install one, or set HUNYUAN_FIX_CHROMIUM"):
        find()


def test_a_page_that_never_shows_it_ends_the_wait(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: what is not there is not found."""
    monkeypatch.setattr("scripts.lib.browser.TIMEOUT", 2.0)
    show(page, UNTOUCHED, "Request")
    with pytest.raises(BrowserError, match=r"(?s)as it left.*it shows:.*authorization"):
        page.wait_for_text(PANE, "as it left")
