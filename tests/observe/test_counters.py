"""The sink that counts: what it counts, and that nothing a client or an endpoint says makes a series of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix import events, profiles
from hunyuan_fix.events import Done, Event, Paid
from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.observe import statistics
from hunyuan_fix.observe.counters import RETRY_REASONS, STATUSES, TOKENS, Counting, by_reason, known_model, retry_reason
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.metrics import OTHER, Counter, Metrics
from hunyuan_fix.observe.statistics import NONE
from hunyuan_fix.upstream import connection
from hunyuan_fix.wire import flaws, noted_errors

PROFILES = ("tokenhub", "moonshot")
DIALECTS = ("chat", "anthropic", "")


def record(**values: Any) -> Done:
    """The record of a plain exchange, with some values of its own."""
    made = done(Exchange(profile="tokenhub", dialect="chat", model="hy3"), "200", status=200)
    return {**made, **values}  # type: ignore[typeddict-item]


def heard(kind: str, *data: JsonObject | Done) -> Metrics:
    """What is counted of these events."""
    metrics = Metrics()
    counting = Counting(metrics)
    for one in data:
        counting.hear(Event(kind, "an id", 0.0, {**one}))
    return metrics


def counts(metrics: Metrics, metric: Counter) -> dict[tuple[str, ...], float]:
    return dict(metrics.collect()[metric])


# What is counted


def test_an_exchange_is_counted_by_profile_dialect_model_and_class_of_status() -> None:
    statuses = (200, 204, 302, 404, 429, 500, 999, 101, None)
    metrics = heard(
        events.DONE,
        *(record(status=status) for status in statuses),
        record(dialect="", profile="", model=""),
        record(model="gpt-4", sent_model="glm-5.2"),
        record(model="gpt-4"),
    )
    assert counts(metrics, statistics.EXCHANGES) == {
        ("tokenhub", "chat", "hy3", "2xx"): 2,
        ("tokenhub", "chat", "hy3", "3xx"): 1,
        ("tokenhub", "chat", "hy3", "4xx"): 2,
        ("tokenhub", "chat", "hy3", "5xx"): 2,
        ("tokenhub", "chat", "hy3", "1xx"): 1,
        ("tokenhub", "chat", "hy3", NONE): 1,
        (NONE, NONE, NONE, "2xx"): 1,
        ("tokenhub", "chat", "glm-5.2", "2xx"): 1,
        ("tokenhub", "chat", OTHER, "2xx"): 1,
    }


def test_times_are_seconds_and_only_those_that_are_known() -> None:
    known = record(ms=2500.0, addon_ms=0.3, queue_ms=40.0, first_byte_ms=700.0, first_token_ms=900.0)
    metrics = heard(events.DONE, record(ms=100.0, addon_ms=0.2), known)
    own = metrics.distribution(statistics.OWN_SECONDS)
    assert (own.count, round(own.sum, 6)) == (2, 0.0005)
    assert own.counts[:3] == [0, 1, 1]
    assert metrics.distribution(statistics.EXCHANGE_SECONDS, "tokenhub", "chat").sum == pytest.approx(2.6)
    assert metrics.distribution(statistics.QUEUE_SECONDS).count == 1
    for histogram, seconds in ((statistics.FIRST_BYTE_SECONDS, 0.7), (statistics.FIRST_TOKEN_SECONDS, 0.9)):
        values = metrics.distribution(histogram, "tokenhub")
        assert values.count == 1
        assert values.sum == pytest.approx(seconds)


def test_tokens_are_counted_by_kind_and_nothing_where_the_answer_does_not_tell() -> None:
    used = {"input": 100, "cached": 60, "output": 20, "reasoning": 5}
    metrics = heard(events.DONE, record(usage=used), record(usage={"input": 1}), record())
    assert counts(metrics, statistics.TOKENS) == {
        ("tokenhub", "input"): 101,
        ("tokenhub", "cached"): 60,
        ("tokenhub", "output"): 20,
        ("tokenhub", "reasoning"): 5,
    }


def test_rules_of_observed_exchanges_are_counted_apart() -> None:
    rules = ["merge", "tools"]
    metrics = heard(events.DONE, record(rules=rules), record(rules=["merge"]), record(rules=rules, mode="observe"))
    assert counts(metrics, statistics.CHANGES) == {("merge",): 2, ("tools",): 1}
    assert counts(metrics, statistics.WOULD_CHANGE) == {("merge",): 1, ("tools",): 1}
    assert metrics.value(statistics.OBSERVED) == 1
    assert metrics.value(statistics.REWRITTEN) == 2


def test_errors_are_those_that_clients_got_and_streams_that_were_cut_are_known_by_them() -> None:
    metrics = heard(
        events.DONE,
        record(status=504, error="upstream_timeout", streamed=True),  # before the stream began
        record(error="upstream_timeout", streamed=True),
        record(error="stream_broken", streamed=True, how="failed"),
        record(error="stream_incomplete", streamed=True),
        record(error="rate_limit_exceeded", streamed=True),  # the endpoint ended it in order
        record(streamed=True),
        record(error="vision_timeout", status=504, left=True),
        record(streamed=True, left=True),
        record(error="what an endpoint says"),
    )
    assert counts(metrics, statistics.ERRORS) == {
        ("upstream_timeout",): 2,
        ("stream_broken",): 1,
        ("stream_incomplete",): 1,
        ("rate_limit_exceeded",): 1,
        (OTHER,): 1,
    }
    assert metrics.value(statistics.STREAMS) == 6
    assert metrics.value(statistics.STREAMS_CUT) == 3
    assert metrics.value(statistics.CLIENTS_GONE) == 2


def test_images_and_mended_tries() -> None:
    calls = [
        {"outcome": "described", "ms": 1500.0, "tries": 3, "tokens": {"input": 800, "output": 90}},
        {"outcome": "refused", "ms": 300.0, "tries": 1, "tokens": {"written": 5}},
    ]
    metrics = heard(events.DESCRIBED, {"results": {"described": 1, "failed": 1, "cached": 3}, "images": calls})
    assert counts(metrics, statistics.IMAGES) == {("described",): 1, ("failed",): 1, ("cached",): 3}
    seconds = metrics.distribution(statistics.VISION_SECONDS)
    assert seconds.count == 2
    assert seconds.sum == pytest.approx(1.8)
    assert metrics.value(statistics.VISION_TRIES) == 4
    assert counts(metrics, statistics.VISION_TOKENS) == {("input",): 800, ("output",): 90}
    mended = heard(events.MENDED, {"reason": "field", "outcome": "helped"})
    assert counts(mended, statistics.MENDED) == {("field", "helped"): 1}


def test_fallbacks() -> None:
    data = {"profile": "moonshot", "reason": "quota", "outcome": "answered", "model": "kimi-k2.6", "upstream": "x"}
    assert counts(heard(events.FALLBACK, data), statistics.FALLBACKS) == {("moonshot", "quota", "answered"): 1}


def test_the_sink_hears_what_it_counts() -> None:
    assert set(Counting(Metrics()).kinds) == {
        *(events.DESCRIBED, events.MENDED, events.FALLBACK, events.DONE, events.PAID),
    }


# Calls that may have to be paid


def paid(**values: Any) -> Paid:
    made: Paid = {
        "id": "an id",
        "purpose": "own",
        "client": "",
        "session": "",
        "dialect": "chat",
        "profile": "tokenhub",
        "upstream": "tokenhub.tencentmaas.com",
        "asked": "hy3",
        "model": "hy3",
        "usage": {"input": 40, "cached": 8, "output": 9},
        "amount": 1_500_000_000_000,
        "currency": "CNY",
        "priced": "2026-11-28",
        "status": 200,
        "ms": 12.5,
        "is_estimated": False,
        "is_cancelled": False,
    }
    return {**made, **values}  # type: ignore[typeddict-item]


def test_a_paid_call_is_counted_with_tokens_and_cost() -> None:
    calls = [paid(), paid(purpose="vision", model="a client's own", is_estimated=True, amount=None, currency="")]
    metrics = heard(events.PAID, *calls)  # type: ignore[arg-type]
    assert metrics.value(statistics.PAID_CALLS, "own") == metrics.value(statistics.PAID_CALLS, "vision") == 1
    assert metrics.value(statistics.PAID_TOKENS, "tokenhub", "hy3", "cached") == 8
    assert metrics.value(statistics.PAID_TOKENS, "tokenhub", OTHER, "output") == 9
    assert metrics.value(statistics.COST, "CNY", "tokenhub") == 1.5
    assert metrics.value(statistics.UNPRICED_CALLS, "tokenhub", OTHER) == 1
    assert metrics.value(statistics.UNPRICED_CALLS, "tokenhub", "hy3") == 0
    assert metrics.value(statistics.ESTIMATED_CALLS) == 1


def test_a_failed_call_has_neither_tokens_nor_an_unknown_price() -> None:
    metrics = heard(events.PAID, paid(usage={}, amount=None, currency="", status=500))  # type: ignore[arg-type]
    assert metrics.value(statistics.PAID_CALLS, "own") == 1
    assert metrics.value(statistics.UNPRICED_CALLS, "tokenhub", "hy3") == 0


# Why a call is tried again


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("HTTP 429", "http_429"),
        ("HTTP 400", "http_4xx"),
        ("HTTP 408", "http_4xx"),
        ("HTTP 500", "http_5xx"),
        ("HTTP 529", "http_5xx"),
        ("no answer in time", "timeout"),
        ("mended", "mended"),
        ("fallback", "fallback"),
        ("connection refused", "connection"),
        (flaws.NO_JSON.what, "unusable_answer"),
        (flaws.EMPTY_STREAM.what, "unusable_answer"),
        (flaws.ERROR_EVENT, "unusable_answer"),
    ],
)
def test_why_a_call_is_tried_again(failure: str, reason: str) -> None:
    assert retry_reason(failure) == reason


def test_all_failures_of_the_relay_are_counted_and_none_by_its_own_words() -> None:
    said = [f"HTTP {status}" for status in range(400, 600)] + [kind for _, kind in connection._KINDS] + ["ConnectError"]
    counted = by_reason(dict.fromkeys(said, 2))
    assert counted.total() == 2 * len(set(said))
    assert set(counted) <= set(RETRY_REASONS)


# Nothing that is said makes a series

anything = st.text(max_size=12)
any_time = st.floats(0, 1e6)
records = st.builds(
    record,
    profile=st.sampled_from((*PROFILES, "")),
    dialect=st.sampled_from(DIALECTS),
    model=anything | st.sampled_from(["hy3", "kimi-k3"]),
    sent_model=anything | st.just(""),
    client=anything,
    program=anything,
    path=anything,
    session=anything,
    outcome=anything,
    failure=anything,
    error=anything | st.sampled_from(sorted(noted_errors.CODES)),
    status=st.none() | st.integers(0, 1000),
    streamed=st.booleans(),
    left=st.booleans(),
    ms=any_time,
    addon_ms=any_time,
    queue_ms=any_time,
    first_byte_ms=any_time,
    first_token_ms=any_time,
    usage=st.dictionaries(st.sampled_from([*TOKENS, "written"]) | anything, st.integers(0, 10**6), max_size=4),
)


def most_series() -> int:
    """How many series events of `PROFILES` and `DIALECTS` can make, whatever else is in them."""
    names = len(PROFILES) + 1
    models = sum(len(profiles.load(name).models) + 2 for name in PROFILES) + 2
    return sum(
        (
            models * len(DIALECTS) * len(STATUSES),  # exchanges
            names * len(DIALECTS),  # their seconds
            2 * names,  # first byte, first token
            names * len(TOKENS),
            len(noted_errors.CODES),
            2,  # own seconds, queue seconds
        )
    )


def series(metrics: Metrics) -> set[tuple[str, ...]]:
    """The names and labels of all that has more than no value."""
    found = {
        (metric.name, *labels) for metric, values in metrics.collect().items() if metric.labels for labels in values
    }
    return found | {
        (histogram.name, *labels)
        for histogram, values in metrics.distributions().items()
        for labels, one in values.items()
        if one.count
    }


class AtMost:
    """Values that are collected over all examples of a test."""

    metrics = Metrics()


@settings(max_examples=50)
@given(st.lists(records, min_size=10, max_size=10))
def test_exchanges_of_any_kind_make_no_more_series_than_the_vocabularies_have(
    many: Iterable[Done],
) -> None:
    counting = Counting(AtMost.metrics)
    for one in many:
        counting.hear(Event(events.DONE, "an id", 0.0, {**one}))
    found = series(AtMost.metrics)
    assert len(found) <= most_series()
    known = {"hy3", "kimi-k3"}
    models = {labels[3] for labels in found if labels[0] == statistics.EXCHANGES.name}
    assert models <= known | {OTHER, NONE} | {model for name in PROFILES for model in profiles.load(name).models}


def test_ten_thousand_models_and_codes_make_two_series() -> None:
    many = [
        record(
            model=f"model-{n}", client=f"client-{n}", path=f"/v1/{n}", program=f"p{n}", error=f"code-{n}", status=500
        )
        for n in range(10_000)
    ]
    metrics = heard(events.DONE, *many)
    assert counts(metrics, statistics.EXCHANGES) == {("tokenhub", "chat", OTHER, "5xx"): 10_000}
    assert counts(metrics, statistics.ERRORS) == {(OTHER,): 10_000}


@given(anything, anything)
def test_a_model_is_named_only_where_its_profile_names_it(profile: str, model: str) -> None:
    assert known_model(profile, model) in (OTHER, NONE)
    assert known_model("tokenhub", model) in {OTHER, NONE, *profiles.load("tokenhub").models}


# What it costs


def seconds(counting: Counting, number: int) -> float:
    """The least time of CPU in which `number` exchanges are counted, of several."""
    event = Event(
        events.DONE, "an id", 0.0, {**record(rules=["merge", "tools"], usage={"input": 9, "output": 9}, ms=1.0)}
    )

    def once() -> float:
        begun = time.process_time()
        for _ in range(number):
            counting.hear(event)
        return time.process_time() - begun

    return min(once() for _ in range(7))


def test_an_exchange_costs_the_same_however_many_were_counted() -> None:
    counting = Counting(Metrics())
    first = seconds(counting, 1000)
    for n in range(5000):
        counting.hear(Event(events.DONE, "an id", 0.0, {**record(model=f"model-{n}", error=f"code-{n}")}))
    later = seconds(counting, 1000)
    assert later < 3 * first, f"{1000 * first:.1f} µs an exchange, and {1000 * later:.1f} µs after 12,000 others"
    assert seconds(counting, 2000) < 6 * first
