"""All metrics as Prometheus scrapes them, in its text format or in OpenMetrics, by its official client.

The client's own registry of the process has no part in it: each runtime's numbers are its own (`metrics.Metrics`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from .metrics import Counter, Distribution, Histogram, Metrics

if TYPE_CHECKING:
    from prometheus_client import Metric as Family


def exposition(metrics: Metrics, accept: str = "") -> tuple[str, bytes]:
    """The content type and the body of an answer to a scrape, whose header `Accept` is `accept`.

    OpenMetrics where that asks for it, else the text format. Beside our own metrics there are `process_*`, where the
    system tells them (Linux), and `python_info`.
    """
    # Loaded at the first scrape: it takes 40 ms, and most proxies are never scraped.
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector  # noqa: PLC0415
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ours(metrics))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


class _Ours:
    """Our metrics, as the official client collects them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Family]:
        """Each metric with its values; one without any is left out."""
        from prometheus_client.core import (  # noqa: PLC0415 - loaded by now
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        for metric, series in self._metrics.collect().items():
            kind = CounterMetricFamily if isinstance(metric, Counter) else GaugeMetricFamily
            family = kind(metric.name, metric.help, labels=metric.labels)
            for labels, value in series.items():
                family.add_metric(labels, value)
            if series:
                yield family
        for histogram, distributions in self._metrics.distributions().items():
            made = HistogramMetricFamily(histogram.name, histogram.help, labels=histogram.labels)
            for labels, values in distributions.items():
                made.add_metric(labels, _buckets(histogram, values), values.sum)
            if distributions:
                yield made


def _buckets(histogram: Histogram, values: Distribution) -> list[tuple[str, float]]:
    """Upper bound and how many values are not above it, for each bucket."""
    bounds = [*(str(float(bound)) for bound in histogram.buckets), "+Inf"]
    return [(bound, float(count)) for bound, count in zip(bounds, accumulate(values.counts), strict=True)]
