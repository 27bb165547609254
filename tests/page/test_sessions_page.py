"""Sessions in the browser: a list, and one session whose broken cache is seen, named and explained."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from scripts.lib.browser import Page
from scripts.lib.processes import free_port
from tests.end_to_end.processes import TOKENHUB, Certificates, Simulator, run_proxy, run_simulator
from tests.page.agents import HOST, LONG, MODEL, Agent, agent, claude_code, digest_of
from tests.page.conftest import Watched, show
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def kimi(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates, hosts=[HOST], profile="moonshot") as running:
        yield running


@contextmanager
def watching(certificates: Certificates, kimi: Simulator, tokenhub: Simulator, *arguments: str) -> Iterator[Watched]:
    port = free_port()
    redirects = {f"{HOST}:443": kimi.port, f"{TOKENHUB}:443": tokenhub.port}
    given = ("--set", f"hunyuan_admin=127.0.0.1:{port}", *arguments)
    with run_proxy(certificates, redirects, *given) as proxy:
        yield Watched(proxy, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def watched(certificates: Certificates, kimi: Simulator, running_tokenhub: Simulator) -> Iterator[Watched]:
    """One proxy before Moonshot and TokenHub."""
    with watching(certificates, kimi, running_tokenhub) as running:
        yield running


def good(answer: httpx.Response) -> httpx.Response:
    assert answer.status_code == 200, answer.text
    return answer


def shown_session(watched: Watched, name: str, turns: int, *, priced: bool = True) -> dict[str, Any]:
    """The session with this name, once so many turns are over, and paid if there is a price."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found: dict[str, Any] = watched.get(f"/api/sessions/{digest_of(name)}").json()
        session = found.get("session", {})
        if session.get("turns") == turns and not session["under_way"] and not (priced and session["unpriced"]):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def turns_of(found: dict[str, Any], name: str) -> list[Any]:
    return [turn[name] for turn in found["turns"]]


def texts(browser: Page, selector: str) -> list[str]:
    """The texts of all elements that `selector` finds."""
    found: str = browser.wait_for(
        f"JSON.stringify([...document.querySelectorAll({json.dumps(selector)})].map(one => one.innerText))"
    )
    return list(json.loads(found))


def claude_at_work(one: Agent, watched: Watched) -> None:
    """A session of Claude Code: a helper call, a subagent, an edited history, a summary, and an error: 13 turns."""
    for number in range(3):
        good(one.messages(f"step {number} " + "please look at this file. " * 120))
    asked = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "a title, please. " * 200}]}
    good(one.client.post("/anthropic/v1/messages", json=asked, headers=one.headers))
    below = Agent(one.client, {**one.headers, "x-claude-code-agent-id": "1"})
    for number in range(2):
        good(below.messages(f"task {number}", system=f"You are a subagent. {LONG}"))
    first = one.history[0]["content"][0]
    first["text"] = first["text"].replace("step 0", "step zero, at 9:01,")
    good(one.messages("what next?"))
    good(one.messages("go on"))
    summary = "This session is being continued from a previous conversation. Summary: files were looked at."
    one.history = [
        {"role": "user", "content": [{"type": "text", "text": summary}]},
        {"role": "assistant", "content": [{"type": "text", "text": "All right."}]},
    ]
    good(one.messages("continue"))
    good(one.messages("and on"))


@pytest.fixture(scope="module")
def claude(watched: Watched) -> dict[str, Any]:
    """What the API says of such a session."""
    with claude_code(watched, "claude") as one:
        claude_at_work(one, watched)
    return shown_session(watched, "claude", 10)


def test_a_session_of_claude_code_is_told_turn_by_turn(claude: dict[str, Any]) -> None:
    session = claude["session"]
    assert (session["named"], session["programs"], session["models"]) == (True, ["claude-code"], [MODEL])
    assert session["calls"] == {"main": 7, "helper": 1, "subagent": 2}
    assert turns_of(claude, "kind") == ["main"] * 3 + ["helper"] + ["subagent"] * 2 + ["main"] * 4
    assert [number for number, cache in enumerate(turns_of(claude, "prompt_cache")) if "by" in cache] == [6]
    broken = claude["turns"][6]["prompt_cache"]
    assert (broken["by"], broken["pointer"], broken["before"]) == ("client", "/messages/0", claude["turns"][2]["id"])
    assert [bool(cache.get("compacted")) for cache in turns_of(claude, "prompt_cache")] == [False] * 8 + [True, False]
    assert (session["breaks"], session["broken_by"], session["compactions"]) == (1, {"client": 1}, 1)
    assert session["missed"] == broken["missed"] > 1024
    assert session["cost"]["USD"] == sum(cost["USD"] for cost in turns_of(claude, "cost")) > 0


