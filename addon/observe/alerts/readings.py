"""The values that alerts look at, of all that a process counts, as Prometheus would read them."""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate

from ..metrics import Metrics
from .conditions import LE, Labels, Samples


def samples(metrics: Metrics, wanted: Collection[str]) -> Samples:
    """The samples with the names `wanted`, now. Those of a histogram are its buckets: what is not above each bound."""
    found: dict[str, dict[Labels, float]] = {}
    for metric, series in metrics.collect().items():
        if metric.name in wanted:
            found[metric.name] = {
                frozenset(zip(metric.labels, values, strict=True)): value for values, value in series.items()
            }
    for histogram, distributions in metrics.distributions().items():
        name = f"{histogram.name}_bucket"
        if name in wanted:
            bounds = [*map(str, histogram.buckets), "+Inf"]
            found[name] = {
                frozenset([*zip(histogram.labels, values, strict=True), (LE, bound)]): float(count)
                for values, distribution in distributions.items()
                for bound, count in zip(bounds, accumulate(distribution.counts), strict=True)
            }
    return found
