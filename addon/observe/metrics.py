"""Counters, gauges and histograms. A module defines the ones that it counts; every output shows all of them.

    _RETRIES = counter("hunyuan_retries_total", "Calls that were sent again, by reason.", "reason")
    …
    metrics.add(_RETRIES, 1, "timeout")

A definition is data of its module. The values are in a `Metrics`, of which each runtime has one: two proxies in one
process, or two tests, share no number. docs/metrics.md is made from the definitions; their `help` has its Chinese in
`texts/sentences/zh/metrics.toml`.

Names and units are Prometheus's (https://prometheus.io/docs/practices/naming/): seconds, bytes, `_total` for counters.
A label has few values, which the data files or the code know beforehand: never a client's name or any content.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from weakref import WeakValueDictionary

MOST_SERIES = 1000
"""Sets of label values of one metric. Further ones are counted together, each label being `OTHER`."""
OTHER = "other"

_NAME = re.compile(r"hunyuan(_[a-z0-9]+)+")
_LABEL = re.compile(r"[a-z][a-z0-9_]*")


type Merging = Literal["sum", "max", "min"]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Metric:
    """The definition of a metric: `help` is a sentence, `labels` the names of its labels."""

    name: str
    help: str
    labels: tuple[str, ...]


class Counter(Metric):
    """A number that only grows; begins at 0 with each process."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Gauge(Metric):
    """A number that rises and falls. `merged`: what the values of several workers' processes are together."""

    merged: Merging = "sum"


@dataclass(frozen=True, slots=True, eq=False)
class Histogram(Metric):
    """How many values there were, by size: `buckets` are the upper bounds, ascending, each included."""

    buckets: tuple[float, ...]


@dataclass(slots=True)
class Distribution:
    """The values of a histogram for one set of labels."""

    counts: list[int]
    """For each bucket the values that are in it and in none before; the last are those above all bounds."""
    sum: float = 0.0

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)


type Series = Mapping[tuple[str, ...], float]
"""Values by label values, in the order of the metric's labels."""
type Reading = tuple[Metric, tuple[str, ...], float]
"""A metric, its label values, its value."""

_definitions: WeakValueDictionary[str, Metric] = WeakValueDictionary()
"""Every definition that a module holds, by name. Weak: one that a test made is gone with the test."""


def counter(name: str, help: str, *labels: str) -> Counter:
    """Define a counter, or return the one with this definition. `name` ends in `_total`.

    Raises `ValueError` for a bad name, and for one that another definition has.
    """
    if not name.endswith("_total"):
        raise ValueError(f"the counter {name} needs the ending _total")
    return _defined(Counter(name, help, labels))


def gauge(name: str, help: str, *labels: str, merged: Merging = "sum") -> Gauge:
    """Define a gauge; as `counter`, but for the ending.

    `merged`: what stands for all workers where several serve one port (`run --workers`): the `sum` of what each has,
    the `max` where all speak of the same thing, the `min` where the worst is the smallest.
    """
    if name.endswith("_total"):
        raise ValueError(f"the gauge {name} has a counter's ending")
    return _defined(Gauge(name, help, labels, merged))


