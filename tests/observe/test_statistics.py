"""The numbers of the proxy, and the text of `hunyuan.stats`."""

from __future__ import annotations

from typing import Any

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe import counters, statistics, statistics_text
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.metrics import Metrics, counter


def exchange(mode: str = "repair", **values: Any) -> Exchange:
    return Exchange(mode=mode, **values)


def test_exchanges_rules_and_images_are_counted_and_what_was_only_observed_apart():
    metrics = Metrics()
    counted = [
        exchange(rules=["merge", "cascade"], vision_calls=2, cached=1, milliseconds=10.0, queued=2.0),
        exchange(
            rules=["merge"], milliseconds=5.4, tokens=9, usage={"input": 5, "cached": 4, "output": 2, "reasoning": 1}
        ),
        exchange(),
        exchange("observe", rules=["merge", "tools"], vision_calls=5, cached=5),
    ]
    counting = counters.Counting(metrics)
    for number, one in enumerate(counted):
        counting.hear(Event(events.DONE, str(number), 0.0, {**done(one, "200")}))
    images = [{"outcome": "described", "ms": 1500.0}, {"outcome": "refused", "ms": 500.0}]
    results = {"described": 1, "cached": 1, "shared": 2, "failed": 1}
    counting.hear(Event(events.DESCRIBED, "0", 0.0, {"results": results, "images": images}))
    metrics.add(statistics.FAILURES, 3)
    assert statistics_text.text(metrics).splitlines() == [
        "exchanges 4, rewritten 2, observed 1",
        "images: 2 vision calls, 3 described without one",
        "addon: 15 ms in all, 3 failures",
        "queue: 2 ms in all; tokens used: 7",
        "slots: 0 taken, 0 waiting; 0 admitted, 0 refused by a full queue, 0 after waiting",
        "breaker: opened 0, closed 0, spared 0 calls; open now: 0",
        "relay: 0 calls, 0 tries, 0 streams broken off, 0 abandoned; tried again for: none",
        "  merge 2",
        "  cascade 1",
        "  would apply merge 1",
        "  would apply tools 1",
        'hunyuan_exchange_seconds{profile="none",dialect="none"} 4 times, on average 0',
    ]


def test_before_the_first_exchange():
    assert statistics_text.text(Metrics()).startswith("exchanges 0, rewritten 0, observed 0\n")


def test_every_number_has_its_place_in_the_text():
    metrics = Metrics()
    unlabelled = {
        statistics.SLOTS_TAKEN: 1,
        statistics.SLOTS_WAITING: 2,
        statistics.BREAKER_OPENED: 6,
        statistics.BREAKER_CLOSED: 7,
        statistics.BREAKER_SPARED: 8,
        statistics.BREAKER_OPEN: 9,
        statistics.RELAY_CALLS: 10,
        statistics.RELAY_TRIES: 11,
        statistics.RELAY_BROKEN: 12,
        statistics.RELAY_ABANDONED: 13,
        statistics.LEASES_HELD: 24,
        statistics.LEASES_FAILURES: 25,
        statistics.LEASES_ANSWERED: 0,
        statistics.LIMITS_BYPASSES: 26,
        statistics.RELAY_TURNED_AWAY: 27,
    }
    metrics.read_from(lambda: [(metric, (), value) for metric, value in unlabelled.items()])
    for number, result in enumerate((statistics.ADMITTED, statistics.QUEUE_FULL, statistics.QUEUE_TIMEOUT), 3):
        metrics.add(statistics.ADMISSIONS, number, result)
    metrics.add(statistics.RETRIES, 14, "timeout")
    metrics.add(statistics.RETRIES, 15, "http_5xx")
    of_a_store = (
        statistics.STORE_HITS,
        statistics.STORE_MISSES,
        statistics.STORE_FAILURES,
        statistics.STORE_BYPASSED,
        statistics.STORE_DROPPED,
    )
    for number, metric in enumerate(of_a_store, 16):
        metrics.add(metric, number, "sqlite")
    metrics.set(statistics.STORE_FAILING, True, "sqlite")
    assert statistics_text.text(metrics).splitlines()[4:] == [
        "slots: 1 taken, 2 waiting; 3 admitted, 4 refused by a full queue, 5 after waiting",
        "breaker: opened 6, closed 7, spared 8 calls; open now: 9",
        "relay: 10 calls, 11 tries, 12 streams broken off, 13 abandoned; tried again for: http_5xx 15, timeout 14",
        "store sqlite: 16 hits, 17 misses, 18 failures, 19 by-passed, 20 writes lost, failing now",
        "leases over Redis: 24 held, 25 failures, Redis doesn't answer now; limits of client tokens counted without it "
        "26 times",
        "hunyuan_relay_turned_away_total 27",
    ]


def test_a_metric_of_which_this_module_knows_nothing_is_shown_by_its_name():
    toys = counter("hunyuan_toys_total", "Toys.", "colour")
    metrics = Metrics()
    metrics.add(toys, 2, "red")
    assert statistics_text.text(metrics).splitlines()[-1] == 'hunyuan_toys_total{colour="red"} 2'