def test_the_message_that_broke_the_cache_is_shown_before_and_now(
    watched: Watched, browser: Page, claude: dict[str, Any]
) -> None:
    show(browser, watched, f"sessions/{claude['session']['id']}")
    text = browser.wait_for_text(
        ".break", "a message was edited", "by the client", "/messages/0", "step zero, at 9:01,"
    )
    assert "Turn 7" in text and "Before: turn 3" in text and "role user" in text
    assert texts(browser, ".break del") == ["0"]
    assert texts(browser, ".break ins") == ["zero, at 9:01,"]
    browser.wait_for_text(".findings", "cache broke 1×", "compacted 1×")
    browser.wait_for_text(".facts", "subagents: 2", "small calls: 1", "$")
    assert len(texts(browser, ".turn")) == 10
    browser.wait_for_text(f"#turn-{claude['turns'][6]['id']}", "cache broke", "missed")
    browser.wait_for_text(f"#turn-{claude['turns'][8]['id']}", "compacted")
    browser.wait_for_text(f"#turn-{claude['turns'][4]['id']}", "subagent")
    browser.wait_for_text(f"#turn-{claude['turns'][3]['id']}", "small call")
    assert browser.wait_for("document.querySelectorAll('.chart .mark.broken').length") == 1
    assert browser.wait_for("document.querySelectorAll('.chart rect.missed').length") == 1
    assert browser.wait_for("document.querySelectorAll('.chart rect.lane').length") == 3
    assert "The cache broke in turns 7." in browser.wait_for(
        "document.querySelector('.chart').getAttribute('aria-label')"
    )


def test_turns_lead_to_their_story_and_marks_to_their_explanation(
    watched: Watched, browser: Page, claude: dict[str, Any]
) -> None:
    id, turn = claude["session"]["id"], claude["turns"][6]["id"]
    show(browser, watched, f"sessions/{id}")
    browser.wait_for(f"document.querySelector('#turn-{turn} a')?.getAttribute('href') === '#/exchanges/{turn}'")
    browser.click(".break summary")
    browser.wait_for("document.querySelector('.break details:not([open])')")
    browser.click(f"#turn-{turn} button", "cache broke")
    browser.wait_for("document.querySelector('.break details[open]')")
    browser.wait_for("document.activeElement.tagName === 'SUMMARY'")
    # A bar leads to the turn in the list, even if that is filtered.
    browser.wait_for(
        "(only => { only.value = 'helper'; only.dispatchEvent(new Event('change')); return true })"
        "(document.querySelector('label.inline select'))"
    )
    browser.wait_for("document.querySelectorAll('.turn').length === 1")
    clicked = "dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    browser.wait_for(f"document.querySelector('.chart [data-turn=\"{turn}\"]').{clicked}")
    browser.wait_for(f"document.activeElement.closest('.turn')?.id === 'turn-{turn}'")
    for form in ("jsonl", "har"):
        browser.wait_for(f"document.querySelector('.exports a[href=\"/api/sessions/{id}/export/{form}\"]')")


def test_a_break_of_ours_names_the_rule_and_what_left(watched: Watched, browser: Page) -> None:
    with agent(watched, TOKENHUB, "hy3", x_session_id="ours") as one:
        one.history = [{"role": "user", "content": LONG * 3}, {"role": "assistant", "content": "yes"}]
        good(one.chat("go on"))
        one.history[-1:] = []  # the answer is left out, and what the user says next makes one message of two
        good(one.chat("please"))
    found = shown_session(watched, "ours", 2, priced=False)
    broken = found["turns"][1]["prompt_cache"]
    assert (broken["by"], broken["pointer"]) == ("hunyuan-fix", "/messages/2")
    show(browser, watched, f"sessions/{found['session']['id']}")
    browser.wait_for_text(
        ".break", "by hunyuan-fix (merge", "As both left for the endpoint", "begins as before", "go on"
    )
    assert "please" in "".join(texts(browser, ".break ins"))


