"""The text of `hunyuan.stats`: all metrics, for a person."""

from __future__ import annotations

from collections.abc import Iterator

from . import statistics
from .metrics import Distribution, Histogram, Metric, Metrics, Series, line


def text(metrics: Metrics) -> str:
    """All metrics, for a person: sentences for the proxy's own, then the rules, then a line for each other metric."""
    return "\n".join(_Text(metrics).lines())


class _Text:
    """The text of the values of `metrics`, and which of them it has shown."""

    def __init__(self, metrics: Metrics) -> None:
        self._values = metrics.collect()
        self._distributions = metrics.distributions()
        self._shown: set[Metric] = {statistics.BUILD_INFO}

    def lines(self) -> list[str]:
        worded = [*self._exchanges(), *self._calls(), *self._stores(), *self._redis(), *self._rules()]
        return [*worded, *self._rest()]

    def _series(self, metric: Metric) -> Series:
        self._shown.add(metric)
        return self._values.get(metric, {})

    def _all(self, metric: Metric) -> int:
        return round(sum(self._series(metric).values()))

    def _one(self, metric: Metric, *labels: str) -> int:
        return round(self._series(metric).get(labels, 0))

    def _distribution(self, histogram: Histogram) -> Distribution:
        """All values of a histogram, whatever their labels."""
        self._shown.add(histogram)
        found = Distribution([0] * (len(histogram.buckets) + 1))
        for one in self._distributions.get(histogram, {}).values():
            found.counts = [count + more for count, more in zip(found.counts, one.counts, strict=True)]
            found.sum += one.sum
        return found

    def _milliseconds(self, histogram: Histogram) -> str:
        return f"{1000 * self._distribution(histogram).sum:.0f} ms"

    def _exchanges(self) -> Iterator[str]:
        exchanges, rewritten = self._all(statistics.EXCHANGES), self._all(statistics.REWRITTEN)
        yield f"exchanges {exchanges}, rewritten {rewritten}, observed {self._all(statistics.OBSERVED)}"
        calls = self._distribution(statistics.VISION_SECONDS).count
        without = sum(self._one(statistics.IMAGES, result) for result in (statistics.CACHED, statistics.SHARED))
        yield f"images: {calls} vision calls, {without} described without one"
        yield f"addon: {self._milliseconds(statistics.OWN_SECONDS)} in all, {self._all(statistics.FAILURES)} failures"
        used = self._series(statistics.TOKENS).items()
        tokens = sum(count for (_, kind), count in used if kind in ("input", "output"))
        yield f"queue: {self._milliseconds(statistics.QUEUE_SECONDS)} in all; tokens used: {round(tokens)}"

    def _calls(self) -> Iterator[str]:
        admitted, full, late = (
            self._one(statistics.ADMISSIONS, result)
            for result in (statistics.ADMITTED, statistics.QUEUE_FULL, statistics.QUEUE_TIMEOUT)
        )
        yield (
            f"slots: {self._all(statistics.SLOTS_TAKEN)} taken, {self._all(statistics.SLOTS_WAITING)} waiting; "
            f"{admitted} admitted, {full} refused by a full queue, {late} after waiting"
        )
        yield (
            f"breaker: opened {self._all(statistics.BREAKER_OPENED)}, closed {self._all(statistics.BREAKER_CLOSED)}, "
            f"spared {self._all(statistics.BREAKER_SPARED)} calls; open now: {self._all(statistics.BREAKER_OPEN)}"
        )
        broken, abandoned = self._all(statistics.RELAY_BROKEN), self._all(statistics.RELAY_ABANDONED)
        retries = ", ".join(f"{reason} {count}" for reason, count in self._most(statistics.RETRIES)) or "none"
        yield (
            f"relay: {self._all(statistics.RELAY_CALLS)} calls, {self._all(statistics.RELAY_TRIES)} tries, "
            f"{broken} streams broken off, {abandoned} abandoned; tried again for: {retries}"
        )

    def _stores(self) -> Iterator[str]:
        counts = (
            (statistics.STORE_HITS, "hits"),
            (statistics.STORE_MISSES, "misses"),
            (statistics.STORE_FAILURES, "failures"),
            (statistics.STORE_BYPASSED, "by-passed"),
            (statistics.STORE_DROPPED, "writes lost"),
        )
        for (store,) in self._series(statistics.STORE_HITS):
            failing = ", failing now" if self._one(statistics.STORE_FAILING, store) else ""
            shown = ", ".join(f"{self._one(metric, store)} {name}" for metric, name in counts)
            yield f"store {store}: {shown}{failing}"

    def _redis(self) -> Iterator[str]:
        held, failures = self._all(statistics.LEASES_HELD), self._all(statistics.LEASES_FAILURES)
        bypasses, answered = self._all(statistics.LIMITS_BYPASSES), self._series(statistics.LEASES_ANSWERED)
        silent = "" if self._all(statistics.LEASES_ANSWERED) else ", Redis doesn't answer now"
        if answered:
            yield (
                f"leases over Redis: {held} held, {failures} failures{silent}; "
                f"limits of client tokens counted without it {bypasses} times"
            )

    def _rules(self) -> Iterator[str]:
        for rule, count in self._most(statistics.CHANGES):
            yield f"  {rule} {count}"
        for rule, count in self._most(statistics.WOULD_CHANGE):
            yield f"  would apply {rule} {count}"

    def _most(self, metric: Metric) -> list[tuple[str, int]]:
        """The values of a metric with one label, the largest first."""
        ordered = sorted(self._series(metric).items(), key=lambda item: -item[1])
        return [(label, round(value)) for (label,), value in ordered]

    def _rest(self) -> Iterator[str]:
        for histogram, distributions in self._distributions.items():
            if histogram not in self._shown:
                yield from (_mean(histogram, labels, one) for labels, one in distributions.items() if one.count)
        for metric, series in self._values.items():
            if metric not in self._shown:
                yield from (line(metric, labels, value) for labels, value in series.items() if value)


def _mean(histogram: Histogram, labels: tuple[str, ...], values: Distribution) -> str:
    """How many values there were, and their mean."""
    return line(histogram, labels, f"{values.count} times, on average {values.sum / values.count:.3g}")
