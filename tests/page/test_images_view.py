"""The images in the page, before a live proxy: described, known again, failed, deleted, described again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.vision import data_url, png_with_text
from scripts.lib.browser import Page
from tests.end_to_end.processes import KEY, LEGACY, Simulator
from tests.end_to_end.requests import MODEL, VISION_MODEL, image, tool
from tests.page.conftest import Watch, Watched, show

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def keyed(watch: Watch) -> Iterator[Watched]:
    """A proxy that has a key of its own."""
    with watch("--set", "hunyuan_vision_tries=1", environment={"HUNYUAN_API_KEY": KEY}) as running:
        yield running


def asks(watched: Watched, *parts: dict[str, Any], text: str = "What is this?") -> httpx.Response:
    content = [{"type": "text", "text": text}, *parts]
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}], "tools": [tool()]}
    with watched.client(LEGACY) as client:
        return client.post("/chat/completions", json=body)


def vision_calls(simulator: Simulator) -> int:
    return sum(body["model"] == VISION_MODEL for body in simulator.bodies())


def card(text: str) -> str:
    """A JavaScript expression: the card of the image whose text holds this."""
    return f"[...document.querySelectorAll('.image')].find(one => one.innerText.includes({text!r}))"


def press(browser: Page, text: str, button: str) -> None:
    """Press a button of the card that has `text` in it."""
    pressed = f"(one => one && (one.focus(), one.click(), true))([...({card(text)}?.querySelectorAll('button') ?? [])]"
    browser.wait_for(f"{pressed}.find(one => one.innerText === {button!r}))")


def test_an_image_is_shown_with_what_was_said_of_it_and_what_it_cost(
    keyed: Watched, browser: Page, simulator: Simulator
) -> None:
    assert asks(keyed, image("a ticket to Xi'an")).status_code == 200
    assert asks(keyed, image("a ticket to Xi'an")).status_code == 200
    assert vision_calls(simulator) == 1
    show(browser, keyed, "images")
    shown = browser.wait_for(f"{card('ticket')}?.innerText")
    assert "described" in shown
    assert VISION_MODEL in shown
    assert re.search(r"Known already\s+1\s", shown)
    assert re.search(r"Calls\s+1\s", shown)
    # The picture comes from the request that had it.
    wide = f"(one => one && one.decode().then(() => one.naturalWidth))({card('ticket')}?.querySelector('img'))"
    assert browser.wait_for(wide) > 10
    # Both requests are a click away.
    links = browser.wait_for(f"[...{card('ticket')}.querySelectorAll('a')].map(one => one.hash).join()").split(",")
    kept = [one["id"] for one in keyed.get("/api/exchanges").json()["exchanges"]]
    assert [link.removeprefix("#/exchanges/") for link in links] == kept[:2]
    # All of the description and what was asked, on demand.
    press(browser, "ticket", "All of it, and what was asked")
    browser.wait_for_text(".image-prompt", "What is this?")
    assert browser.wait_for("document.activeElement.innerText") == "Less"


def test_why_there_is_no_description_is_said_in_words(keyed: Watched, browser: Page, simulator: Simulator) -> None:
    simulator.program({"fault": "rate_limit", "match": {"model": VISION_MODEL}, "times": 1, "retry_after": "3"})
    assert asks(keyed, image("refused once")).status_code == 429
    broken = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert asks(keyed, broken).status_code == 200
    show(browser, keyed, "images")
    shown = browser.wait_for_text("main section", "Without a description (2)", "the image data cannot be read")
    assert "rate limit" in shown.lower() or "busy" in shown.lower()
    assert "(HTTP 400)" in shown, "as that endpoint refuses for its rate limit"


def test_deleted_after_a_question_and_paid_anew_by_the_next_request(
    keyed: Watched, browser: Page, simulator: Simulator
) -> None:
    assert asks(keyed, image("a cat named Mao")).status_code == 200
    show(browser, keyed, "images")
    press(browser, "Mao", "Delete")
    browser.wait_for_text("dialog", "Delete this description?", "prompt cache")
    assert browser.wait_for("document.activeElement.innerText") == "Cancel", "nothing is lost by Enter"
    browser.click("dialog button", "Cancel")
    browser.wait_for("!document.querySelector('dialog')")
    assert browser.wait_for("document.activeElement.innerText") == "Delete", "the focus is back"
    assert asks(keyed, image("a cat named Mao")).status_code == 200
    assert vision_calls(simulator) == 1, "it was only asked"
    press(browser, "Mao", "Delete")
    browser.click("dialog button", "Delete")
    browser.wait_for_text("main", "Deleted.")
    assert browser.wait_for("document.activeElement.innerText") == "Deleted."
    assert asks(keyed, image("a cat named Mao")).status_code == 200
    assert vision_calls(simulator) == 2


def test_described_again_with_the_proxys_own_key(keyed: Watched, browser: Page, simulator: Simulator) -> None:
    assert asks(keyed, image("a map of Chengdu")).status_code == 200
    paid = paid_vision_calls(keyed)
    show(browser, keyed, "images")
    press(browser, "Chengdu", "Describe again")
    browser.wait_for_text("dialog", f"{VISION_MODEL} is asked once more", LEGACY)
    browser.click("dialog button", "Describe again")
    browser.wait_for_text("main", "Described again.")
    assert vision_calls(simulator) == 2
    assert paid_vision_calls(keyed) == paid + 1, "the ledger's and the metrics' count"
    assert re.search(r"Calls\s+2\s", browser.wait_for(f"{card('Chengdu')}?.innerText"))
    assert asks(keyed, image("a map of Chengdu")).status_code == 200
    assert vision_calls(simulator) == 2, "the new one is known"


def test_without_a_key_of_its_own_the_proxy_says_so_and_deletes(
    watched: Watched, browser: Page, simulator: Simulator
) -> None:
    assert asks(watched, image("a bill of the canteen")).status_code == 200
    show(browser, watched, "images")
    press(browser, "canteen", "Describe again")
    browser.wait_for_text("dialog", "a client's key is never kept", "the next request with this image")
    browser.click("dialog button", "Delete")
    browser.wait_for_text("main", "Deleted.")
    assert vision_calls(simulator) == 1
    assert asks(watched, image("a bill of the canteen")).status_code == 200
    assert vision_calls(simulator) == 2


def test_new_images_are_announced_and_move_nothing_until_they_are_wanted(keyed: Watched, browser: Page) -> None:
    asks(keyed, image("a stamp of the year of the snake"))
    show(browser, keyed, "images")
    browser.wait_for(card("snake"))
    before = browser.wait_for("document.querySelectorAll('.image').length + 1")
    asks(keyed, image("a stamp of the year of the horse"))
    browser.wait_for_text("main", "A request with images has come")
    assert browser.wait_for("document.querySelectorAll('.image').length + 1") == before
    browser.click("main button", "A request with images has come")
    browser.wait_for(card("horse"))


def test_descriptions_are_content(watch: Watch, browser: Page) -> None:
    with watch("--set", "hunyuan_page_content=false") as discreet:
        assert asks(discreet, image("a secret plan"), text="My question is private.").status_code == 200
        shown = discreet.get("/api/images").json()
        assert shown["count"] == 1
        assert not shown["content"]
        one = discreet.get(f"/api/images/{shown['images'][0]['key']}").text
        assert "secret plan" not in one
        assert "private" not in one
        show(browser, discreet, "images")
        browser.wait_for_text("main", "Descriptions and pictures aren't kept here", "Pictures aren't kept")


def test_what_a_picture_says_is_text_and_never_markup(keyed: Watched, browser: Page) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    asks(keyed, {"type": "image_url", "image_url": {"url": data_url(png_with_text(hostile))}}, text=hostile)
    show(browser, keyed, "images")
    press(browser, "onerror", "All of it, and what was asked")
    browser.wait_for_text(".image-prompt", "<script>")
    assert browser.wait_for("document.title") == "Images · hunyuan-fix"
    assert browser.wait_for("document.querySelectorAll('main script').length + 1") == 1


def paid_vision_calls(watched: Watched) -> float:
    found = re.search(r'^hunyuan_paid_calls_total\{purpose="vision"\} (\S+)', watched.get("/metrics").text, re.M)
    return float(found[1]) if found else 0.0
