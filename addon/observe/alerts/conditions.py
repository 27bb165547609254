"""What alerts look at. Each kind says what its value is, for the engine and as a query of Prometheus: both agree.

A kind is a class here with the members of `Condition`, and a case in `read`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

type Labels = frozenset[tuple[str, str]]
"""Names and values of a series' labels."""
type Samples = Mapping[str, Mapping[Labels, float]]
"""Values at one moment, as Prometheus would read them: name of a sample (`…_bucket` of histograms) -> series -> value."""

BY = ("job", "instance")
"""What Prometheus tells proxies apart by."""
_BY = ", ".join(BY)

LE = "le"
"""The label of a histogram's buckets: their upper bound."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Some series of a metric: those whose labels have one of the values that are named."""

    metric: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Name of a label, the values that it may have."""

    def matches(self, labels: Labels) -> bool:
        """Whether a series with these labels is one of them."""
        given = dict(labels)
        return all(given.get(label) in accepted for label, accepted in self.labels)

    def promql(self, ending: str = "") -> str:
        """As a selector. `ending`: of the name, such as `_bucket`."""
        wanted = [
            f'{label}="{values[0]}"' if len(values) == 1 else f'{label}=~"{"|".join(values)}"'
            for label, values in self.labels
        ]
        return f"{self.metric}{ending}" + (f"{{{', '.join(wanted)}}}" if wanted else "")


class Seen(Protocol):
    """What the engine has seen."""

    def growth(self, selection: Selection, minutes: int) -> Mapping[str, float]:
        """By how much the series have grown in all in the last `minutes`, by their label `le` (`""` without one)."""

    def now(self, selection: Selection) -> list[float]:
        """The values of the series."""


class Condition(Protocol):
    """What an alert looks at."""

    @property
    def minutes(self) -> int:
        """The window; 0: it has none."""

    @property
    def counters(self) -> tuple[Selection, ...]:
        """The series whose growth is asked for."""

    @property
    def gauges(self) -> tuple[Selection, ...]:
        """The series whose value is asked for."""

    def value(self, seen: Seen) -> float | None:
        """The value that is held against the threshold; `None`: there is none, as without any traffic."""

    def traffic(self, seen: Seen) -> float:
        """How much the window holds; infinite for a kind to which that means nothing."""

    def promql_traffic(self) -> str:
        """The traffic as a query, one for each proxy; empty for a kind to which that means nothing."""

    def promql(self, traffic: str) -> str:
        """The value as a query, one for each proxy. `traffic`: the series that holds the traffic."""


@dataclass(frozen=True, slots=True)
class Share:
    """What part of the growth of `whole` the growth of `part` is, from 0 to 1."""

    part: Selection
    whole: Selection
    minutes: int
    gauges: tuple[Selection, ...] = ()

    @property
    def counters(self) -> tuple[Selection, ...]:
        return self.part, self.whole

    def value(self, seen: Seen) -> float | None:
        whole = self.traffic(seen)
        return sum(seen.growth(self.part, self.minutes).values()) / whole if whole > 0 else None

    def traffic(self, seen: Seen) -> float:
        return sum(seen.growth(self.whole, self.minutes).values())

    def promql_traffic(self) -> str:
        return _growth(self.whole.promql(), self.minutes)

    def promql(self, traffic: str) -> str:
        # `or`: without any series of the part, as before the first error, the share is 0 and not unknown.
        part = _growth(self.part.promql(), self.minutes)
        return f"(\n{_indented(f'{part}\nor on ({_BY}) 0 * {traffic}')}\n) / on ({_BY}) {traffic}"


@dataclass(frozen=True, slots=True)
class Quantile:
    """The value that `quantile` of what a histogram has counted lay below."""

    histogram: Selection
    quantile: float
    minutes: int
    gauges: tuple[Selection, ...] = ()

    @property
    def _buckets(self) -> Selection:
        return Selection(f"{self.histogram.metric}_bucket", self.histogram.labels)

    @property
    def counters(self) -> tuple[Selection, ...]:
        return (self._buckets,)

    def value(self, seen: Seen) -> float | None:
        grown = {float(bound): count for bound, count in seen.growth(self._buckets, self.minutes).items() if bound}
        return quantile(self.quantile, grown)

    def traffic(self, seen: Seen) -> float:
        return max(seen.growth(self._buckets, self.minutes).values(), default=0)

    def promql_traffic(self) -> str:
        return _growth(self.histogram.promql("_count"), self.minutes)

    def promql(self, traffic: str) -> str:
        grown = _growth(self._buckets.promql(), self.minutes, LE)
        return f"histogram_quantile(\n{_indented(f'{self.quantile:g},\n{grown}')}\n)"


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much a counter has grown."""

    counter: Selection
    minutes: int
    gauges: tuple[Selection, ...] = ()

    @property
    def counters(self) -> tuple[Selection, ...]:
        return (self.counter,)

    def value(self, seen: Seen) -> float | None:
        return sum(seen.growth(self.counter, self.minutes).values())

    def traffic(self, seen: Seen) -> float:
        return math.inf

    def promql_traffic(self) -> str:
        return ""

    def promql(self, traffic: str) -> str:
        return _growth(self.counter.promql(), self.minutes)


