"""Counters and gauges. A module defines the ones that it counts; every output shows all of them.

    _RETRIES = counter("hunyuan_retries_total", "Calls that were sent again, by reason.", "reason")
    …
    metrics.add(_RETRIES, 1, "timeout")

A definition is data of its module. The values are in a `Metrics`, of which each runtime has one: two proxies in one
process, or two tests, share no number.

Names and units are Prometheus's (https://prometheus.io/docs/practices/naming/): seconds, bytes, `_total` for counters.
A label has few values, and never a client's name or any content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

MOST_SERIES = 1000
"""Sets of label values of one metric. Further ones are counted together, each label being `OTHER`."""
OTHER = "other"

_NAME = re.compile(r"hunyuan(_[a-z0-9]+)+")
_LABEL = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Metric:
    """The definition of a metric: `help` is a sentence, `labels` the names of its labels."""

    name: str
    help: str
    labels: tuple[str, ...]


class Counter(Metric):
    """A number that only grows; begins at 0 with each process."""

    __slots__ = ()


class Gauge(Metric):
    """A number that rises and falls."""

    __slots__ = ()


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


def gauge(name: str, help: str, *labels: str) -> Gauge:
    """Define a gauge; as `counter`, but for the ending."""
    if name.endswith("_total"):
        raise ValueError(f"the gauge {name} has a counter's ending")
    return _defined(Gauge(name, help, labels))


def _defined[M: Metric](made: M) -> M:
    if not _NAME.fullmatch(made.name):
        raise ValueError(f"{made.name} is no metric's name: hunyuan_…, lower case")
    if bad := [label for label in made.labels if not _LABEL.fullmatch(label)]:
        raise ValueError(f"{made.name}: {bad[0]} is no label's name")
    known = _definitions.setdefault(made.name, made)
    if type(known) is not type(made) or (known.help, known.labels) != (made.help, made.labels):
        raise ValueError(f"{made.name} is defined twice, in different ways")
    return known


class Metrics:
    """The values of all metrics, for one runtime. Not for several threads at once: use it on the event loop."""

    def __init__(self) -> None:
        self._values: dict[Metric, dict[tuple[str, ...], float]] = {}
        self._readers: list[Callable[[], Iterable[Reading]]] = []

    def add(self, counter: Counter, amount: float = 1, *labels: str) -> None:
        """Add `amount` (not negative) for these label values.

        Raises `ValueError` where their number isn't that of the counter's labels.
        """
        if amount < 0:
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

    def read_from(self, reader: Callable[[], Iterable[Reading]]) -> None:
        """Ask `reader` for further values each time that values are looked at.

        For a room that counts by itself because it may not import this one (admission, stores), and for gauges that
        are cheaper to work out than to keep.
        """
        self._readers.append(reader)

    def collect(self) -> dict[Metric, Series]:
        """All metrics that are defined, by name, with their values.

        A counter without labels has a value always: 0 before anything happened. A gauge that isn't set has none.
        """
        found: dict[Metric, dict[tuple[str, ...], float]] = {
            metric: {(): 0} if isinstance(metric, Counter) and not metric.labels else {}
            for _, metric in sorted(_definitions.items())
        }
        for metric, values in self._values.items():
            found.setdefault(metric, {}).update(values)
        for reader in self._readers:
            for metric, labels, value in reader():
                _check(metric, labels)
                found.setdefault(metric, {})[labels] = value
        return {**found}

    def value(self, metric: Metric, *labels: str) -> float:
        """One value; 0 before anything happened."""
        _check(metric, labels)
        kept = self._values.get(metric)
        return (self.collect().get(metric, {}) if kept is None else kept).get(labels, 0)

    def _series(self, metric: Metric, labels: tuple[str, ...]) -> tuple[dict[tuple[str, ...], float], tuple[str, ...]]:
        _check(metric, labels)
        series = self._values.setdefault(metric, {})
        if labels not in series and len(series) >= MOST_SERIES:
            labels = (OTHER,) * len(labels)
        return series, labels


def _check(metric: Metric, labels: tuple[str, ...]) -> None:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {len(labels)} of them")


def line(metric: Metric, labels: tuple[str, ...], value: float) -> str:
    """A value as Prometheus writes it: `name{label="value"} 3`."""
    quoted = (
        '{}="{}"'.format(label, text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n"))
        for label, text in zip(metric.labels, labels, strict=True)
    )
    return f"{metric.name}{{{','.join(quoted)}}} {value:g}" if labels else f"{metric.name} {value:g}"
