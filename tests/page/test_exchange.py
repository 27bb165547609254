"""One exchange as a story, in a browser before a live proxy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from scripts.lib.browser import Page
from scripts.lib.processes import free_port
from tests.dialects.anthropic.test_captures import REQUESTS
from tests.end_to_end.processes import KEY, LEGACY, TOKENHUB, Certificates, run_proxy, run_simulator
from tests.end_to_end.test_tencent_clients import NATIVE, SECRETS, signed
from tests.page import story_requests
from tests.page.conftest import Watch, Watched, show

UNREACHABLE = "api.moonshot.cn"
PHONE = 375


@pytest.fixture(scope="module")
def watched(watch: Watch) -> Iterator[Watched]:
    """A proxy before the old platform and TokenHub."""
    with watch("--set", "hunyuan_retry=vision") as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A proxy before TokenHub, which takes half a second for each chunk, and before an endpoint that isn't there."""
    secrets = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    secrets.write_text(SECRETS)
    secrets.chmod(0o600)
    admin = free_port()
    given = (
        *("--set", f"hunyuan_admin=127.0.0.1:{admin}"),
        *("--set", "hunyuan_upstream=successor"),
        *("--set", f"hunyuan_tencent_secrets_file={secrets}"),
        *("--set", "hunyuan_retry=vision"),
    )
    with run_simulator(certificates, "--chunk-delay", "0.5", hosts=(TOKENHUB,), profile="tokenhub") as simulator:
        redirects = {f"{TOKENHUB}:443": simulator.port, f"{UNREACHABLE}:443": free_port()}
        with run_proxy(certificates, redirects, *given, environment={"HUNYUAN_API_KEY": KEY}) as proxy:
            yield Watched(proxy, f"http://127.0.0.1:{admin}")


def newest(watched: Watched) -> dict[str, object]:
    return dict(watched.get("/api/exchanges", limit="1").json()["exchanges"][0])


def over(watched: Watched) -> str:
    """The id of the last exchange, once it is over."""
    while not (last := newest(watched))["over"]:
        pass
    return str(last["id"])


def opened(browser: Page, watched: Watched, width: int = 1280) -> str:
    """Open the last exchange, once it is over; its id."""
    id = over(watched)
    browser.resize(width, 900)
    show(browser, watched, f"exchanges/{id}")
    browser.wait_for("document.querySelector('.exchange-head')")
    return id


def text_of(browser: Page, selector: str) -> str:
    return str(browser.wait_for(f"document.querySelector({json.dumps(selector)})?.innerText"))


