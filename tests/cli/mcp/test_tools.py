"""What each tool says, before an admin server that answers what a test wants."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hunyuan_fix.cli.mcp import choosing, failures
from hunyuan_fix.cli.mcp.admin_api import NotThere, Unanswered
from hunyuan_fix.cli.mcp.choosing import Asked
from hunyuan_fix.wire import proxy_errors, vendor_errors
from tests.cli.mcp.fakes import BY_NAME, ID, SESSION, FakeApi, answered, exchange, listed

# Which request


@pytest.mark.parametrize(
    ("client", "program"),
    [
        ("claude-code", "claude-code"),
        ("codex-mcp-client", "codex"),
        ("opencode", "opencode"),
        ("Cline", "cline"),
        ("Roo Code", "roo-code"),
        ("qwen-code-mcp-client-odd", "qwen-code"),
        ("gemini-cli-mcp-client", "gemini-cli"),
        ("go", "go"),
        ("mango-client", ""),
        ("openaicode", ""),
        ("", ""),
        ("编程", ""),
    ],
)
def test_a_client_is_known_by_its_name(client: str, program: str) -> None:
    assert choosing.program_of(client) == program


async def test_an_agent_asks_about_the_requests_of_its_own_program() -> None:
    api = FakeApi(listed(exchange(3), exchange(2, program="codex"), exchange(1)))
    report = await answered(api, "last_requests", "codex")
    assert [one["id"] for one in report.data["requests"]] == [exchange(2)["id"]]
    assert "Of codex" in report.text() and 'program="any"' in report.text()
    for more in ({"program": "any"}, {"session": SESSION}, {"model": "hy3"}, {"client": "x"}):
        report = await answered(api, "last_requests", "codex", **more)
        assert len(report.data["requests"]) == 3, more
        assert "program that asks" not in report.text()


async def test_a_program_without_requests_is_told_of_all_and_that_they_are_others() -> None:
    report = await answered(FakeApi(listed(exchange())), "last_requests", "cline")
    assert len(report.data["requests"]) == 1
    assert "None of cline" in report.text()


async def test_another_program_is_asked_for_by_name() -> None:
    api = FakeApi(listed(exchange(2, program="codex"), exchange(1)))
    report = await answered(api, "last_requests", "opencode", program="codex")
    assert [one["program"] for one in report.data["requests"]] == ["codex"]


async def test_a_session_is_found_by_the_id_that_its_client_has() -> None:
    api = FakeApi(listed(exchange()))
    await answered(api, "last_requests", session="the clients own")
    await answered(api, "last_requests", session=SESSION)
    first, second = (asked["session"] for _, asked in api.asked)
    assert len(str(first)) == 32 and first != "the clients own"
    assert second == SESSION


async def test_pages_are_followed_until_there_are_enough() -> None:
    class Paged(FakeApi):
        async def get(self, path: str, **parameters: object) -> dict[str, Any]:
            self.asked.append((path, parameters))
            number = len(self.asked)
            return {"exchanges": [exchange(number, program="codex" if number == 3 else "go")], "next": f"{number}"}

    api = Paged({})
    report = await answered(api, "last_requests", "codex", limit=1)
    assert len(report.data["requests"]) == 1
    assert [asked["before"] for _, asked in api.asked] == ["", "1", "2"]
    endless = Paged({})
    await answered(endless, "last_requests", "nobody-else", program="nobody")
    assert len(endless.asked) == 4


async def test_a_page_that_goes_on_from_a_forgotten_exchange_ends_the_list() -> None:
    class Forgets(FakeApi):
        async def get(self, path: str, **parameters: object) -> dict[str, Any]:
            if parameters["before"]:
                raise NotThere("forgotten", "admin_no_such_exchange")
            return {"exchanges": [exchange()], "next": "x"}

    assert len((await answered(Forgets({}), "last_requests")).data["requests"]) == 1


async def test_an_id_that_is_not_kept_is_said() -> None:
    with pytest.raises(Unanswered, match="is of an older hunyuan-fix"):
        await answered(FakeApi({}), "what_was_changed", id="x")
    missing = FakeApi({"/api/exchanges/x": NotThere("no", "admin_no_such_exchange")})
    with pytest.raises(Unanswered, match="no request with the id 'x'"):
        await answered(missing, "what_was_changed", id="x")


@pytest.mark.parametrize("id", ["last", "LAST", "last failed", "slowest", ""])
async def test_the_words_that_models_give_for_an_id_mean_none(id: str) -> None:
    report = await answered(FakeApi(listed(exchange(2), exchange(1, ms=9000))), "what_was_changed", id=id)
    assert report.data["request"]["id"] == exchange(2)["id"]


async def test_an_old_proxy_is_said() -> None:
    with pytest.raises(Unanswered, match="older hunyuan-fix"):
        await answered(FakeApi({}), "last_requests")


async def test_nothing_has_come_yet() -> None:
    empty = FakeApi(listed())
    assert "No request fits." in (await answered(empty, "last_requests")).text()
    for tool in ("what_was_changed", "why_it_failed", "why_was_it_slow", "what_broke_the_cache"):
        if tool in BY_NAME:
            with pytest.raises(Unanswered, match="There is no"):
                await answered(empty, tool)


# last_requests


async def test_a_request_is_a_line() -> None:
    report = await answered(FakeApi(listed(exchange(1, model="hy", failure="x: y", status=429))), "last_requests")
    (line,) = (line for line in report.lines if line.startswith("0000"))
    for part in ("opencode", "hy→hy3", "429", "1.2 s", "x: y", "changed: merge, parameters", "100 in", "40%", SESSION):
        assert part in line
    assert "minutes" not in str(report.data)


async def test_filters_go_to_the_proxy() -> None:
    api = FakeApi(listed(exchange()))
    await answered(api, "last_requests", status="4xx", minutes=10, model="m", client="c", limit=99)
    asked = api.asked[0][1]
    assert (asked["status"], asked["model"], asked["client"]) == ("4xx", "m", "c")
    assert abs(float(str(asked["since"])) - (time.time() - 600)) < 60


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"over": False, "last": "queued"}, "under way (queued)"),
        ({"status": None, "outcome": "cancelled"}, "cancelled"),
        ({"mode": "observe"}, "would change: merge"),
        ({"rules": [], "rewritten": False}, "unchanged"),
    ],
)
async def test_how_a_request_stands(more: dict[str, Any], said: str) -> None:
    assert said in (await answered(FakeApi(listed(exchange(**more))), "last_requests")).text()


# why_it_failed


async def test_a_failure_is_explained_with_what_to_do() -> None:
    failed = exchange(
        2, status=429, how="refused", error=proxy_errors.QUEUE_FULL.code, failure="queue_full: x", tries=3
    )
    answers = listed(exchange(3), failed)
    path = f"/api/exchanges/{failed['id']}"
    answers[path]["events"] = [
        {"kind": "retried", "at": 1, "ms": 40.0, "data": {"number": 2, "reason": "HTTP 500"}},
        {"kind": "sent", "at": 1, "ms": 1.0, "data": {}},
    ]
    answers[f"{path}/story"] = {"head": {"failure": {"message": "The endpoint says no."}}}
    report = await answered(FakeApi(answers), "why_it_failed")
    said = report.text()
    assert "hunyuan-fix refused it: queue_full: x" in said
    assert f"What to do: {proxy_errors.QUEUE_FULL.advice}." in said
    assert "tried 3 times" in said and "try 2" in said and "HTTP 500" in said
    assert "The endpoint says no." in said
    assert report.data["refused_by"] == "hunyuan-fix"
    assert report.data["may_succeed_later"] is True
    assert report.data["request"]["id"] == failed["id"]


async def test_an_endpoint_s_refusal_is_the_endpoint_s() -> None:
    report = await answered(
        FakeApi(listed(exchange(status=404, error="model_not_found", failure="x"))), "why_it_failed"
    )
    assert "The endpoint answered with an error" in report.text()
    assert report.data["refused_by"] == "endpoint"
    assert report.data["may_succeed_later"] is False


async def test_what_did_not_fail_is_said_not_to() -> None:
    for more, said in (({}, "didn't fail"), ({"over": False}, "isn't over yet"), ({"left": True}, "Its client left")):
        one = exchange(**more)
        assert said in (await answered(FakeApi(listed(one)), "why_it_failed", id=one["id"])).text()


def test_of_errors_with_one_code_that_is_meant_whose_words_the_reason_has() -> None:
    for entry in [*proxy_errors.CATALOGUE.values(), *vendor_errors.ENTRIES.values()]:
        found = failures.entry_of(entry.code, f"{entry.code}: {entry.when}"[:80])
        assert found is not None
        assert found.code == entry.code
        if not entry.when.startswith(found.when[:40]):
            raise AssertionError(entry)
    assert failures.entry_of("no_such_code", "") is None


# why_it_was_slow


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"vision_ms": 4000.0}, "described by a vision model"),
        ({"queue_ms": 4000.0}, "waited for a slot"),
        ({"first_byte_ms": 4000.0}, "until its first byte"),
        ({"first_byte_ms": 1.0}, "wrote its answer"),
        ({"addon_ms": 4000.0}, "own work"),
    ],
)
async def test_the_slowest_is_explained_by_its_largest_part(more: dict[str, Any], said: str) -> None:
    slow = exchange(1, **{"ms": 5000.0, **more})
    report = await answered(FakeApi(listed(exchange(2), slow, exchange(3))), "why_it_was_slow")
    assert report.data["request"]["id"] == slow["id"]
    assert "Most of it" in report.text() and said in report.text()
    assert sum(report.data["milliseconds"].values()) == pytest.approx(5000, abs=400)


# usage


async def test_usage_is_added_up_by_what_is_asked_for() -> None:
    api = FakeApi(
        listed(
            exchange(1, sent_model="b", usage={"input": 5, "output": 1}, cost={"CNY": 2 * 10**12}),
            exchange(2, sent_model="a", usage={"input": 50, "output": 1}, cost={"CNY": 10**12, "USD": 10**9}),
            exchange(3, sent_model="a", usage={"input": 50, "output": 1}),
            exchange(4, over=False),
        )
    )
    report = await answered(api, "usage")
    assert [row["model"] for row in report.data["rows"]] == ["a", "b"]
    assert report.data["total"] == {
        "requests": 3,
        "tokens": {"input": 105, "output": 3},
        "cost": {"CNY": 3.0, "USD": 0.001},
        "without_price": 1,
    }
    assert "3 CNY + 0.001 USD" in report.text()
    by_session = await answered(api, "usage", by="session")
    assert [row["session"] for row in by_session.data["rows"]] == [SESSION]
    by_client = await answered(api, "usage", by="client")
    assert [row["client"] for row in by_client.data["rows"]] == ["opencode"]


# proxy_status


async def test_what_is_wrong_with_the_proxy_comes_first() -> None:
    status = {
        "version": "0.1.0",
        "ready": True,
        "draining": False,
        "mode": "observe",
        "upstream": "https://x",
        "uptime": 61.0,
        "checks": [
            {"name": "disk", "state": "healthy", "message": ""},
            {"name": "clock", "state": "degraded", "message": "It is 40 s off."},
        ],
        "alerts": [
            {"name": "Slow", "state": "firing", "since": 1.0, "summary": "It is slow.", "action": "Wait."},
            {"name": "Calm", "state": "ok", "since": None, "summary": "", "action": ""},
        ],
        "breaker": {"open": ["api.example"]},
        "slots": {"taken": 2, "waiting": 1},
        "stores": [{"name": "sqlite", "failing": True}],
        "budgets": [
            {"budget": "x", "scope": "all", "who": "", "period": "day", "unit": "CNY", "limit": 5.0, "spent": 1.5}
        ],
        "workers": [{}, {}],
    }
    report = await answered(FakeApi({"/status": status}), "proxy_status")
    lines = report.text().splitlines()
    assert "mode observe, which changes nothing" in lines[0] and "all is well" not in lines[0]
    assert lines[1] == "Check clock is degraded: It is 40 s off."
    assert lines[2].startswith("Alert Slow") and lines[2].endswith("It is slow. Wait.")
    assert "api.example" in lines[3]
    assert "2 calls under way, 1 waiting" in lines[4]
    assert "sqlite" in lines[5]
    assert "1.5 of 5 CNY this day" in lines[6]
    assert report.data["workers"] == 2
    well = {**status, "mode": "repair", "checks": [], "alerts": [], "breaker": {}}
    assert "all is well" in (await answered(FakeApi({"/status": well}), "proxy_status")).text()


# explain_rule


async def test_a_rule_is_explained_and_a_misspelt_one_finds_its_neighbour() -> None:
    api = FakeApi({})
    report = await answered(api, "explain_rule", name="Merge")
    assert report.text().startswith("merge: ") and "Why: " in report.text()
    with pytest.raises(Unanswered, match="did you mean merge"):
        await answered(api, "explain_rule", name="merg")
    with pytest.raises(Unanswered, match="lists all"):
        await answered(api, "explain_rule", name="zzzzzz")
    assert "bridge" in (await answered(api, "explain_rule")).data["names"]
    assert api.asked == []


# what_was_changed

STORY = {
    "changes": [
        {
            "number": 0,
            "rule": "merge",
            "why": "joined to the user message before",
            "count": 2,
            "places": [{"came": "/messages/1", "sent": "/messages/0", "row": 0}, {"came": "", "sent": "/x", "row": -1}],
            "repairs": "Neighbouring messages become one.",
        },
        {"number": 1, "rule": "parameters", "why": "", "count": 1, "places": [], "repairs": "Parameters go."},
    ],
    "sides": {
        "parameters": {
            "parameters": [{"name": "n", "came": [{"text": "1"}], "sent": None, "changes": [1]}],
            "tools": [],
        },
        "rows": [
            {
                "row": 0,
                "changes": [0],
                "came": [{"role": "user", "pieces": [{"kind": "text", "spans": [{"text": "Hi"}]}]}],
                "sent": [
                    {
                        "role": "user",
                        "pieces": [
                            {"kind": "text", "spans": [{"text": "z" * 500}, {"text": "there", "mark": True}]},
                            {"kind": "image", "spans": [], "description": "a cat"},
                        ],
                    }
                ],
            },
            {"fold": 1, "count": 3, "changed": 0},
        ],
    },
    "missing": "",
    "without": {
        "kind": "refused",
        "refusal": {"status": 400, "message": "No.", "pointer": "/messages/1", "reason": "two users", "proven": True},
        "more": 1,
    },
}


async def test_changes_are_told_with_their_places_and_texts() -> None:
    one = exchange()
    answers = listed(one) | {f"/api/exchanges/{one['id']}/story": STORY}
    report = await answered(FakeApi(answers), "what_was_changed")
    said = report.text()
    assert "would have answered 400: No. (two users at /messages/1), and 1 further reason." in said
    assert "3 changes:" in said
    assert "- merge ×2 at /messages/1 → /messages/0, → /x: joined to the user message before" in said
    assert "    before: user: “Hi”" in said
    assert f"    after:  user: “…{'z' * 60}there”" in said
    assert "- parameters: Parameters go." in said
    assert "    before: 1" in said and "    after:  (nothing)" in said
    assert report.data["changes"][0]["texts"][0]["before"] == "user: “Hi”"
    assert report.data["without_hunyuan_fix"]["status"] == 400
    assert f"http://127.0.0.1:9464/#/exchanges/{one['id']}" in said


@pytest.mark.parametrize(
    ("story", "more", "said"),
    [
        ({"without": {"kind": "no_such_api"}, "changes": []}, {}, "doesn't speak the client's format"),
        ({"without": {"kind": "accepted"}, "changes": []}, {}, "not known to refuse"),
        ({"changes": []}, {}, "Nothing was changed."),
        ({"changes": STORY["changes"], "missing": "off"}, {}, "hunyuan_page_content"),
        ({"changes": STORY["changes"], "missing": "gone"}, {}, "newer ones"),
        ({"changes": STORY["changes"]}, {"mode": "observe"}, "would be made"),
    ],
)
async def test_what_a_story_says_beside_that(story: dict[str, Any], more: dict[str, Any], said: str) -> None:
    one = exchange(**more)
    answers = listed(one) | {f"/api/exchanges/{one['id']}/story": story}
    assert said in (await answered(FakeApi(answers), "what_was_changed")).text()


async def test_before_an_older_proxy_rules_are_named_and_explained() -> None:
    one = exchange()
    answers = listed(one)
    answers[f"/api/exchanges/{one['id']}"]["events"] = [
        {"kind": "described", "at": 1, "ms": 5.0, "data": {"calls": 1, "ms": 40, "results": {"described": 1}}}
    ]
    report = await answered(FakeApi(answers), "what_was_changed")
    assert "3 changes:" in report.text()
    assert "- merge: Neighbouring" in report.text()
    assert "1 described; 1 vision calls" in report.text()
    assert [change["rule"] for change in report.data["changes"]] == ["merge", "parameters"]


# what_broke_the_cache


def turn(number: int, cached: int, **told: object) -> dict[str, Any]:
    return exchange(number, usage={"input": 1000, "cached": cached, "output": 5}, prompt_cache=told)


async def test_what_broke_a_cache_is_told_with_both_messages_and_whose_doing() -> None:
    turns = [
        turn(1, 0),
        turn(2, 900, before="x"),
        turn(3, 0, what="the system text differs", pointer="/messages/0", by="client", missed=1000),
        turn(4, 0, what="tools differ", pointer="/tools/3", by="hunyuan-fix", rules=["tools"], missed=500),
    ]
    answers = listed(*turns[::-1]) | {
        f"/api/sessions/{SESSION}": {"session": {"id": SESSION}, "turns": turns},
        f"/api/exchanges/{turns[2]['id']}/cache": {
            "missing": "",
            "came": {
                "before": {"role": "system", "text": "It is 10:00."},
                "now": {"role": "system", "text": "It is 10:01."},
            },
            "sent": {"before": {"role": "system", "text": "other"}, "now": {"role": "system", "text": "another"}},
        },
        f"/api/exchanges/{turns[3]['id']}/cache": {"missing": "content"},
    }
    report = await answered(FakeApi(answers), "what_broke_the_cache")
    said = report.text()
    assert f"Session {SESSION}: 4 turns, 4,000 tokens of input, 22% of them" in said
    assert "It broke 2 times; 1,500 tokens" in said
    first, second = (line for line in said.splitlines() if line.startswith("- "))
    assert "tools differ at /tools/3; hunyuan-fix changed it (tools); 500 tokens" in first
    assert "the system text differs at /messages/0; the client changed what it had sent before; 1,000" in second
    assert "in the turn before (system): “It is 10:00.”" in said and "now (system): “It is 10:01.”" in said
    assert "another" not in said
    assert "aren't kept" in said
    assert [one["by"] for one in report.data["breaks"]] == ["hunyuan-fix", "client"]
    assert report.data["missed"] == 1500


async def test_a_cache_that_holds() -> None:
    answers = {f"/api/sessions/{SESSION}": {"session": {}, "turns": [turn(1, 500), turn(2, 900)]}}
    said = (await answered(FakeApi(answers), "what_broke_the_cache", session=SESSION)).text()
    assert "didn't break" in said and "caches nothing" not in said
    answers = {f"/api/sessions/{SESSION}": {"session": {}, "turns": [turn(1, 0)]}}
    assert "caches nothing" in (await answered(FakeApi(answers), "what_broke_the_cache", session=SESSION)).text()


async def test_before_an_older_proxy_the_turns_are_told_all_the_same() -> None:
    said = (await answered(FakeApi(listed(turn(2, 900), turn(1, 0))), "what_broke_the_cache")).text()
    assert "45% of them" in said and "too old to tell" in said


async def test_a_session_that_is_not_known_is_said() -> None:
    missing = FakeApi({f"/api/sessions/{SESSION}": NotThere("no", "admin_no_such_session")})
    with pytest.raises(Unanswered, match="no session"):
        await answered(missing, "what_broke_the_cache", session=SESSION)
    with pytest.raises(Unanswered, match="remembers no request"):
        await answered(FakeApi(listed()), "what_broke_the_cache", session=SESSION)


def test_each_tool_is_described_and_its_arguments_are_too() -> None:
    for tool in BY_NAME.values():
        assert 60 < len(tool.description) < 600, tool.name
        assert tool.schema["additionalProperties"] is False
        for name, schema in tool.properties.items():
            assert schema.get("description"), (tool.name, name)
    assert Asked(FakeApi({}), {"id": 5, "x": " y "}).value("id") == ""
    assert ID


@pytest.mark.parametrize(
    ("entry", "may"),
    [
        (proxy_errors.ADMIN_FAILED, True),
        (proxy_errors.ADMIN_BAD_REQUEST, False),
        (proxy_errors.STREAM_BROKEN, None),
        (vendor_errors.ENTRIES["quota"], False),
        (vendor_errors.ENTRIES["rate_limit"], True),
        (vendor_errors.ENTRIES["content_filter"], False),
    ],
    ids=lambda one: getattr(one, "code", str(one)),
)
async def test_whether_the_same_may_succeed_later(entry: Any, may: bool | None) -> None:
    failed = exchange(status=entry.status, error=entry.code, failure=f"{entry.code}: {entry.when}"[:80])
    data = (await answered(FakeApi(listed(failed)), "why_it_failed")).data
    if may is None or entry.retry is not None:
        may = entry.retry
    assert data.get("may_succeed_later") is may