def histogram(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    """Define a histogram; as `counter`, but for the ending. `buckets`: the upper bounds, ascending and finite."""
    if name.endswith(_OF_SERIES):
        raise ValueError(f"the histogram {name} has the ending of a counter, or of one of its own series")
    if not buckets or not all(map(math.isfinite, buckets)) or list(buckets) != sorted(set(buckets)):
        raise ValueError(f"the buckets of {name} have to be finite and to ascend")
    if "le" in labels:
        raise ValueError(f"{name}: a histogram's label le is its bucket's")
    return _defined(Histogram(name, help, labels, buckets))


_OF_SERIES = ("_total", "_bucket", "_count", "_sum")


def definitions() -> list[Metric]:
    """All metrics that are defined, by name."""
    return [metric for _, metric in sorted(_definitions.items())]


def _defined[M: Metric](made: M) -> M:
    if not _NAME.fullmatch(made.name):
        raise ValueError(f"{made.name} is no metric's name: hunyuan_…, lower case")
    if bad := [label for label in made.labels if not _LABEL.fullmatch(label)]:
        raise ValueError(f"{made.name}: {bad[0]} is no label's name")
    known = _definitions.setdefault(made.name, made)
    if type(known) is not type(made) or _told(known) != _told(made):
        raise ValueError(f"{made.name} is defined twice, in different ways")
    return known


def _told(metric: Metric) -> tuple[object, ...]:
    more = metric.buckets if isinstance(metric, Histogram) else metric.merged if isinstance(metric, Gauge) else ()
    return metric.help, metric.labels, more


class Metrics:
    """The values of all metrics, for one runtime. Not for several threads at once: use it on the event loop."""

    def __init__(self) -> None:
        self._values: dict[Metric, dict[tuple[str, ...], float]] = {}
        self._distributions: dict[Histogram, dict[tuple[str, ...], Distribution]] = {}
        self._readers: list[Callable[[], Iterable[Reading]]] = []

    def add(self, counter: Counter, amount: float = 1, *labels: str) -> None:
        """Add `amount` (not negative) for these label values.

        Raises `ValueError` where their number isn't that of the counter's labels.
        """
        if not 0 <= amount < math.inf:  # NaN would stay NaN for ever
            raise ValueError(f"{counter.name} can't fall")
        known = self._values.get(counter)
        if known is not None and labels in known:  # as nearly always
            known[labels] += amount
            return
        series, labels = self._series(counter, labels)
        series[labels] = series.get(labels, 0) + amount

    def set(self, gauge: Gauge, value: float, *labels: str) -> None:
        """Set the value for these label values. Raises `ValueError` as `add` does."""
        series, labels = self._series(gauge, labels)
        series[labels] = value

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Add `value`, which isn't negative. Raises `ValueError` as `add` does."""
        if not 0 <= value < math.inf:  # nor is it NaN, which would make a sum NaN for ever
            raise ValueError(f"{histogram.name} takes no negative value, nor an endless one")
        known = self._distributions.get(histogram)
        found = None if known is None else known.get(labels)
        if found is None:
            found = self._distribution(histogram, labels)
        found.counts[bisect_left(histogram.buckets, value)] += 1
        found.sum += value

    def read_from(self, reader: Callable[[], Iterable[Reading]]) -> None:
        """Ask `reader` for further values each time that values are looked at.

        For a room that counts by itself because it may not import this one (admission, stores), and for gauges that
        are cheaper to work out than to keep.
        """
        self._readers.append(reader)

    def collect(self) -> dict[Metric, Series]:
        """All counters and gauges that are defined, by name, with their values.

        A counter without labels has a value always: 0 before anything happened. A gauge that isn't set has none.
        """
        found: dict[Metric, dict[tuple[str, ...], float]] = {
            metric: {(): 0} if isinstance(metric, Counter) and not metric.labels else {}
            for metric in definitions()
            if not isinstance(metric, Histogram)
        }
        for metric, values in self._values.items():
            found.setdefault(metric, {}).update(values)
        for reader in self._readers:
            for metric, labels, value in reader():
                _check(metric, labels)
                found.setdefault(metric, {})[labels] = value
        return {**found}

    def distributions(self) -> dict[Histogram, Mapping[tuple[str, ...], Distribution]]:
        """All histograms that are defined, by name, with their values by labels. One without labels has some always."""
        found: dict[Histogram, Mapping[tuple[str, ...], Distribution]] = {}
        for metric in definitions():
            if isinstance(metric, Histogram):
                found[metric] = {} if metric.labels else {(): _empty(metric)}
        return found | self._distributions

    def value(self, metric: Metric, *labels: str) -> float:
        """One value; 0 before anything happened."""
        _check(metric, labels)
        kept = self._values.get(metric)
        return (self.collect().get(metric, {}) if kept is None else kept).get(labels, 0)

    def distribution(self, histogram: Histogram, *labels: str) -> Distribution:
        """The values of one set of labels; an empty one before anything happened."""
        _check(histogram, labels)
        return self._distributions.get(histogram, {}).get(labels) or _empty(histogram)

    def _distribution(self, histogram: Histogram, labels: tuple[str, ...]) -> Distribution:
        _check(histogram, labels)
        series = self._distributions.setdefault(histogram, {})
        if labels not in series and len(series) >= MOST_SERIES:
            labels = (OTHER,) * len(labels)
        return series.setdefault(labels, _empty(histogram))

    def _series(self, metric: Metric, labels: tuple[str, ...]) -> tuple[dict[tuple[str, ...], float], tuple[str, ...]]:
        _check(metric, labels)
        series = self._values.setdefault(metric, {})
        if labels not in series and len(series) >= MOST_SERIES:
            labels = (OTHER,) * len(labels)
        return series, labels


def _empty(histogram: Histogram) -> Distribution:
    return Distribution([0] * (len(histogram.buckets) + 1))


def _check(metric: Metric, labels: tuple[str, ...]) -> None:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {len(labels)} of them")


def line(metric: Metric, labels: tuple[str, ...], value: float | str) -> str:
    """A value as Prometheus writes it: `name{label="value"} 3`; a text stands as it is."""
    quoted = (
        '{}="{}"'.format(label, text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n"))
        for label, text in zip(metric.labels, labels, strict=True)
    )
    name = f"{metric.name}{{{','.join(quoted)}}}" if labels else metric.name
    return f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}"
