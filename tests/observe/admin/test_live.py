"""Live events: they come as they are told, are resumed, and a listener that is too slow is told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.observe.admin import live as live_module
from hunyuan_fix.observe.admin.admin import Admin
from hunyuan_fix.observe.admin.live import MOST, Live
from hunyuan_fix.observe.last_exchanges import LastExchanges
from tests.observe.admin.serving import BEARER, TOKEN, an_exchange, asking, events_of, rooms, serving, token_file

type Found = tuple[str, Mapping[str, Any], str]


@asynccontextmanager
async def listening(admin: Admin, query: str = "", **headers: str) -> AsyncIterator[AsyncIterator[Found]]:
    async with asking(admin) as client, client.stream("GET", f"/api/events{query}", headers=headers) as stream:
        assert stream.status_code == 200 and stream.headers["content-type"] == "text/event-stream"
        yield events_of(stream)


def tell(admin: Admin, kind: str = events.SENT, id: str = "a", **data: Any) -> None:
    admin.rooms.exchanges.hear(Event(kind, id, 1.5, data))


async def test_events_come_as_they_are_told() -> None:
    async with serving() as admin, listening(admin) as stream:
        tell(admin, model="hy3")
        tell(admin, events.DONE, ms=3.5)
        name, data, first = await anext(stream)
        assert (name, data) == ("sent", {"exchange": "a", "kind": "sent", "at": 1.5, "data": {"model": "hy3"}})
        name, data, second = await anext(stream)
        assert (name, data["data"]) == ("done", {"ms": 3.5})
        assert first.rpartition("-")[0] == second.rpartition("-")[0] and first != second


async def test_what_was_told_before_is_not_sent_but_by_last_event_id() -> None:
    async with serving() as admin:
        for number in range(5):
            tell(admin, number=number)
        async with listening(admin) as stream:
            tell(admin, number=5)
            _, data, id = await anext(stream)
            assert data["data"] == {"number": 5}
        boot = id.rpartition("-")[0]
        for given, query in ((f"{boot}-3", ""), ("", f"?last={boot}-3")):
            async with listening(admin, query, **({"last-event-id": given} if given else {})) as stream:
                assert [(await anext(stream))[1]["data"]["number"] for _ in range(3)] == [3, 4, 5]
        async with listening(admin, **{"last-event-id": "0000-3"}) as stream:
            assert (await anext(stream))[:2] == ("gap", {"why": "restarted"})


async def test_what_the_ring_has_lost_is_a_gap() -> None:
    shown = rooms()
    shown.exchanges = LastExchanges(most_recent=10)
    async with serving(shown=shown) as admin:
        for number in range(1, 31):
            tell(admin, number=number)
        async with listening(admin, f"?last={admin.live._boot}-5&seconds=0") as stream:
            found = [event async for event in stream]
        assert found[0][:2] == ("gap", {"why": "too_late", "missed": 15})
        assert [data["data"]["number"] for name, data, _ in found if name == "sent"] == list(range(21, 31))
        assert found[-1][:2] == ("end", {"why": "time_is_up"})


async def test_more_than_one_write_takes_come_all_and_in_order() -> None:
    async with serving() as admin:
        for number in range(1, 1501):
            tell(admin, number=number)
        async with listening(admin, f"?last={admin.live._boot}-0&seconds=0") as stream:
            numbers = [data["data"]["number"] async for name, data, _ in stream if name == "sent"]
        assert numbers == list(range(1, 1501))


async def test_a_listener_names_the_kinds_that_it_hears() -> None:
    async with serving() as admin, listening(admin, "?kinds=done,retried") as stream:
        for kind in (events.CAME, events.SENT, events.RETRIED, events.DONE):
            tell(admin, kind)
        assert [(await anext(stream))[0] for _ in range(2)] == ["retried", "done"]


async def test_silence_is_broken_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "HEARTBEAT", 0.0)
    async with serving() as admin, asking(admin) as client, client.stream("GET", "/api/events") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        assert await anext(lines) == ""
        assert await anext(lines) == ":"


async def test_at_the_end_of_the_process_each_gets_what_is_there_and_a_last_word() -> None:
    async with serving() as admin, listening(admin) as one, listening(admin) as other:
        tell(admin)
        admin.drain()
        for stream in (one, other):
            assert [name async for name, _, _ in stream] == ["sent", "end"]
        assert len(admin.live) == 0


async def test_one_that_signs_out_hears_no_more(tmp_path: Any) -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        form = {"once": admin.link().partition("once=")[2]}
        answer = await client.post("/signin", data=form, headers={"origin": admin.url})
        cookie = answer.headers["set-cookie"].partition(";")[0]
        async with listening(admin, cookie=cookie) as stream, listening(admin, **BEARER) as by_token:
            await client.post("/signout", headers={"cookie": cookie, "origin": admin.url})
            tell(admin)
            assert [(name, data) async for name, data, _ in stream] == [("end", {"why": "not_allowed"})]
            assert (await anext(by_token))[0] == "sent"
    assert token_file(tmp_path)


async def test_so_many_listen_and_no_more() -> None:
    async with serving() as admin, asking(admin) as client:
        async with asyncio.TaskGroup() as group:
            ready = asyncio.Semaphore(0)

            async def listen() -> None:
                async with listening(admin) as stream:
                    ready.release()
                    assert [name async for name, _, _ in stream] == ["end"]

            for _ in range(MOST):
                group.create_task(listen())
            for _ in range(MOST):
                await ready.acquire()
            answer = await client.get("/api/events")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "admin_too_many_listeners")
            assert int(answer.headers["retry-after"]) > 0
            assert (await client.get("/readyz")).status_code == 200
            admin.live.close()
        async with listening(admin) as stream:
            tell(admin)
            assert (await anext(stream))[0] == "sent"


async def test_one_that_leaves_gives_its_place_back() -> None:
    async with serving() as admin:
        for _ in range(3):
            async with listening(admin):
                assert len(admin.live) == 1
            async with asyncio.timeout(20):
                while len(admin.live):
                    await asyncio.sleep(0.01)
        assert admin.rooms.exchanges.woken is None


# Slow listeners


class Slow:
    """A connection that takes nothing after its first writes."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.written: list[bytes] = []
        self.last = b""

    def write(self, data: bytes) -> bool:
        if len(self.written) >= self.takes:
            return False
        self.written.append(data)
        return True

    def end(self, last: bytes) -> None:
        self.last = last


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_one_that_the_ring_has_passed_over_is_dropped_with_a_word_and_costs_others_nothing() -> None:
    ring = LastExchanges(most_recent=50)
    live = Live(ring)
    slow, quick = Slow(2), Slow(10_000)
    for connection in (slow, quick):
        live.add(connection)
    an_exchange(ring)
    await until(lambda: len(slow.written) == 2 and len(quick.written) == 2)
    for _ in range(20):
        an_exchange(ring)
    await until(lambda: len(quick.written) == 3)
    assert not slow.last and len(live) == 2
    for _ in range(15):
        an_exchange(ring)
    await until(lambda: slow.last)
    assert slow.last.startswith(b'event: end\ndata: {"why":"too_slow","missed":20}')
    assert len(live) == 1
    await until(lambda: b"".join(quick.written).count(b"event: done") == 36)
    live.close()


async def test_one_that_takes_nothing_for_long_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "HEARTBEAT", 0.0)
    monkeypatch.setattr(live_module, "PATIENCE", 0.0)
    ring = LastExchanges()
    live = Live(ring)
    slow = Slow(1)
    live.add(slow)
    an_exchange(ring)
    await until(lambda: slow.last)
    assert b'"too_slow"' in slow.last
