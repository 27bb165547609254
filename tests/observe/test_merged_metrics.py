"""Several processes' metrics as one: sums that never fall, whatever ends when."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.observe import prometheus
from hunyuan_fix.observe.merged_metrics import MergedMetrics, dump
from hunyuan_fix.observe.metrics import MOST_SERIES, OTHER, Metrics, counter, gauge, histogram

CALLS = counter("hunyuan_merged_calls_total", "Calls.", "result")
TOOK = histogram("hunyuan_merged_seconds", "Seconds.", (0.1, 1.0))
OPEN = gauge("hunyuan_merged_open", "Open.")
WORST = gauge("hunyuan_merged_worst", "Worst.", merged="min")
FAILING = gauge("hunyuan_merged_failing", "Failing.", merged="max")


def sent(metrics: Metrics) -> list[dict[str, Any]]:
    """A snapshot as it comes over the channel."""
    found: list[dict[str, Any]] = json.loads(json.dumps(dump(metrics)))
    return found


def test_counters_and_histograms_are_added_up_and_gauges_by_their_rule():
    merged = MergedMetrics()
    merged.add(CALLS, 1, "own")
    for number, calls in ((1, 2), (2, 3)):
        worker = Metrics()
        worker.add(CALLS, calls, "ok")
        worker.observe(TOOK, number * 0.5)
        for level in (OPEN, WORST, FAILING):
            worker.set(level, number)
        merged.take(number, sent(worker))
    collected, took = merged.collect(), merged.distributions()[TOOK][()]
    assert collected[CALLS] == {("own",): 1, ("ok",): 5}
    assert (collected[OPEN][()], collected[WORST][()], collected[FAILING][()]) == (3, 1, 2)
    assert (took.counts, took.sum, took.count) == ([0, 2, 0], 1.5, 2)
    assert merged.value(CALLS, "ok") == 5


def test_what_an_ended_process_had_counted_stays_and_its_gauges_go():
    merged, worker = MergedMetrics(), Metrics()
    worker.add(CALLS, 2, "ok")
    worker.observe(TOOK, 0.5)
    worker.set(OPEN, 4)
    merged.take(1, sent(worker))
    merged.ended(1)
    merged.ended(1)  # said twice
    assert merged.collect()[CALLS] == {("ok",): 2}
    assert merged.collect()[OPEN] == {}
    assert merged.distributions()[TOOK][()].count == 1
    merged.take(1, sent(Metrics()))
    assert merged.collect()[CALLS] == {("ok",): 2}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["counts", "asked", "ends"]),
            st.integers(0, 3),
            st.sampled_from(["ok", "failed"]),
            st.integers(0, 5),
        ),
        max_size=40,
    )
)
def test_sums_never_fall_and_nothing_that_was_told_is_lost(steps: list[tuple[str, int, str, int]]):
    merged, workers, told = MergedMetrics(), {number: Metrics() for number in range(4)}, dict.fromkeys(range(4), 0.0)
    total, ended, seen = 0.0, 0.0, 0.0
    for step, number, result, amount in steps:
        match step:
            case "counts":
                workers[number].add(CALLS, amount, result)
                workers[number].observe(TOOK, amount)
            case "asked":
                merged.take(number, sent(workers[number]))
                told[number] = sum(workers[number].collect()[CALLS].values())
            case _:
                merged.ended(number)
                ended += told[number]
                workers[number], told[number] = Metrics(), 0.0
        total, before = sum(merged.collect()[CALLS].values()), total
        observed, seen_before = merged.distributions()[TOOK][()].sum, seen
        assert total >= before
        assert observed >= seen_before
        assert total == ended + sum(told.values()) == observed
        seen = observed


@given(st.permutations(range(3)), st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_the_order_in_which_they_are_heard_does_not_matter(order: list[int], amounts: list[int]):
    merged, alone = MergedMetrics(), MergedMetrics()
    for target, numbers in ((merged, order), (alone, range(3))):
        for number in numbers:
            worker = Metrics()
            worker.add(CALLS, amounts[number], "ok")
            worker.set(WORST, amounts[number])
            target.take(number, sent(worker))
    assert {**merged.collect()} == {**alone.collect()}


def test_definitions_come_with_a_snapshot():
    """The process that merges doesn't have the modules that count."""
    row = {"kind": "counter", "name": "hunyuan_merged_foreign_total", "help": "Foreign.", "labels": ["x"]}
    merged = MergedMetrics()
    merged.take(1, [{**row, "values": [[["a"], 3]]}])
    assert b'hunyuan_merged_foreign_total{x="a"} 3.0' in prometheus.exposition(merged)[1]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"name": "hunyuan_merged_x_total", "help": "X.", "labels": [], "values": []},
        {"kind": "meter", "name": "hunyuan_merged_x", "help": "X.", "labels": [], "values": []},
        {"kind": "gauge", "merged": "mean", "name": "hunyuan_merged_x", "help": "X.", "labels": [], "values": []},
        {"kind": "counter", "name": "hunyuan_merged_x_total", "help": "X.", "labels": [], "values": [[["a"], 1]]},
        {"kind": "counter", "name": "other", "help": "X.", "labels": [], "values": []},
        {"kind": "counter", "name": "hunyuan_merged_calls_total", "help": "Others.", "labels": [], "values": []},
        {
            "kind": "histogram",
            "name": "hunyuan_merged_y",
            "help": "Y.",
            "labels": [],
            "buckets": [1],
            "values": [[[], [1], 1]],
        },
    ],
)
def test_what_is_no_snapshot_is_refused_and_changes_nothing(row: dict[str, Any]):
    merged, worker = MergedMetrics(), Metrics()
    worker.add(CALLS, 2, "ok")
    merged.take(1, sent(worker))
    with pytest.raises(ValueError, match=r"."):
        merged.take(1, [row])
    assert merged.collect()[CALLS] == {("ok",): 2}


def test_ended_processes_have_a_bound_too():
    merged = MergedMetrics()
    for number in range(3):
        worker = Metrics()
        for one in range(MOST_SERIES):
            worker.add(CALLS, 1, f"{number}-{one}")
        merged.take(number, sent(worker))
        merged.ended(number)
    series = merged.collect()[CALLS]
    assert len(series) <= MOST_SERIES + 1
    assert sum(series.values()) == 3 * MOST_SERIES
    assert series[(OTHER,)] == 2 * MOST_SERIES