def test_a_chat_request_with_several_repairs(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        assert client.post("/chat/completions", json=story_requests.repaired()).status_code == 200
    id = opened(browser, watched)
    # 1. What would have happened without, beside what has.
    compared = text_of(browser, ".compared")
    assert "HTTP 400" in compared and "HTTP 200" in compared and "6 changes" in compared
    # 2. The changes, with their places.
    changes = text_of(browser, ".changes")
    assert all(rule in changes for rule in ("merge", "placeholders", "bridge", "parameters", "tools"))
    assert "/messages/2 → /messages/1" in changes
    # 3. Both sides: joined, changed and added messages, and what is new in one of them.
    states = browser.wait_for("[...document.querySelectorAll('.pairs > li')].map(one => one.className)")
    assert states == [
        "pair is-same",
        "pair is-joined",
        "pair is-changed",
        "pair is-same",
        "pair is-added",
        "pair is-same",
    ]
    assert "read_file" in text_of(browser, ".pair.is-changed ins")
    # 4. Texts are shown as texts.
    assert "<b>it</b>" in text_of(browser, ".pair.is-joined .came")
    assert "It prints **hello**, eighty times." in text_of(browser, ".answer")
    # 5. The link opens it again.
    browser.open("about:blank")
    show(browser, watched, f"exchanges/{id}")
    browser.wait_for_text(".changes", "merge")


def test_a_change_leads_to_its_place_and_back(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        client.post("/chat/completions", json=story_requests.repaired())
    opened(browser, watched)
    browser.click(".change .place", "/messages/2")
    assert browser.wait_for("document.activeElement.id") == "row-1"
    browser.click("#row-1 button.rule", "merge")
    assert str(browser.wait_for("document.activeElement.innerText")).startswith("joined to the user message before")
    browser.click(".change .place", "/temperature")
    assert "temperature" in str(browser.wait_for("document.activeElement.innerText"))


def test_a_long_text_and_a_long_history_are_folded_until_they_are_asked_for(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        client.post("/chat/completions", json=story_requests.repaired())
        opened(browser, watched)
        browser.click(".piece.result button.gap", "characters")
        shown = "document.querySelector('.piece.result .spans').innerText.split('hello').length"
        assert browser.wait_for(f"{shown} > 80 && {shown}") == 81
        client.post("/chat/completions", json=story_requests.long(15))
    opened(browser, watched)
    assert "messages unchanged" in text_of(browser, ".fold")
    browser.click(".fold button")
    browser.wait_for_text(".pairs", "assistant says number 7")


def test_an_image_with_its_description(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        assert client.post("/chat/completions", json=story_requests.with_image()).status_code == 200
    opened(browser, watched)
    browser.wait_for("(image => image && (image.scrollIntoView(), true))(document.querySelector('figure img'))")
    browser.wait_for(
        "(image => image.complete || (requestAnimationFrame(() => image.classList.toggle('seen')), false))"
        "(document.querySelector('figure img'))"
    )
    assert "a train ticket" in text_of(browser, "figure")
    assert "a train ticket" in text_of(browser, ".pair ins")
    browser.wait_for_text(".own", "Vision", "hunyuan-vision-1.5-instruct", "1,174 + 10 tokens")
    browser.click(".own summary", "What was asked")
    browser.wait_for_text(".own details[open]", "What do the tickets say?")


def test_a_captured_request_of_claude_code_beside_its_translation(watched: Watched, browser: Page) -> None:
    recorded: list[Any] = [one.values[0] for one in REQUESTS if "claude-code" in str(one.id)]
    body = max(recorded, key=lambda one: len(one["messages"]))
    with watched.client(LEGACY) as client:
        headers = {
            "x-api-key": KEY,
            "anthropic-version": "2023-06-01",
            "user-agent": "claude-cli/2.1.332 (external, cli)",
        }
        asked = {**body, "stream": False, "model": "claude-opus-4-6"}
        assert client.post("/messages", json=asked, headers=headers).status_code == 200
    opened(browser, watched)
    heads = text_of(browser, ".sides .heads")
    assert "Anthropic Messages" in heads and "Chat Completions" in heads
    assert "doesn't speak Anthropic Messages" in text_of(browser, ".compared")
    rows = browser.wait_for(
        "[...document.querySelectorAll('.pair')].filter(one => one.matches('.is-same, .is-changed')).length"
    )
    assert rows >= 4  # what it said stands beside itself


def test_a_responses_request(watched: Watched, browser: Page) -> None:
    with watched.client(TOKENHUB) as client:
        body = {**story_requests.of_codex(), "model": "hunyuan-2.0-instruct-20251111"}
        client.base_url = httpx.URL(f"https://{LEGACY}/v1")
        assert client.post("/responses", json=body).status_code == 200
    opened(browser, watched)
    assert "OpenAI Responses" in text_of(browser, ".sides .heads")
    assert "Two files." in text_of(browser, ".answer")


def test_a_request_of_tencent_cloud_s_own_api(elsewhere: Watched, browser: Page) -> None:
    with elsewhere.client() as client:
        body, headers = signed()
        answer = client.post(
            f"https://{NATIVE}/", content=body, headers={**headers, "authorization": headers["authorization"]}
        )
        assert answer.status_code == 200 and "hello" in answer.text
    opened(browser, elsewhere)
    assert "Tencent Cloud API" in text_of(browser, ".sides .heads")
    assert "hello" in text_of(browser, ".answer")


def test_the_endpoint_refuses(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        answer = client.post("/chat/completions", json=story_requests.repaired(), headers={"x-sim-fault": "quota"})
        assert answer.status_code == 400
    opened(browser, watched)
    failure = text_of(browser, ".failure")
    assert "the account's quota is used up" in failure
    assert "资源包余量已用尽" in failure  # its own words
    assert "the vendor's console" in failure and "insufficient_quota" in failure


def test_the_endpoint_cant_be_reached(elsewhere: Watched, browser: Page) -> None:
    with elsewhere.client(UNREACHABLE) as client:
        body = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "hi"}]}
        assert client.post("/chat/completions", json=body).status_code == 502
    opened(browser, elsewhere)
    assert "What to do:" in text_of(browser, ".failure")


def test_the_proxy_refuses(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
        assert client.post("/messages", json={"messages": "none"}, headers=headers).status_code == 400
    opened(browser, watched)
    browser.wait_for_text(".failure h2", "Why the proxy refused it")
    assert "untranslatable" in text_of(browser, ".failure")


def test_a_stream_that_is_under_way_grows(elsewhere: Watched, browser: Page) -> None:
    words = " ".join(f"word{number}" for number in range(40))
    body = {
        "model": "hy3",
        "stream": True,
        "messages": [{"role": "user", "content": f"[[sim:chunks 12]][[sim:say {words}]]"}],
    }

    def send() -> None:
        with elsewhere.client() as client, client.stream("POST", "/chat/completions", json=body) as answer:
            answer.read()

    before = elsewhere.get("/api/exchanges", limit="1").json()["exchanges"]
    sending = threading.Thread(target=send)
    sending.start()
    try:
        while (now := elsewhere.get("/api/exchanges", limit="1").json()["exchanges"]) == before or not now[0].get(
            "upstream"
        ):
            pass
        show(browser, elsewhere, f"exchanges/{now[0]['id']}")
        browser.wait_for_text(".exchange-head", "under way")
        browser.wait_for_text(".answer", "word1")
        assert "word39" not in text_of(browser, ".answer")
        browser.wait_for_text(".answer", "word39")
        browser.wait_for("!document.querySelector('.exchange-head').innerText.includes('under way')")
        assert "HTTP 200" in text_of(browser, ".exchange-head")
    finally:
        sending.join()


def test_an_exchange_without_its_content_says_why(watch: Watch, browser: Page) -> None:
    with watch("--set", "hunyuan_page_content=false") as running:
        with running.client(LEGACY) as client:
            client.post("/chat/completions", json=story_requests.repaired())
        opened(browser, running)
        assert "hunyuan_page_content" in text_of(browser, "#exchange-sides")
        assert "merge" in text_of(browser, ".changes")
        assert "endpoint's first byte" in text_of(browser, ".parts")


def test_one_that_is_gone_leads_to_the_others(watched: Watched, browser: Page) -> None:
    show(browser, watched, "exchanges/0000-0000")
    browser.wait_for_text("main", "not among the last ones", "All exchanges")


def test_on_a_phone_the_sides_stand_under_each_other_and_nothing_scrolls_sideways(
    watched: Watched, browser: Page
) -> None:
    with watched.client(LEGACY) as client:
        client.post("/chat/completions", json=story_requests.repaired())
    opened(browser, watched, PHONE)
    assert browser.wait_for("document.documentElement.scrollWidth") <= PHONE
    seen = "getComputedStyle(document.querySelector('.pair.is-changed .cell.%s')).display"
    assert browser.wait_for(seen % "came") != "none" != browser.wait_for(seen % "sent")
    browser.click(".chooser button", "As it was sent")
    assert browser.wait_for(seen % "came") == "none"
    browser.resize(1280, 900)


def test_nothing_of_what_was_said_becomes_a_part_of_the_page(watched: Watched, browser: Page) -> None:
    hostile = "<img src=x onerror=document.title='run'><script>document.title='run'</script>\u202e"
    body = story_requests.repaired(f"[[sim:say {hostile}]]")
    body["__proto__"] = {"polluted": hostile}
    body["messages"][0]["content"] = hostile
    with watched.client(LEGACY) as client:
        client.post("/chat/completions", json=body)
    opened(browser, watched)
    assert "<script>" in text_of(browser, ".pairs") and "<script>" in text_of(browser, ".answer")
    assert browser.wait_for(
        "document.querySelectorAll('main script, main img').length === 0 && document.title !== 'run' && !({}).polluted"
    )


def test_the_link_and_the_command_are_copied(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        client.post("/chat/completions", json=story_requests.repaired())
    opened(browser, watched)
    browser.drag(".actions button", 0)  # a real click: without one nothing may be copied
    browser.wait_for_text(".actions [role=status]", "copied")


def test_each_heading_stands_below_one_of_its_own_level(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        client.post("/chat/completions", json=story_requests.with_image())
    opened(browser, watched)
    levels = browser.wait_for(
        "[...document.querySelectorAll('main h1, main h2, main h3')].map(one => Number(one.tagName[1]))"
    )
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))


def test_the_story_is_in_chinese_for_its_reader(watched: Watched, browser: Page) -> None:
    with watched.client(LEGACY) as client:
        client.post("/chat/completions", json=story_requests.repaired())
    id = over(watched)
    said = httpx.get(
        f"{watched.admin}/api/exchanges/{id}/story", headers={"accept-language": "zh"}, trust_env=False
    ).json()
    assert "并入前一条 user 消息" in [change["why"] for change in said["changes"]]