def test_a_break_of_the_endpoints_is_no_ones_message(watched: Watched, browser: Page) -> None:
    with agent(watched, x_session_id="endpoint") as one:
        one.history = [{"role": "system", "content": LONG}]
        good(one.chat("one"))
        good(one.chat("two"))
        good(one.chat("three", prompt_cache_key="another, by which the endpoint finds nothing"))
    found = shown_session(watched, "endpoint", 3)
    assert [cache.get("by") for cache in turns_of(found, "prompt_cache")] == [None, None, "endpoint"]
    show(browser, watched, f"sessions/{found['session']['id']}")
    browser.wait_for_text(".break", "by the endpoint", "begins exactly as the one before", "The turn before was")


def test_in_responses_a_message_that_was_inserted_is_shown(watched: Watched, browser: Page) -> None:
    with agent(watched, x_session_id="responses", user_agent="codex_cli_rs/0.60") as one:
        for number in range(3):
            good(one.responses(f"step {number} " + "words " * 1500))
        one.history.insert(1, {"role": "user", "content": [{"type": "input_text", "text": "a reminder"}]})
        good(one.responses("again"))
    found = shown_session(watched, "responses", 4)
    broken = found["turns"][3]["prompt_cache"]
    assert (broken["by"], broken["pointer"], broken["what"]) == ("client", "/input/1", "1 message inserted")
    show(browser, watched, f"sessions/{found['session']['id']}")
    browser.wait_for_text(".break", "1 inserted in the middle", "/input/1", "a reminder", "not the same message")


def test_reasoning_and_errors_are_counted_in_words(watched: Watched, browser: Page, kimi: Simulator) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    with agent(watched, x_session_id="thoughts") as one:
        said = good(one.chat("[[sim:reasoning A thought.]] [[sim:tool look {}]]", tools=[tool])).json()
        call = said["choices"][0]["message"]["tool_calls"][0]["id"]
        one.history[-1].pop("reasoning_content")
        one.history.append({"role": "tool", "tool_call_id": call, "content": "seen"})
        good(one.chat("go on", tools=[tool]))
        kimi.program({"fault": "rate_limit", "times": 1})
        assert one.chat("once more", tools=[tool]).status_code == 429
    found = shown_session(watched, "thoughts", 3)
    assert turns_of(found, "reasoning")[:2] == [{}, {"kept": 1}]
    assert (found["session"]["errors"], turns_of(found, "is_error")) == (1, [False, False, True])
    show(browser, watched, f"sessions/{found['session']['id']}")
    browser.wait_for_text(".findings", "1 failed", "reasoning put back")
    browser.wait_for_text(f"#turn-{found['turns'][2]['id']}", "429")
    browser.wait_for_text(f"#turn-{found['turns'][1]['id']}", "reasoning put back: 1")


def test_a_session_grows_while_it_is_looked_at(watched: Watched, browser: Page) -> None:
    with claude_code(watched, "growing") as one:
        good(one.messages("one"))
        found = shown_session(watched, "growing", 1)
        show(browser, watched, f"sessions/{found['session']['id']}")
        browser.wait_for("document.querySelectorAll('.turn').length === 1")
        browser.wait_for_text(".view-head", "live")
        browser.wait_for(
            "(window.kept = document.querySelector('.turn'), document.querySelector('.turn a').focus(), true)"
        )
        good(one.messages("two"))
        browser.wait_for("document.querySelectorAll('.turn').length === 2")
        assert browser.wait_for("document.querySelector('.turn') === window.kept"), "what stays the same stays"
        browser.wait_for("document.activeElement.closest('.turn') === window.kept")
        show(browser, watched, "sessions")
        browser.wait_for_text("table.sessions", digest_of("growing")[:8])
        browser.wait_for_text(".view-head", "live")
        with claude_code(watched, "another") as other:
            good(other.messages("hello"))
        browser.wait_for_text("table.sessions tbody tr", digest_of("another")[:8])


def test_the_list_is_filtered_and_its_address_says_how(watched: Watched, browser: Page, claude: dict[str, Any]) -> None:
    def rows() -> list[str]:
        return texts(browser, "table.sessions tbody tr a")

    show(browser, watched, "sessions?only=breaks")
    browser.wait_for_text("table.sessions", claude["session"]["id"][:8], "cache broke 1×", "compacted 1×")
    assert all("cache broke" in row for row in texts(browser, "table.sessions tbody tr"))
    browser.wait_for(
        "(search => { search.value = 'claude'; search.dispatchEvent(new Event('input')); return true })"
        "(document.querySelector('input[type=search]'))"
    )
    browser.wait_for("location.hash === '#/sessions?q=claude&only=breaks'")
    assert rows() == [f"{claude['session']['id'][:8]} claude-code"]
    show(browser, watched, "sessions?q=nothing+has+this")
    browser.wait_for_text("main", "No session fits these filters.")
    show(browser, watched, "sessions?client=claude-code")
    browser.wait_for_text("table.sessions", "claude-code")
    assert all("claude-code" in row for row in rows())
    browser.click("table.sessions tbody a", claude["session"]["id"][:8])
    browser.wait_for_text("h1", claude["session"]["id"][:8])


