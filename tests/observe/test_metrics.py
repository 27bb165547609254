"""Counters, gauges and histograms: definitions are shared, values are a runtime's own."""

from __future__ import annotations

import gc
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.observe.metrics import (
    MOST_SERIES,
    OTHER,
    Distribution,
    Gauge,
    Metrics,
    Reading,
    counter,
    gauge,
    histogram,
    line,
)


def test_a_counter_counts_for_each_set_of_labels():
    calls = counter("hunyuan_test_calls_total", "Calls.", "host", "result")
    metrics = Metrics()
    metrics.add(calls, 1, "a", "ok")
    metrics.add(calls, 2, "a", "ok")
    metrics.add(calls, 1, "a", "failed")
    assert metrics.collect()[calls] == {("a", "ok"): 3, ("a", "failed"): 1}
    assert metrics.value(calls, "a", "ok") == 3
    assert metrics.value(calls, "b", "ok") == 0


def test_two_runtimes_share_no_number():
    calls = counter("hunyuan_test_calls_total", "Calls.")
    one, other = Metrics(), Metrics()
    one.add(calls)
    assert (one.value(calls), other.value(calls)) == (1, 0)


def test_a_definition_that_nothing_holds_is_gone():
    """So a metric of one test is not shown in another."""
    made = counter("hunyuan_test_calls_total", "Calls.")
    assert made in Metrics().collect()
    del made
    gc.collect()
    assert "hunyuan_test_calls_total" not in {metric.name for metric in Metrics().collect()}


def test_a_counter_is_0_before_anything_happened_and_a_gauge_that_is_not_set_has_no_value():
    calls, labelled = counter("hunyuan_test_calls_total", "Calls."), counter("hunyuan_test_hits_total", "Hits.", "x")
    level = gauge("hunyuan_test_level", "Level.")
    collected = Metrics().collect()
    assert (collected[calls], collected[labelled], collected[level]) == ({(): 0}, {}, {})


def test_a_gauge_has_its_last_value():
    level = gauge("hunyuan_test_level", "Level.")
    metrics = Metrics()
    metrics.set(level, 3)
    metrics.set(level, 1)
    assert metrics.value(level) == 1


def test_what_counts_by_itself_is_read_when_it_is_looked_at():
    level = gauge("hunyuan_test_level", "Level.", "room")
    state = {"a": 1}

    def read() -> list[Reading]:
        return [(level, (room,), value) for room, value in state.items()]

    metrics = Metrics()
    metrics.read_from(read)
    assert metrics.value(level, "a") == 1
    state.update(a=2, b=3)
    assert metrics.collect()[level] == {("a",): 2, ("b",): 3}


def test_a_definition_comes_once():
    first = counter("hunyuan_test_calls_total", "Calls.", "host")
    assert counter("hunyuan_test_calls_total", "Calls.", "host") is first
    for bad in (("Other calls.", "host"), ("Calls.",), ("Calls.", "result")):
        with pytest.raises(ValueError, match="defined twice"):
            counter("hunyuan_test_calls_total", *bad)


def test_names_are_prometheus_s():
    for name in ("calls_total", "hunyuan_calls", "hunyuan_Calls_total", "hunyuan-calls_total"):
        with pytest.raises(ValueError, match=r"(?i)calls"):
            counter(name, "Calls.")
    with pytest.raises(ValueError, match="ending"):
        gauge("hunyuan_calls_total", "Calls.")
    with pytest.raises(ValueError, match="label"):
        gauge("hunyuan_calls", "Calls.", "a-b")


def test_wrong_labels_and_falling_counters_are_refused():
    calls, level = counter("hunyuan_test_calls_total", "Calls.", "host"), gauge("hunyuan_test_level", "Level.")
    metrics = Metrics()
    with pytest.raises(ValueError, match="labels"):
        metrics.add(calls)
    with pytest.raises(ValueError, match="labels"):
        metrics.set(level, 1, "a")
    with pytest.raises(ValueError, match="labels"):
        metrics.value(calls)
    for amount in (-1, math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="fall"):
            metrics.add(calls, amount, "a")
    metrics.read_from(lambda: [(level, ("a",), 1)])
    with pytest.raises(ValueError, match="labels"):
        metrics.collect()


def test_label_values_without_end_are_counted_together():
    calls = counter("hunyuan_test_calls_total", "Calls.", "host", "port")
    metrics = Metrics()
    for number in range(2 * MOST_SERIES):
        metrics.add(calls, 1, "host", str(number))
    metrics.add(calls, 5, "host", "0")
    series = metrics.collect()[calls]
    assert len(series) == MOST_SERIES + 1
    assert series[OTHER, OTHER] == MOST_SERIES
    assert series["host", "0"] == 6


