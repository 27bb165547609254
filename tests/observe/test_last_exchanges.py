"""The last exchanges: bounded in number and bytes, plain data without content."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.last_exchanges import MOST_BYTES, MOST_EVENTS, MOST_PAID, LastExchanges
from tests.observe.admin.serving import an_exchange

NAMES = st.sampled_from(["status", "model", "rules", "client", "ms", "other"])
VALUES = st.none() | st.integers() | st.text(max_size=100) | st.lists(st.text(max_size=9), max_size=3)


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
    assert MOST_BYTES < 50 << 20


def told(ring: LastExchanges, number: int) -> str:
    """Let `ring` hear an exchange as a worker's events come to the supervisor: nothing of it is shared."""
    id = an_exchange(ring, over=False, profile="tokenhub", dialect="anthropic", client="anna", program="claude-code/2")
    more = {"rules": ["merge_system", "tool_schema"], "session": f"{number:032x}", "ms": number + 0.5}
    sent = {"upstream": "tokenhub.tencentmaas.com", "model": "hy3", "bytes": 1000 + number, "waited_ms": number + 0.1}
    usage = {"input": 1000 + number, "cached": 900 + number, "output": 300 + number}
    over = {**done(Exchange(), "200", "answered", 200), **more, "id": id, "usage": usage, "model": f"model-{number}"}
    kinds: list[tuple[str, dict[str, Any]]] = [
        (events.REPAIRED, more),
        (events.SENT, sent),
        (events.FIRST_BYTE, {"status": 200, "date": f"Sun, 29 Nov 2026 15:00:{number % 60:02d} GMT"}),
        (events.FIRST_TOKEN, {}),
        (events.PAID, {**a_paid(), "id": id, "usage": usage, "session": more["session"]}),
        (events.DONE, over),
    ]
    for kind, data in kinds:
        ring.hear(Event(kind, json.loads(json.dumps(id)), 1001.5 + number, json.loads(json.dumps(data))))
    return id


def test_ten_thousand_are_kept_and_take_no_more_memory_than_is_counted() -> None:
    for number in range(10):
        told(LastExchanges(), number)
    gc.collect()
    tracemalloc.start()
    try:
        ring, count = LastExchanges(most_recent=1), 1000
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            told(ring, number)
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    counted = sum(kept.size for kept in ring.newest())
    assert len(ring) == count
    assert used < 1.05 * counted + (600 << 10)  # the shared texts and lists of names have a bound of their own
    assert counted < 2 * used  # else much less is kept than there is room for
    assert 10_000 * counted / count < MOST_BYTES


# What calls cost


def a_paid(amount: int | None = 5, currency: str = "CNY") -> dict[str, Any]:
    return {
        "id": "a", "purpose": "own", "client": "", "session": "", "dialect": "chat", "profile": "tokenhub",
        "upstream": "host", "asked": "hy3", "model": "hy3", "usage": {}, "amount": amount, "currency": currency,
        "priced": "", "status": 200, "ms": 1.0, "is_estimated": False, "is_cancelled": False,
    }  # fmt: skip


def test_what_is_paid_after_the_end_counts_and_the_exchange_stays_over() -> None:
    ring = LastExchanges()
    ring.hear(Event(events.CAME, "a", 1.0, {}))
    ring.hear(Event(events.PAID, "a", 2.0, a_paid(3, "USD")))
    kept = ring.get("a")
    assert kept is not None and kept.summary()["last"] == "came"
    ring.hear(Event(events.DONE, "a", 3.0, {"status": 200}))
    ring.hear(Event(events.PAID, "a", 4.0, a_paid(4, "CNY")))
    ring.hear(Event(events.PAID, "a", 5.0, a_paid(10, "USD")))
    ring.hear(Event(events.PAID, "a", 5.0, a_paid(None, "")))
    summary = kept.summary()
    assert (summary["over"], summary["last"], summary["cost"]) == (True, "done", {"USD": 13, "CNY": 4})
    assert [event.kind for event in kept.events] == ["came", "done"]
    assert kept.paid == [a_paid(3, "USD"), a_paid(4, "CNY"), a_paid(10, "USD"), a_paid(None, "")]
    assert [event.kind for _, event in ring.since(0)] == ["came", "paid", "done", "paid", "paid", "paid"]


def test_a_cost_that_is_not_known_is_absent() -> None:
    ring = LastExchanges()
    ring.hear(Event(events.CAME, "a", 1.0, {}))
    ring.hear(Event(events.PAID, "a", 1.0, a_paid(None, "")))
    kept = ring.get("a")
    assert kept is not None and "cost" not in kept.summary()


def test_what_is_paid_for_a_forgotten_exchange_is_told_but_not_kept() -> None:
    ring = LastExchanges()
    ring.hear(Event(events.PAID, "a", 1.0, a_paid()))
    assert len(ring) == 0 and ring.heard == 1


@given(st.lists(st.tuples(st.sampled_from(["CNY", "USD"]), st.none() | st.integers(0, 10**18)), max_size=300))
@example([("CNY", 3)] * (MOST_PAID + 50))
def test_the_cost_is_the_exact_sum_of_all_calls_however_many(amounts: list[tuple[str, int | None]]) -> None:
    ring = LastExchanges()
    ring.hear(Event(events.CAME, "a", 1.0, {}))
    for currency, amount in amounts:
        ring.hear(Event(events.PAID, "a", 1.0, a_paid(amount, currency)))
    kept = ring.get("a")
    assert kept is not None and len(kept.paid) == min(len(amounts), MOST_PAID)
    for currency in ("CNY", "USD"):
        known = [amount for one, amount in amounts if one == currency and amount is not None]
        assert kept.cost.get(currency) == (sum(known) if known else None)


@given(st.lists(st.tuples(st.sampled_from(events.KINDS), st.dictionaries(NAMES, VALUES)), min_size=1, max_size=8))
def test_what_is_told_is_what_was_heard(told: list[tuple[str, dict[str, Any]]]) -> None:
    ring = LastExchanges()
    for kind, data in told:
        ring.hear(Event(kind, "a", 1.0, data))
    kept = ring.get("a")
    assert kept is not None
    assert [(event.kind, event.data) for event in kept.events] == told
    summary = kept.summary()
    for name in ("status", "model", "rules", "client", "ms"):
        assert kept.get(name) == (summary.get(name) if told[-1][0] != events.DONE else told[-1][1].get(name))


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(events.ALL_KINDS)), max_size=60), st.integers(1, 4)
)
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
