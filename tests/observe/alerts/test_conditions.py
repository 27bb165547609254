"""Selections and the quantile of a histogram."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.observe.alerts import conditions
from hunyuan_fix.observe.alerts.conditions import quantile, selection


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("a_total", {}, True),
        ("a_total", {"x": "1"}, True),
        ("a_total{x=1}", {"x": "1", "y": "2"}, True),
        ("a_total{x=1}", {"x": "2"}, False),
        ("a_total{x=1}", {}, False),
        ("a_total{x=1|2,y=3}", {"x": "2", "y": "3"}, True),
        ("a_total{x=1|2,y=3}", {"x": "2", "y": "4"}, False),
    ],
)
def test_a_selection_takes_series_by_their_labels(text: str, labels: dict[str, str], matches: bool) -> None:
    assert selection(text).matches(frozenset(labels.items())) == matches


def test_a_selection_is_a_selector_of_prometheus() -> None:
    assert selection("a_total").promql("_count") == "a_total_count"
    assert selection("a_total{x=1,y=b|c-d}").promql() == 'a_total{x="1", y=~"b|c-d"}'


@pytest.mark.parametrize("text", ["", "a{", "a{x}", "a b", "a{x=1"])
def test_what_names_no_series_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no series"):
        selection(text)


def test_a_kind_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind sum"):
        conditions.read({"kind": "sum", "of": "a_total"}, below=False)


@pytest.mark.parametrize(
    ("wanted", "buckets", "expected"),
    [  # as histogram_quantile answers
        (0.5, {1.0: 10, math.inf: 10}, 0.5),
        (0.5, {1.0: 0, 2.0: 10, math.inf: 10}, 1.5),
        (0.9, {1.0: 5, 2.0: 10, math.inf: 10}, 1.8),
        (0.95, {1.0: 5, 2.0: 9, math.inf: 10}, 2.0),  # above all bounds: the last of them
        (0.5, {1.0: 0, math.inf: 0}, None),
        (0.5, {}, None),
        (0.5, {1.0: 3}, None),
        (0.5, {math.inf: 3}, None),
    ],
)
def test_a_quantile_is_prometheuss(wanted: float, buckets: dict[float, float], expected: float | None) -> None:
    assert quantile(wanted, buckets) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.floats(0, 200), min_size=1), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_of_the_value_that_it_is(values: list[float], wanted: float) -> None:
    bounds = [1.0, 5.0, 30.0, 120.0, math.inf]
    buckets = {bound: float(sum(value <= bound for value in values)) for bound in bounds}
    exact = sorted(values)[math.ceil(wanted * len(values) - 1e-9) - 1]
    upper = next(bound for bound in bounds if exact <= bound)
    lower = max([0.0, *(bound for bound in bounds if bound < exact)])
    found = quantile(wanted, buckets)
    assert found is not None
    assert lower - 1e-9 <= found <= min(upper, 120.0) + 1e-9
