"""What `GET /api/overview` answers: what is under way, and what each waits for."""

from __future__ import annotations

import json
import time

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.observe.last_exchanges import LastExchanges
from hunyuan_fix.page.overview import MOST_SHOWN, of
from hunyuan_fix.page.page import Page
from hunyuan_fix.page.sources import Sources
from tests.observe.admin.serving import an_exchange, asking, rooms, serving


@pytest.mark.parametrize("kind", [kind for kind in events.KINDS if kind != events.DONE])
def test_each_kind_of_event_says_what_is_waited_for(kind: str) -> None:
    ring = LastExchanges()
    ring.hear(Event(events.CAME, "a", 1.0, {"client": "anna"}))
    ring.hear(Event(kind, "a", 2.0, {"model": "hy3"}))
    found = of(ring)
    (one,) = found["under_way"]
    assert (one["id"], one["since"], one["waits_since"], one["client"]) == ("a", 1.0, 2.0, "anna")
    assert found["counts"][one["waits_for"]] == 1 and sum(found["counts"].values()) == 1
    assert one["waits_for"] == {"queued": "slot", "sent": "answer", "first_token": "end"}.get(kind, one["waits_for"])


def test_the_oldest_under_way_are_named_and_all_are_counted() -> None:
    ring = LastExchanges()
    ids = [an_exchange(ring, at, over=at % 2 == 0) for at in range(1, 301)]
    found = of(ring)
    assert sum(found["counts"].values()) == 150 and found["kept"] == 300
    assert [one["id"] for one in found["under_way"]] == ids[::2][:MOST_SHOWN]


async def test_it_is_answered_empty_and_with_something() -> None:
    shown = rooms()
    shown.page = Page(Sources(shown.exchanges))
    async with serving(shown=shown) as admin, asking(admin) as client:
        empty = (await client.get("/api/overview")).json()
        assert empty["last"] is None and empty["kept"] == 0 and set(empty["minutes"]["exchanges"]) == {0}
        assert abs(empty["now"] - time.time()) < 600
        an_exchange(shown.exchanges, 2000.0)
        assert json.loads((await client.get("/api/overview")).text)["last"] == 2000.0
