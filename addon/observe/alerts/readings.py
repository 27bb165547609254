"""The values that alerts look at, of all that a process counts, as Prometheus would read them."""

from __future__ import annotations

from collections.abc import Collection

from ..metrics import Metrics
from .conditions import Labels, Samples

_BUCKET = "_bucket"


def samples(metrics: Metrics, wanted: Collection[str]) -> Samples:
    """The samples with the names `wanted`, now."""
    found: dict[str, dict[Labels, float]] = {}
    for metric, series in metrics.collect().items():
        if metric.name in wanted:
            found[metric.name] = {
                frozenset(zip(metric.labels, values, strict=True)): value for values, value in series.items()
            }
    return found
