"""The last exchanges: bounded in number and bytes, plain data without content."""

from __future__ import annotations

import gc
import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.observe.last_exchanges import MOST_BYTES, MOST_EVENTS, LastExchanges
from tests.observe.admin.serving import an_exchange


def test_an_exchange_is_its_events_and_a_summary() -> None:
    ring = LastExchanges()
    ring.hear(Event(events.CAME, "a", 10.0, {"profile": "tokenhub", "client": "anna"}))
    ring.hear(Event(events.SENT, "a", 10.5, {"model": "hy3", "upstream": "host"}))
    kept = ring.get("a")
    assert kept is not None
    assert kept.summary() == {
        "id": "a", "at": 10.0, "last": "sent", "over": False,
        "profile": "tokenhub", "client": "anna", "model": "hy3", "upstream": "host",
    }  # fmt: skip
    assert [(event["kind"], event["ms"]) for event in kept.timeline()] == [("came", 0.0), ("sent", 500.0)]
    ring.hear(Event(events.DONE, "a", 11.0, {"profile": "tokenhub", "model": "other", "ms": 1000.0}))
    assert kept.summary() == {
        "id": "a", "at": 10.0, "last": "done", "over": True, "profile": "tokenhub", "model": "other", "ms": 1000.0
    }  # fmt: skip


def test_the_oldest_goes_first() -> None:
    ring = LastExchanges(most=3)
    ids = [an_exchange(ring) for _ in range(5)]
    assert [kept.id for kept in ring.newest()] == ids[:1:-1]
    assert [kept.id for kept in ring.newest(ids[3])] == [ids[2]]
    assert ring.get(ids[1]) is None
    ring.hear(Event(events.DONE, ids[0], 1.0, {}))  # one that was forgotten under way
    assert [kept.id for kept in ring.newest()] == [ids[0], ids[4], ids[3]]


def test_events_of_one_exchange_have_a_bound_and_the_last_one_counts() -> None:
    ring = LastExchanges()
    for _ in range(MOST_EVENTS + 50):
        ring.hear(Event(events.RETRIED, "a", 1.0, {"number": 2}))
    ring.hear(Event(events.DONE, "a", 2.0, {"status": 200}))
    kept = ring.get("a")
    assert kept is not None and len(kept.events) == MOST_EVENTS
    assert kept.summary()["over"] and kept.summary()["status"] == 200


def test_what_a_client_makes_large_is_shortened() -> None:
    ring = LastExchanges(most=10)
    large: dict[str, Any] = {"model": "m" * 10_000_000, "rules": ["r" * 1000] * 5000, "deep": {"model": ["x" * 9999]}}
    for _ in range(50):
        an_exchange(ring, **large)
    assert sum(len(json.dumps(kept.timeline())) for kept in ring.newest()) < 200_000
    assert sum(len(json.dumps(event.data)) for _, event in ring.since(0)) < 1_000_000


def test_all_together_have_a_bound_in_bytes() -> None:
    ring = LastExchanges(most=1_000_000, most_bytes=100_000)
    for _ in range(1000):
        an_exchange(ring, model="m" * 500)
    assert 20 < len(ring) < 100
    assert sum(len(json.dumps(kept.timeline())) for kept in ring.newest()) < 200_000
    assert MOST_BYTES < 10 << 20


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(events.KINDS)), max_size=60), st.integers(1, 4))
def test_any_order_of_events_keeps_the_bounds(told: list[tuple[str, str]], most: int) -> None:
    ring = LastExchanges(most=most, most_recent=7)
    for at, (id, kind) in enumerate(told):
        ring.hear(Event(kind, id, float(at), {"number": at}))
        assert len(ring) <= most
        assert [number for number, _ in ring.since(0)] == list(range(ring.oldest, ring.heard + 1))[-7:]
    assert ring.heard == len(told)
    for number in range(-2, len(told) + 3):
        later = ring.since(number)
        assert [found for found, _ in later] == [n for n in range(ring.oldest, ring.heard + 1) if n > number]
        assert all(event.data == {"number": found - 1} for found, event in later)


def test_four_times_as_many_take_about_four_times_as_long() -> None:
    def seconds(count: int) -> float:
        ring, best = LastExchanges(most=count, most_recent=count), float("inf")
        for _ in range(5):
            began = time.process_time()
            for _ in range(2 * count):
                an_exchange(ring)
            for kept in ring.newest():
                kept.summary()
            ring.since(count // 2)
            best = min(best, time.process_time() - began)
        return best

    gc.disable()  # what else this process holds would be looked through
    try:
        assert seconds(4000) < 10 * seconds(1000)
    finally:
        gc.enable()