def test_a_line_is_prometheus_s():
    calls = counter("hunyuan_test_calls_total", "Calls.", "host", "result")
    assert line(calls, ('a\n"b\\', "ok"), 3) == r'hunyuan_test_calls_total{host="a\n\"b\\",result="ok"} 3'
    level: Gauge = gauge("hunyuan_test_level", "Level.")
    assert line(level, (), 1.5) == "hunyuan_test_level 1.5"


# Histograms


def test_a_histogram_counts_values_by_size_and_sums_them() -> None:
    took = histogram("hunyuan_test_seconds", "Seconds.", (0.1, 1.0), "host")
    metrics = Metrics()
    for value in (0.0, 0.1, 0.100001, 1.0, 1.5, 1e12):
        metrics.observe(took, value, "a")
    for value in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="takes no negative value"):
            metrics.observe(took, value, "a")
    values = metrics.distribution(took, "a")
    assert (values.counts, values.count) == ([2, 2, 2], 6)
    assert values.sum == pytest.approx(1e12 + 2.700001)
    assert metrics.distribution(took, "b") == Distribution([0, 0, 0])
    assert metrics.distributions()[took] == {("a",): values}
    assert took not in metrics.collect()


@given(st.lists(st.floats(0, 1e9)))
def test_every_value_is_in_one_bucket_and_not_above_its_bound(values: list[float]) -> None:
    took = histogram("hunyuan_test_seconds", "Seconds.", (0.01, 0.5, 1.0, 81.92))
    metrics = Metrics()
    for value in values:
        metrics.observe(took, value)
    found = metrics.distribution(took)
    for place, bound in enumerate(took.buckets, 1):
        assert sum(found.counts[:place]) == sum(value <= bound for value in values)
    assert found.count == len(values)
    assert found.sum == pytest.approx(sum(values))


def test_a_histogram_without_labels_has_values_always() -> None:
    took, labelled = histogram("hunyuan_test_seconds", "S.", (1,)), histogram("hunyuan_other_seconds", "S.", (1,), "x")
    read = Metrics().distributions()
    assert (read[took], read[labelled]) == ({(): Distribution([0, 0])}, {})


def test_what_is_no_value_of_a_histogram_is_refused() -> None:
    took = histogram("hunyuan_test_seconds", "Seconds.", (0.1, 1.0), "host")
    metrics = Metrics()
    for value in (-0.001, math.nan):
        with pytest.raises(ValueError, match="negative"):
            metrics.observe(took, value, "a")
    for labels in ((), ("a", "b")):
        with pytest.raises(ValueError, match="labels"):
            metrics.observe(took, 1, *labels)
        with pytest.raises(ValueError, match="labels"):
            metrics.distribution(took, *labels)


@pytest.mark.parametrize("buckets", [(), (1.0, 0.5), (1.0, 1.0), (1.0, math.inf), (math.nan,)])
def test_buckets_ascend_and_end(buckets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="buckets"):
        histogram("hunyuan_test_seconds", "Seconds.", buckets)


def test_a_histogram_has_no_name_or_label_of_its_own_series() -> None:
    for name in ("hunyuan_test_total", "hunyuan_test_count", "hunyuan_test_sum", "hunyuan_test_bucket"):
        with pytest.raises(ValueError, match="ending"):
            histogram(name, "Seconds.", (1.0,))
    with pytest.raises(ValueError, match="le"):
        histogram("hunyuan_test_seconds", "Seconds.", (1.0,), "le")


def test_a_histogram_is_defined_once() -> None:
    first = histogram("hunyuan_test_seconds", "Seconds.", (1.0, 2.0))
    assert histogram("hunyuan_test_seconds", "Seconds.", (1.0, 2.0)) is first
    with pytest.raises(ValueError, match="defined twice"):
        histogram("hunyuan_test_seconds", "Seconds.", (1.0, 3.0))
    with pytest.raises(ValueError, match="defined twice"):
        gauge("hunyuan_test_seconds", "Seconds.")


def test_distributions_without_end_are_counted_together() -> None:
    took = histogram("hunyuan_test_seconds", "Seconds.", (1.0,), "host", "port")
    metrics = Metrics()
    for number in range(2 * MOST_SERIES):
        metrics.observe(took, 1, "host", str(number))
    series = metrics.distributions()[took]
    assert len(series) == MOST_SERIES + 1
    assert series[OTHER, OTHER].count == MOST_SERIES
