"""All metrics as Prometheus scrapes them, in its text format."""

from __future__ import annotations

from .metrics import Counter, Metrics, line


def exposition(metrics: Metrics, accept: str = "") -> tuple[str, bytes]:
    """The content type and the body of an answer to a scrape, whose header `Accept` is `accept`."""
    lines = []
    for metric, series in metrics.collect().items():
        lines += [f"# HELP {metric.name} {metric.help}"]
        lines += [f"# TYPE {metric.name} {'counter' if isinstance(metric, Counter) else 'gauge'}"]
        lines += [line(metric, labels, value) for labels, value in series.items()]
    return "text/plain; version=0.0.4; charset=utf-8", "".join(f"{line}\n" for line in lines).encode()
