"""The metrics of several processes as one: what each worker counts, and what those that have ended had counted.

    merged = MergedMetrics()
    merged.take(1, dump(metrics_of_a_worker))
    …
    merged.ended(1)

A snapshot is plain data, with the definitions: the process that merges need not have the modules that count. Counters
and histograms are added up, and what an ended process had counted stays in the sums, so that they never fall. Gauges
are those of the processes that run, put together as their definition says (`metrics.gauge`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..exchange import JsonObject
from .metrics import (
    MOST_SERIES,
    OTHER,
    Counter,
    Distribution,
    Gauge,
    Histogram,
    Metric,
    Metrics,
    Series,
    counter,
    gauge,
    histogram,
)

type _Distributions = Mapping[tuple[str, ...], Distribution]

_TOGETHER: Mapping[str, Callable[[float, float], float]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "min": min,
}


def dump(metrics: Metrics) -> list[JsonObject]:
    """All metrics that have a value, each with its definition and its values by labels."""
    dumped: list[JsonObject] = []
    for metric, series in metrics.collect().items():
        if series:
            row: JsonObject = {"kind": "counter"}
            if isinstance(metric, Gauge):
                row = {"kind": "gauge", "merged": metric.merged}
            values = [[list(labels), value] for labels, value in series.items()]
            dumped.append({**row, "name": metric.name, "help": metric.help, "labels": metric.labels, "values": values})
    for one, distributions in metrics.distributions().items():
        if distributions:
            values = [[list(labels), found.counts, found.sum] for labels, found in distributions.items()]
            row = {"kind": "histogram", "buckets": one.buckets}
            dumped.append({**row, "name": one.name, "help": one.help, "labels": one.labels, "values": values})
    return dumped


class _Snapshot:
    """What one process has counted. Raises `ValueError`, `KeyError` or `TypeError` for what `dump` doesn't make."""

    def __init__(self, dumped: Iterable[Mapping[str, Any]] = ()) -> None:
        self.series: dict[Metric, dict[tuple[str, ...], float]] = {}
        self.distributions: dict[Histogram, dict[tuple[str, ...], Distribution]] = {}
        for row in dumped:
            metric = _defined(row)
            for labels, *_ in row["values"]:
                if len(labels) != len(metric.labels):
                    raise ValueError(f"{metric.name} has the labels {metric.labels}")
            if isinstance(metric, Histogram):
                self.distributions[metric] = {
                    tuple(labels): Distribution(_counts(metric, counts), float(total))
                    for labels, counts, total in row["values"]
                }
            else:
                self.series[metric] = {tuple(labels): float(value) for labels, value in row["values"]}

    def add(self, other: _Snapshot) -> None:
        """Add the counters and histograms of `other`, which has ended."""
        for metric, series in other.series.items():
            if isinstance(metric, Counter):
                own = self.series.setdefault(metric, {})
                for labels, value in series.items():
                    place = _place(own, labels)
                    own[place] = own.get(place, 0) + value
        for one, distributions in other.distributions.items():
            kept = self.distributions.setdefault(one, {})
            for labels, distribution in distributions.items():
                place = _place(kept, labels)
                kept[place] = _added(kept.get(place), distribution)


class MergedMetrics(Metrics):
    """The metrics of this process and those of others, each by a number of its own. Use it on the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._running: dict[int, _Snapshot] = {}
        self._ended = _Snapshot()

    def take(self, number: int, dumped: Iterable[Mapping[str, Any]]) -> None:
        """Take in the snapshot of the process `number`, in place of the one before it.

        Raises `ValueError` for one that `dump` doesn't make, and changes nothing then.
        """
        try:
            self._running[number] = _Snapshot(dumped)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no snapshot of metrics: {type(error).__name__}") from None

    def ended(self, number: int) -> None:
        """The process `number` has ended: what it had counted stays. Another one may have the number from now on."""
        if (last := self._running.pop(number, None)) is not None:
            self._ended.add(last)

    def collect(self) -> dict[Metric, Series]:
        """As `Metrics.collect`, of all processes."""
        found = {metric: dict(series) for metric, series in super().collect().items()}
        for snapshot in (self._ended, *self._running.values()):
            for metric, series in snapshot.series.items():
                together = _TOGETHER[metric.merged if isinstance(metric, Gauge) else "sum"]
                merged = found.setdefault(metric, {})
                for labels, value in series.items():
                    merged[labels] = together(merged[labels], value) if labels in merged else value
        return {**found}

    def distributions(self) -> dict[Histogram, _Distributions]:
        """As `Metrics.distributions`, of all processes."""
        found = {one: dict(own) for one, own in super().distributions().items()}
        for snapshot in (self._ended, *self._running.values()):
            for one, distributions in snapshot.distributions.items():
                merged = found.setdefault(one, {})
                for labels, distribution in distributions.items():
                    merged[labels] = _added(merged.get(labels), distribution)
        return {**found}

    def value(self, metric: Metric, *labels: str) -> float:
        """As `Metrics.value`, of all processes."""
        return self.collect().get(metric, {}).get(labels, 0)


def _defined(row: Mapping[str, Any]) -> Metric:
    name, text, labels = str(row["name"]), str(row["help"]), tuple(map(str, row["labels"]))
    match row["kind"]:
        case "counter":
            return counter(name, text, *labels)
        case "gauge" if row["merged"] in _TOGETHER:
            return gauge(name, text, *labels, merged=row["merged"])
        case "histogram":
            return histogram(name, text, tuple(map(float, row["buckets"])), *labels)
        case kind:
            raise ValueError(f"{name}: there is no kind {kind}")


def _counts(metric: Histogram, counts: Iterable[Any]) -> list[int]:
    found = [int(count) for count in counts]
    if len(found) != len(metric.buckets) + 1:
        raise ValueError(f"{metric.name} has {len(metric.buckets)} buckets")
    return found


def _added(one: Distribution | None, other: Distribution) -> Distribution:
    if one is None:
        return Distribution(list(other.counts), other.sum)
    return Distribution([sum(both) for both in zip(one.counts, other.counts, strict=True)], one.sum + other.sum)


def _place[Value](known: Mapping[tuple[str, ...], Value], labels: tuple[str, ...]) -> tuple[str, ...]:
    return (OTHER,) * len(labels) if labels not in known and len(known) >= MOST_SERIES else labels
