"""All metrics as Prometheus scrapes them, in its text format or in OpenMetrics, by its official client.

The client's own registry of the process has no part in it: each runtime's numbers are its own (`metrics.Metrics`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from .metrics import Counter, Distribution, Histogram, Metrics

if TYPE_CHECKING:
    from prometheus_client import Metric as Family


def exposition(metrics: Metrics, accept: str = "", children: Collection[int] = ()) -> tuple[str, bytes]:
    """The content type and the body of an answer to a scrape, whose header `Accept` is `accept`.

    OpenMetrics where that asks for it, else the text format. Beside our own metrics there are `process_*`, where the
    system tells them (Linux), and `python_info`. `children`: processes of this one that count with it.
    """
    # Loaded at the first scrape: it takes 15 ms, and most proxies are never scraped.
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector  # noqa: PLC0415
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ours(metrics))
    if children:
        registry.register(_Processes(children))
    else:
        ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


class _Processes:
    """This process and its `children`, as the official client collects one: added up but for what can't be."""

    def __init__(self, children: Collection[int]) -> None:
        self._children = children

    def collect(self) -> Iterator[Family]:
        """Each metric of a process. CPU is that of the children that have ended, too: so it never falls."""
        from prometheus_client import ProcessCollector  # noqa: PLC0415 - loaded by now

        own = list(ProcessCollector(registry=None).collect())
        others = [
            sample
            for pid in self._children
            for family in ProcessCollector(pid=partial(int, pid), registry=None).collect()
            for sample in family.samples
        ]
        ended = os.times()
        for family in own:
            for number, sample in enumerate(family.samples):
                value = sample.value
                if sample.name == "process_cpu_seconds_total":
                    value += ended.children_user + ended.children_system
                if sample.name not in _NOT_ADDED:
                    value += sum(other.value for other in others if other.name == sample.name)
                family.samples[number] = sample._replace(value=value)
            yield family


_NOT_ADDED = ("process_start_time_seconds", "process_max_fds")
"""Of each process by itself; this one stands for all."""


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