@dataclass(frozen=True, slots=True)
class Gauge:
    """The worst of a gauge's series: the smallest if small ones are bad (`below`), else the largest."""

    gauge: Selection
    below: bool
    minutes: int = 0
    counters: tuple[Selection, ...] = ()

    @property
    def gauges(self) -> tuple[Selection, ...]:
        return (self.gauge,)

    def value(self, seen: Seen) -> float | None:
        values = seen.now(self.gauge)
        return (min(values) if self.below else max(values)) if values else None

    def traffic(self, seen: Seen) -> float:
        return math.inf

    def promql_traffic(self) -> str:
        return ""

    def promql(self, traffic: str) -> str:
        return f"{'min' if self.below else 'max'} by ({_BY}) ({self.gauge.promql()})"


@dataclass(frozen=True, slots=True)
class Scrape(Gauge):
    """A gauge that Prometheus makes itself: a process doesn't see it."""


def quantile(wanted: float, buckets: Mapping[float, float]) -> float | None:
    """The value below which the part `wanted` of the observations lies, as `histogram_quantile` of Prometheus has it.

    `buckets`: upper bound -> observations up to it; the last bound is infinite. Between two bounds it is taken for
    granted that observations are spread evenly. `None` without observations.
    """
    bounds = sorted(buckets)
    if not bounds or bounds[-1] != math.inf or not buckets[math.inf] > 0:
        return None
    rank = wanted * buckets[math.inf]
    lower, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == math.inf:
                return lower if len(bounds) > 1 else None
            within = buckets[bound] - below
            return bound if within <= 0 else lower + (bound - lower) * (rank - below) / within
        lower, below = bound, buckets[bound]
    return None


WATCHED = "hunyuan:watched"
"""The recorded series of the proxies whose growth over a window is known from its beginning, by `window`."""


def promql_watched(minutes: int) -> str:
    """`WATCHED` as a query: proxies that were read when the window began, or that began in it."""
    began = f"process_start_time_seconds > time() - {60 * minutes}"
    return f"hunyuan_build_info offset {minutes}m\nor on ({_BY}) {began}"


def _growth(series: str, minutes: int, *labels: str) -> str:
    """The growth of `series` over a window, for each proxy and value of `labels`.

    `increase` alone knows nothing of a series before its first sample: it would not see the first error of its kind. A
    series that came within the window began with 0, unless all of its proxy came into view only then.
    """
    return (
        f"sum by ({', '.join((*BY, *labels))}) (\n"
        f"  {series} unless {series} offset {minutes}m\n"
        f'    and on ({_BY}) {WATCHED}{{window="{minutes}m"}}\n'
        f"  or increase({series}[{minutes}m])\n"
        ")"
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))


_SELECTION = re.compile(r"(\w+)(?:\{(\w+=[\w|-]+(?:,\w+=[\w|-]+)*)\})?")


def selection(text: str) -> Selection:
    """The series that `METRIC` or `METRIC{label=value|value}` names. Raises `ValueError`."""
    if not (found := _SELECTION.fullmatch(text)):
        raise ValueError(f"{text} names no series")
    wanted = (label.partition("=") for label in (found[2] or "").split(",") if label)
    return Selection(found[1], tuple((name, tuple(values.split("|"))) for name, _, values in wanted))


def read(row: Mapping[str, Any], *, below: bool) -> Condition:
    """The condition in a row of the table. Raises `KeyError` and `ValueError` for one that makes none."""
    of = selection(row["of"])
    match row["kind"]:
        case "share":
            return Share(selection(row["part"]), of, row["minutes"])
        case "quantile":
            return Quantile(of, row["quantile"], row["minutes"])
        case "growth":
            return Growth(of, row["minutes"])
        case "gauge":
            return Gauge(of, below)
        case "scrape":
            return Scrape(of, below)
        case other:
            raise ValueError(f"there is no kind {other}")
