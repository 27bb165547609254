"""What the paths say: status, metrics, the last exchanges and their filters."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.observe.admin.exchange_pages import page
from hunyuan_fix.observe.admin.rooms import Rooms
from hunyuan_fix.observe.last_exchanges import LastExchanges
from hunyuan_fix.page.page import Page
from hunyuan_fix.page.sources import Sources
from tests.observe.admin.serving import an_exchange, asking, rooms, serving


async def test_probes_say_one_word() -> None:
    shown = rooms()
    async with serving(shown=shown) as admin, asking(admin) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        states = {"healthy": 200, "degraded": 200, "unhealthy": 503}
        for state, status in states.items():
            found = [{"name": "a", "state": "healthy"}, {"name": "b", "state": state}]
            shown.checks = {"en": found}.__getitem__
            answer = await client.get("/readyz")
            assert (answer.status_code, answer.text) == (status, "ready\n" if status == 200 else "unhealthy\n")
            assert (await client.get("/healthz")).status_code == 200
        shown.checks = lambda _: []
        shown.is_started = lambda: False
        assert (await client.get("/readyz")).text == "starting\n"
        shown.is_started = lambda: True
        admin.drain()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "draining\n")
        assert (await client.get("/healthz")).text == "ok\n"


async def test_status_has_what_the_rooms_give_in_the_readers_language() -> None:
    shown = rooms()
    shown.checks = lambda language: [{"name": "disk", "state": "degraded", "message": language}]
    shown.status = lambda language: {"version": "1.2.3", "said": language}
    async with serving(shown=shown) as admin, asking(admin) as client:
        said = (await client.get("/status", headers={"accept-language": "zh"})).json()
        assert said == {
            "version": "1.2.3",
            "said": "zh",
            "ready": True,
            "draining": False,
            "checks": [{"name": "disk", "state": "degraded", "message": "zh"}],
        }
        assert list(said)[:3] == ["ready", "draining", "checks"]


async def test_the_address_alone_is_the_page() -> None:
    shown = rooms()
    shown.page = Page(Sources(shown.exchanges))
    async with serving(shown=shown) as admin, asking(admin) as client:
        answer = await client.get("/")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("file", "status"), [("page.css", 200), ("no.css", 404), ("page.py", 404), ("...css", 404), (".css", 404)]
)
async def test_the_page_has_its_own_files_and_no_other(file: str, status: int) -> None:
    shown = rooms()
    shown.page = Page(Sources(shown.exchanges))
    async with serving(shown=shown) as admin, asking(admin) as client:
        assert (await client.get(f"/page/{file}")).status_code == status


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ("exchanges?status=4", "values such as 429, 4xx, none"),
        ("exchanges?since=yesterday", "a number from 0 to 1000000000000"),
        ("exchanges?limit=0", "a number from 1 to 1000"),
        ("events?kinds=dones", "values such as came,translated,"),
    ],
)
async def test_what_is_accepted_is_said_in_words(query: str, accepted: str) -> None:
    async with serving() as admin, asking(admin) as client:
        message = (await client.get(f"/api/{query}")).json()["error"]["message"]
        assert accepted in message and not set("[]|()").intersection(message)


async def test_metrics_are_given_as_the_scraper_accepts_them() -> None:
    shown = Rooms(metrics=lambda accept: (f"text/x-{accept}", b"a 1\n"), is_started=lambda: True)
    async with serving(shown=shown) as admin, asking(admin) as client:
        answer = await client.get("/metrics", headers={"accept": "mine"})
        assert (answer.headers["content-type"], answer.text) == ("text/x-mine", "a 1\n")


async def test_a_room_that_fails_is_one_answer_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    def fails(language: str) -> Any:
        raise RuntimeError("what a message says")

    shown = rooms()
    shown.status = fails
    async with serving(shown=shown) as admin, asking(admin) as client:
        answer = await client.get("/status")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "admin_failed")
        assert (await client.get("/healthz")).status_code == 200
    (record,) = caplog.records
    assert "/status" in record.getMessage() and "what a message says" not in caplog.text


async def test_head_gets_the_headers_alone() -> None:
    async with serving() as admin, asking(admin) as client:
        for path in ("/healthz", "/metrics", "/api/exchanges", "/openapi.json"):
            whole, head = await client.get(path), await client.head(path)
            assert head.headers == whole.headers and head.content == b""
        head = await client.head("/api/events")
        assert head.headers["content-type"] == "text/event-stream" and head.content == b""
        assert len(admin.live) == 0


async def test_a_path_takes_its_own_methods() -> None:
    async with serving() as admin, asking(admin) as client:
        for path, method, allowed in (
            ("/status", "POST", "GET, HEAD"),
            ("/signin", "PUT", "GET, HEAD, POST"),
            ("/signout", "GET", "POST"),
            ("/api/exchanges/x", "DELETE", "GET, HEAD"),
        ):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        for path in ("/status/", "//status"):
            assert (await client.get(f"{admin.url}{path}")).status_code == 404


# The last exchanges


async def test_exchanges_come_newest_first_in_pages() -> None:
    shown = rooms()
    ids = [an_exchange(shown.exchanges) for _ in range(120)]
    async with serving(shown=shown) as admin, asking(admin) as client:
        first = (await client.get("/api/exchanges")).json()
        assert [one["id"] for one in first["exchanges"]] == ids[:-51:-1]
        found, before = [], ""
        while before is not None:
            given: dict[str, str | int] = {"limit": 7, **({"before": before} if before else {})}
            said = (await client.get("/api/exchanges", params=given)).json()
            found += [one["id"] for one in said["exchanges"]]
            before = said["next"]
        assert found == ids[::-1]
        one = (await client.get(f"/api/exchanges/{ids[5]}")).json()
        assert one["exchange"]["id"] == ids[5]
        assert [event["kind"] for event in one["events"]] == ["came", "done"]
        for path in ("/api/exchanges/unknown", "/api/exchanges?before=unknown"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "admin_no_such_exchange")


FILTERS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"client": "anna"}, {"client": "anna"}, {"client": "Anna"}),
    ({"session": "5f"}, {"session": "5f"}, {"session": "5"}),
    ({"model": "hy3"}, {"model": "hy3"}, {"model": "hy3-preview"}),
    ({"model": "hy3"}, {"sent_model": "hy3"}, {"model": "other", "sent_model": "hy"}),
    ({"dialect": "chat"}, {"dialect": "chat"}, {"dialect": ""}),
    ({"profile": "tokenhub"}, {"profile": "tokenhub"}, {"profile": "kimi"}),
    ({"status": "429"}, {"status": 429}, {"status": 428}),
    ({"status": "4xx"}, {"status": 404}, {"status": 500}),
    ({"status": "4xx"}, {"status": 404}, {"status": None}),
    ({"program": "claude-code"}, {"program": "claude-code/2.1"}, {"program": "codex"}),
    ({"rule": "merge_system"}, {"rules": ["tool_schema", "merge_system"]}, {"rules": ["tool_schema"]}),
    ({"status": "failed"}, {"status": 502}, {"status": 200}),
    ({"status": "failed"}, {"status": 200, "error": "stream_broken"}, {"status": 200, "left": True, "how": "failed"}),
    ({"status": "failed"}, {"status": None, "how": "failed"}, {"status": None, "left": True, "how": "failed"}),
    ({"status": "open"}, {"over": False}, {}),
    ({"status": "none"}, {"status": None}, {"status": 200}),
    ({"slow": "1.5"}, {"ms": 1500.0}, {"ms": 1499.0}),
    ({"since": "1000"}, {"at": 1000.0}, {"at": 999.9}),
    ({"status": "5xx", "model": "hy3"}, {"status": 503, "model": "hy3"}, {"status": 503, "model": "other"}),
]


@pytest.mark.parametrize(("asked", "fits", "other"), FILTERS)
async def test_a_filter_leaves_out_what_does_not_fit(
    asked: dict[str, Any], fits: dict[str, Any], other: dict[str, Any]
) -> None:
    shown = rooms()
    wanted = an_exchange(shown.exchanges, **{"at": 2000.0, **fits})
    an_exchange(shown.exchanges, **{"at": 2000.0, **other})
    async with serving(shown=shown) as admin, asking(admin) as client:
        said = (await client.get("/api/exchanges", params=asked)).json()
        assert [one["id"] for one in said["exchanges"]] == [wanted]
        assert said["next"] is None


async def test_one_under_way_is_found_by_what_is_known_of_it() -> None:
    shown = rooms()
    id = an_exchange(shown.exchanges, over=False, client="anna", dialect="anthropic")
    shown.exchanges.hear(Event(events.FIRST_BYTE, id, 1001.0, {"status": 200}))
    async with serving(shown=shown) as admin, asking(admin) as client:
        wanted = (
            ({"client": "anna", "status": "2xx"}, 1),
            ({"status": "none"}, 0),
            ({"slow": "0.1"}, 0),
            ({"status": "failed"}, 0),
        )
        for asked, count in wanted:
            assert len((await client.get("/api/exchanges", params=asked)).json()["exchanges"]) == count, asked


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1.5", "limit=1001", "limit=", "limit=1&limit=2", "statuss=200", "status=4XX", "status=²00"),
        *("slow=nan", "slow=-1", "since=inf", "client=", f"client={'a' * 201}", "status=600", "limit=9" + "9" * 5000),
        *("a=1&" * 100, "client=%ff", "since=1e400", "limit=%D9%A1"),
    ],
)
async def test_a_parameter_that_can_not_be_used_is_named(query: str) -> None:
    async with serving() as admin, asking(admin) as client:
        answer = await client.get(f"/api/exchanges?{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "admin_bad_request")


def test_a_page_is_bounded_in_bytes() -> None:
    ring = LastExchanges()
    for _ in range(1000):
        an_exchange(ring, model="m" * 3000)
    first = page(ring, {"limit": 1000})
    assert first is not None and 100 < len(first["exchanges"]) < 500
    assert first["next"] == first["exchanges"][-1]["id"]


def test_four_times_as_many_exchanges_take_about_four_times_as_long() -> None:
    def seconds(count: int) -> float:
        ring = LastExchanges(most=count, most_bytes=1 << 30)
        for at in range(count):
            an_exchange(ring, at, client="anna" if at % 2 else "otto")
        best = float("inf")
        for _ in range(20):
            began = time.process_time()
            assert page(ring, {"client": "nobody", "slow": 0, "since": 0}) == {"exchanges": [], "next": None}
            best = min(best, time.process_time() - began)
        return best

    assert seconds(20_000) < 10 * seconds(5_000)
