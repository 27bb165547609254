"""The values that alerts look at are those that Prometheus would read."""

from __future__ import annotations

from hunyuan_fix.observe import statistics
from hunyuan_fix.observe.alerts import readings
from hunyuan_fix.observe.alerts.alert import shipped
from hunyuan_fix.observe.alerts.engine import Engine
from hunyuan_fix.observe.metrics import Metrics


def test_a_histograms_buckets_count_what_is_not_above_their_bound() -> None:
    metrics = Metrics()
    for seconds in (0.005, 0.02, 500.0):
        metrics.observe(statistics.QUEUE_SECONDS, seconds)
    found = readings.samples(metrics, {"hunyuan_queue_seconds_bucket"})["hunyuan_queue_seconds_bucket"]
    values = {dict(labels)["le"]: count for labels, count in found.items()}
    assert (values["0.01"], values["0.02"], values["81.92"], values["+Inf"]) == (1, 2, 2, 3)


def test_every_sample_that_an_alert_looks_at_is_there() -> None:
    metrics = Metrics()
    for histogram in (statistics.QUEUE_SECONDS, statistics.LOOP_LAG_SECONDS):
        metrics.observe(histogram, 1)
    metrics.observe(statistics.FIRST_BYTE_SECONDS, 1, "hunyuan")
    wanted = Engine(shipped().values()).samples
    found = readings.samples(metrics, wanted)
    assert {name for name in wanted if name.endswith("_bucket")} <= found.keys()


def test_a_slow_endpoint_is_seen_by_the_proxy_itself() -> None:
    metrics, engine, began = Metrics(), Engine(shipped().values()), []
    for now in range(0, 600, 15):
        began += engine.look(now, readings.samples(metrics, engine.samples))
        for _ in range(5):
            metrics.observe(statistics.FIRST_BYTE_SECONDS, 60, "hunyuan")
    assert [change.alert.name for change in began] == ["response_time"]
