"""The settings in the page, before a live proxy: where values come from; the mode, switched here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.lib.browser import Page
from tests.end_to_end.processes import LEGACY, Simulator
from tests.end_to_end.requests import agent_request
from tests.page.conftest import Watch, Watched, show

pytestmark = pytest.mark.timeout(120)


def asks(watched: Watched) -> httpx.Response:
    with watched.client(LEGACY) as client:
        return client.post("/chat/completions", json=agent_request("Go on."))


def option(watched: Watched, name: str) -> dict[str, Any]:
    subjects = watched.get("/api/settings").json()["subjects"]
    found: dict[str, Any] = next(one for subject in subjects for one in subject["options"] if one["name"] == name)
    return found


def row(name: str) -> str:
    """A JavaScript expression: the text of the row of an option in the list of all."""
    return f"[...document.querySelectorAll('[data-option={name}]')].at(-1)?.innerText"


def test_each_value_says_where_it_comes_from(watch: Watch, browser: Page, tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("# options\nqueue_max: 77\nretry_tries: 4\n")
    given = ("--set", f"hunyuan_config={file}", "--set", "hunyuan_vision_tries=2", "--set", "hunyuan_retry_tries=5")
    with watch(
        *given, environment={"HUNYUAN_QUEUE_TIMEOUT": "33", "HUNYUAN_OUTGOING_PROXY": "http://u:hunter2@127.0.0.1:9"}
    ) as watched:
        show(browser, watched, "settings")
        shown = browser.wait_for(row("hunyuan_vision_tries"))
        assert "fixed until the next start" in shown
        assert "from the command line" in shown
        assert "default: 3" in shown
        assert "from the variable HUNYUAN_QUEUE_TIMEOUT" in browser.wait_for(row("hunyuan_queue_timeout"))
        assert f"from {file}:2" in browser.wait_for(row("hunyuan_queue_max"))
        browser.wait_for_text("main", "without effect", f"in {file}:3: --set wins.")
        assert "hunter2" not in browser.text()
        assert "hunter2" not in watched.get("/api/settings").text
        # A file that changes while the proxy runs.
        file.write_text("queue_max: 78\n")
        watched.proxy.process.wait_for("changed hunyuan_queue_max")
        assert (option(watched, "hunyuan_queue_max")["value"], option(watched, "hunyuan_queue_max")["where"]) == (
            "78",
            f"{file}:1",
        )
        # One that can't be used is said first.
        file.write_text("queue_max: [\n")
        watched.proxy.process.wait_for("The settings are unchanged")
        show(browser, watched, "settings")
        browser.wait_for_text("main", "Look at this", "unusable", str(file))


def test_what_is_other_than_the_default_comes_first_and_the_rest_is_searched(watched: Watched, browser: Page) -> None:
    show(browser, watched, "settings")
    browser.wait_for_text("main", "Other than the default", "hunyuan_admin")
    others = watched_others(watched)
    assert listed(browser, "main section .option")[: len(others)] == others
    search(browser, "vision tries")
    found = listed(browser, ".option")
    assert "hunyuan_vision_tries" in found
    assert "hunyuan_admin" not in found
    search(browser, "zzzz")
    browser.wait_for_text("main", "No option has these words.", "0 options found")


def press(browser: Page, mode: str) -> None:
    """Press the button of a mode, as a person does who has come to it by the keyboard."""
    browser.wait_for(f"(one => one && (one.focus(), one.click(), true))(document.querySelector('[data-mode={mode}]'))")


def search(browser: Page, words: str) -> None:
    typed = f"(one => one && (one.value = '{words}', one.dispatchEvent(new Event('input')), true))"
    browser.wait_for(f"{typed}(document.querySelector('input[type=search]'))")


def listed(browser: Page, which: str) -> list[str]:
    """The options that can be seen among the elements `which`."""
    seen = "filter(one => one.checkVisibility()).map(one => one.dataset.option).join()"
    return str(browser.wait_for(f"[...document.querySelectorAll('{which}')].{seen}")).split(",")


def watched_others(watched: Watched) -> list[str]:
    subjects = watched.get("/api/settings").json()["subjects"]
    return [one["name"] for subject in subjects for one in subject["options"] if not one["is_default"]]


def test_the_mode_is_switched_after_a_question_and_the_next_request_passes_as_it_came(
    watch: Watch, browser: Page, simulator: Simulator
) -> None:
    with watch("--set", "hunyuan_mode=repair") as watched:
        assert asks(watched).status_code == 200
        show(browser, watched, "settings")
        press(browser, "observe")
        browser.wait_for_text("dialog", "Only observe?", "It lasts until the proxy ends", "from --set")
        assert browser.wait_for("document.activeElement.innerText") == "Cancel"
        browser.click("dialog button", "Cancel")
        browser.wait_for("!document.querySelector('dialog')")
        assert browser.wait_for("document.activeElement.dataset.mode") == "observe"
        assert asks(watched).status_code == 200, "it was only asked"
        press(browser, "observe")
        browser.click("dialog button", "Switch")
        browser.wait_for_text("main", "The mode is now: Observe (dry run)", "Switched here.")
        assert browser.wait_for("document.activeElement.dataset.mode") == "observe"
        watched.proxy.process.wait_for(
            "The page has switched hunyuan_mode from repair to observe, asked from 127.0.0.1"
        )
        assert asks(watched).status_code == 400, "the strict endpoint gets what the client sent"
        assert watched.get("/status").json()["mode"] == "observe"
        assert option(watched, "hunyuan_mode")["source"] == "running"
        assert option(watched, "hunyuan_mode")["given"] == "repair"
        press(browser, "repair")
        browser.wait_for_text("dialog", "That is what the settings give, too.")
        browser.click("dialog button", "Switch")
        browser.wait_for_text("main", "The mode is now: Repair")
        assert asks(watched).status_code == 200


def test_a_file_that_changes_brings_its_mode_back(watch: Watch, browser: Page, tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("mode: observe\n")
    with watch("--set", f"hunyuan_config={file}") as watched:
        show(browser, watched, "settings")
        press(browser, "off")
        browser.wait_for_text("dialog", "a file of its options changes", f"{file}:1")
        browser.click("dialog button", "Switch")
        browser.wait_for_text("main", "The mode is now: Off")
        file.write_text("mode: observe\nqueue_max: 9\n")
        watched.proxy.process.wait_for("changed hunyuan_mode, hunyuan_queue_max")
        assert watched.get("/api/settings").json()["mode"]["mode"] == "observe"
