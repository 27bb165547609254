"""Counters and gauges: definitions are shared, values are a runtime's own."""

from __future__ import annotations

import gc

import pytest

from hunyuan_fix.observe.metrics import MOST_SERIES, OTHER, Gauge, Metrics, Reading, counter, gauge, line


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
    with pytest.raises(ValueError, match="fall"):
        metrics.add(calls, -1, "a")
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
