"""What Prometheus scrapes, read by the official parsers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from prometheus_client import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from hunyuan_fix.observe import build
from hunyuan_fix.observe.metrics import Counter, Gauge, Histogram, Metrics, counter, gauge, histogram
from hunyuan_fix.observe.prometheus import exposition
from scripts.lib import metrics_page
from tests.observe.alerts.promtool import Promtool, found

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PARSERS: dict[str, Callable[[str], Iterable[Family]]] = {"": plain, OPENMETRICS: openmetrics}

calls = counter("hunyuan_scraped_calls_total", 'Calls, also "quoted"\nones.', "host")
level = gauge("hunyuan_scraped_level", "Level.")
took = histogram("hunyuan_scraped_seconds", "Seconds.", (0.1, 1, 2.5), "host")


@pytest.fixture
def promtool(tmp_path: Path) -> Promtool:
    return found(tmp_path)


def scraped(metrics: Metrics, accept: str = "") -> dict[str, Family]:
    _, body = exposition(metrics, accept)
    return {family.name: family for family in PARSERS[accept](body.decode())}


def samples(family: Family) -> dict[tuple[str, ...], float]:
    return {(sample.name, *sample.labels.values()): sample.value for sample in family.samples}


@pytest.mark.parametrize("accept", PARSERS)
def test_each_kind_of_metric_is_read_back(accept: str) -> None:
    metrics = Metrics()
    metrics.add(calls, 3, "a")
    metrics.set(level, 1.5)
    for value in (0.05, 0.1, 0.7, 9):
        metrics.observe(took, value, "a")
    read = scraped(metrics, accept)
    assert samples(read["hunyuan_scraped_calls"]) == {("hunyuan_scraped_calls_total", "a"): 3}
    assert read["hunyuan_scraped_calls"].documentation == calls.help
    assert [
        read[name].type for name in ("hunyuan_scraped_calls", "hunyuan_scraped_level", "hunyuan_scraped_seconds")
    ] == [
        "counter",
        "gauge",
        "histogram",
    ]
    assert samples(read["hunyuan_scraped_level"]) == {("hunyuan_scraped_level",): 1.5}
    assert samples(read["hunyuan_scraped_seconds"]) == {
        ("hunyuan_scraped_seconds_bucket", "a", "0.1"): 2,
        ("hunyuan_scraped_seconds_bucket", "a", "1.0"): 3,
        ("hunyuan_scraped_seconds_bucket", "a", "2.5"): 3,
        ("hunyuan_scraped_seconds_bucket", "a", "+Inf"): 4,
        ("hunyuan_scraped_seconds_count", "a"): 4,
        ("hunyuan_scraped_seconds_sum", "a"): pytest.approx(9.85),
    }


@pytest.mark.parametrize("accept", PARSERS)
def test_before_the_first_exchange_counters_without_labels_are_0_and_others_are_not_there(accept: str) -> None:
    read = scraped(Metrics(), accept)
    assert samples(read["hunyuan_failures"]) == {("hunyuan_failures_total",): 0}
    assert not {"hunyuan_scraped_calls", "hunyuan_scraped_level", "hunyuan_scraped_seconds"} & read.keys()


@pytest.mark.parametrize("accept", PARSERS)
def test_the_process_and_python_are_told_by_the_official_collectors(accept: str) -> None:
    read = scraped(Metrics(), accept)
    (info,) = read["python_info"].samples
    assert info.labels["version"] == build.versions()[1]
    if sys.platform == "linux":
        assert samples(read["process_resident_memory_bytes"])["process_resident_memory_bytes",] > 1_000_000


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("text/html", "text/plain"),
        ("text/plain;version=0.0.4;q=0.9, */*;q=0.1", "text/plain"),
        ("application/openmetrics-text;version=1.0.0;q=0.9, text/plain;q=0.5", "application/openmetrics-text"),
        ("\N{SNOWMAN};q=x,,;", "text/plain"),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(accept: str, content_type: str) -> None:
    given, body = exposition(Metrics(), accept)
    assert given.partition(";")[0] == content_type
    assert body.endswith(b"# EOF\n") == (content_type != "text/plain")


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**50), max_size=5))
def test_a_label_may_hold_any_text(values: dict[str, int]) -> None:
    metrics = Metrics()
    for host, value in values.items():
        metrics.add(calls, value, host)
    for accept in PARSERS:
        read = scraped(metrics, accept).get("hunyuan_scraped_calls")
        assert ({} if read is None else {labels[1]: value for labels, value in samples(read).items()}) == values


def test_two_runtimes_share_nothing_and_the_clients_own_registry_has_no_part() -> None:
    one, other = Metrics(), Metrics()
    one.add(calls, 1, "a")
    assert "hunyuan_scraped_calls" in scraped(one)
    assert "hunyuan_scraped_calls" not in scraped(other)
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("hunyuan")]


def with_all_metrics() -> Metrics:
    metrics = Metrics()
    for metric in metrics_page.metrics():
        labels = ["x"] * len(metric.labels)
        if isinstance(metric, Histogram):
            metrics.observe(metric, 0.2, *labels)
        elif isinstance(metric, Counter):
            metrics.add(metric, 2, *labels)
        elif isinstance(metric, Gauge):
            metrics.set(metric, 2, *labels)
    return metrics


def test_every_metric_with_a_value_is_scraped() -> None:
    metrics = with_all_metrics()
    for accept in PARSERS:
        read = scraped(metrics, accept)
        for metric in metrics_page.metrics():
            family = read[metric.name.removesuffix("_total")]
            assert family.documentation == metric.help
            assert all(sample.value for sample in family.samples if not sample.labels.get("le"))


def test_prometheus_own_judge_finds_nothing_against_names_units_and_help(promtool: Promtool) -> None:
    assert promtool("check", "metrics", given=exposition(with_all_metrics())[1].decode()) == ""


def test_the_queries_of_the_page_are_understood(promtool: Promtool, tmp_path: Path) -> None:
    page = metrics_page.PAGES["en"].read_text("utf-8")
    queries = [query.replace("\\|", "|") for query in re.findall(r"^\| .+\? \| `(.+)` \|$", page, re.MULTILINE)]
    assert len(queries) >= 7
    rules = [{"record": f"test:query{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "page", "rules": rules}]}), encoding="utf-8")
    assert f"{len(queries)} rules found" in promtool("check", "rules", str(tmp_path / "queries.yml"))


def test_versions() -> None:
    assert all(version[0].isdigit() for version in build.versions())
    assert build._version("no-such-package") == "unknown"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_children_count_with_their_parent() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        alone = value_of(exposition(Metrics()), "process_virtual_memory_bytes")
        both = value_of(exposition(Metrics(), "", [child.pid]), "process_virtual_memory_bytes")
        assert both > alone + (1 << 20)
        exposed = [exposition(Metrics(), "", pids) for pids in ([], [child.pid])]
        assert len({value_of(one, "process_start_time_seconds") for one in exposed}) == 1
        before = value_of(exposition(Metrics(), "", [child.pid]), "process_cpu_seconds_total")
    finally:
        child.communicate(b"\n")
    # One that has ended is among those of which the system tells together.
    assert value_of(exposition(Metrics(), "", [child.pid]), "process_cpu_seconds_total") >= before


def value_of(exposed: tuple[str, bytes], name: str) -> float:
    return next(float(line.split()[1]) for line in exposed[1].decode().splitlines() if line.startswith(f"{name} "))