def test_an_empty_start_and_an_unknown_session_are_said(watched: Watched, browser: Page) -> None:
    show(browser, watched, f"sessions/{'0' * 32}")
    browser.wait_for_text("main [role=alert]", "None of the last exchanges belongs to this session.")


@pytest.mark.parametrize("address", ["sessions", "sessions/ID"])
def test_it_fits_a_telephone_and_is_said_in_chinese(
    watched: Watched, browser: Page, claude: dict[str, Any], address: str
) -> None:
    browser.resize(375, 800)
    try:
        show(browser, watched, address.replace("ID", claude["session"]["id"]))
        browser.wait_for_text("main", "cache broke")
        browser.click("#tools button", "中文")
        browser.wait_for_text("main", "缓存中断")
        assert browser.wait_for("document.documentElement.scrollWidth") == 375
        levels = browser.wait_for(
            "[...document.querySelectorAll('main h1, main h2, main h3')].map(h => h.tagName).join()"
        )
        assert levels.startswith("H1") and "H1,H3" not in levels
        browser.click("#tools button", "English")
        browser.wait_for_text("main", "cache broke")
    finally:
        browser.resize(1280, 900)


_RENDER = """
(() => {
  const sizes = %s;
  if (!window.measuring) window.measuring = (async () => {
    const view = await import('/page/session.js');
    const fetched = window.fetch;
    const given = await (await fetched('/api/sessions/%s')).json();
    const times = {};
    for (const size of [...sizes, ...sizes, ...sizes]) {
      const turns = [...Array(size).keys()].map((n) => ({...given.turns[n %% given.turns.length], id: `turn-${n}`}));
      const body = JSON.stringify({...given, turns});
      window.fetch = async () => new Response(body, {headers: {'content-type': 'application/json'}});
      const root = document.createElement('div'), leaving = new AbortController();
      document.getElementById('main').replaceChildren(root);
      const began = performance.now();
      await view.show(root, {path: ['sessions', 'x'], query: new URLSearchParams(), signal: leaving.signal});
      root.getBoundingClientRect();
      times[size] = Math.min(times[size] ?? Infinity, performance.now() - began);
      window.rows = root.querySelectorAll('.turn').length;
      leaving.abort();
    }
    window.fetch = fetched;
    document.title = JSON.stringify(times);
  })();
  return document.title.startsWith('{') && document.title;
})()
"""


def test_a_long_session_takes_time_in_proportion(watched: Watched, browser: Page, claude: dict[str, Any]) -> None:
    show(browser, watched, "sessions")
    browser.wait_for_text("h1", "Sessions")
    # The page changes whenever a size is done, at which this is looked at again.
    times = json.loads(browser.wait_for(_RENDER % ([500, 1000], claude["session"]["id"])))
    assert times["1000"] < 4 * times["500"], times
    assert browser.wait_for("window.rows") == 1000
    # Of a hundred broken caches the worst are explained, and the others are one click away.
    assert len(texts(browser, ".break")) == 6
    browser.click("section button", "Show all 100")
    assert len(texts(browser, ".break")) == 100
    browser.click("button", "To the last turn")
    browser.wait_for("document.activeElement.closest('.turn')?.id === 'turn-turn-999'")


def test_where_nothing_is_kept_the_place_is_told_in_words(
    certificates: Certificates, kimi: Simulator, running_tokenhub: Simulator, browser: Page
) -> None:
    with watching(certificates, kimi, running_tokenhub, "--set", "hunyuan_page_content=false") as watched:
        show(browser, watched, "sessions")
        browser.wait_for_text("main", "No session yet.")
        with agent(watched, x_session_id="secret") as one:
            one.history = [{"role": "system", "content": f"hunter2 {LONG}"}]
            good(one.chat("one"))
            good(one.chat("two"))
            one.history[0]["content"] = f"hunter3 {LONG}"
            good(one.chat("three"))
        found = shown_session(watched, "secret", 3)
        show(browser, watched, f"sessions/{found['session']['id']}")
        shown = browser.wait_for_text(".break", "isn't kept", "by the client")
        assert "hunter" not in shown + json.dumps(found)
