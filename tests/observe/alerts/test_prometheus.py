"""The rules for Prometheus: valid, as they are made, and of one mind with the engine."""

from __future__ import annotations

from pathlib import Path

from hunyuan_fix.observe.alerts import alert as alerts
from hunyuan_fix.observe.alerts import prometheus
from tests.observe.alerts.promtool import Promtool
from tests.observe.alerts.traces import Trace, bad, between, engines, good, judged_by_prometheus, traced

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/prometheus/hunyuan-fix.rules.yml"
QUOTA = {"code": "insufficient_quota"}


def test_the_rules_are_as_they_are_made() -> None:
    """`python -m hunyuan_fix.observe.alerts.prometheus > deploy/prometheus/hunyuan-fix.rules.yml`."""
    assert RULES.read_text("utf-8") == prometheus.rules(alerts.shipped().values())


def test_prometheus_takes_the_rules(promtool: Promtool) -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


def test_prometheus_takes_the_example_of_a_configuration(promtool: Promtool) -> None:
    assert "SUCCESS" in promtool("check", "config", str(RULES.with_name("prometheus.yml")))


def test_prometheus_says_what_the_engine_says(promtool: Promtool) -> None:
    one_after_the_other = traced(
        [
            *((65, good, 10), (20, between, 10)),  # nothing
            *((90, bad, 10), (70, between, 10), (40, bad, 0.5)),  # it begins, and goes on
            *((80, good, 10), (65, bad, 0), (70, bad, 0.5)),  # it ends; without enough traffic it does not begin
        ]
    )
    fires = engines(one_after_the_other)
    in_process = [name for name, alert in alerts.shipped().items() if alert.in_process]
    assert sorted(fires) == sorted(in_process)
    assert all(any(line) and not all(line) for line in fires.values())

    first_of_its_kind = Trace(40)
    first_of_its_kind.put("hunyuan_errors_total", QUOTA, [None] * 20 + [1.0] * 20)
    first_of_a_process = Trace(40)
    first_of_a_process.started({0: -1e6, 20: 1195.0})
    first_of_a_process.put("hunyuan_errors_total", QUOTA, [None] * 20 + [1.0] * 20)
    long_ago = Trace(40)
    long_ago.put("hunyuan_errors_total", QUOTA, [7.0] * 40)
    began_anew = Trace(60)
    began_anew.started({0: -1e6, 20: 1195.0})
    began_anew.put("hunyuan_errors_total", QUOTA, [5.0] * 20 + [0.0] * 10 + [2.0] * 30)
    traces = (one_after_the_other, first_of_its_kind, first_of_a_process, long_ago, began_anew)
    judged_by_prometheus(promtool, *((trace, engines(trace)) for trace in traces))


def test_what_only_prometheus_sees(promtool: Promtool) -> None:
    """A proxy that can't be read; and one that was there long before Prometheus, with an error of long ago."""
    down = Trace(20)
    down.put("up", {}, [1.0] * 10 + [0.0] * 10)
    older_than_prometheus = Trace(40)
    older_than_prometheus.put("hunyuan_build_info", {"version": "1"}, [None] * 20 + [1.0] * 20)
    older_than_prometheus.put("hunyuan_errors_total", QUOTA, [None] * 20 + [7.0] * 20)
    judged_by_prometheus(promtool, (down, {"down": [False] * 11 + [True] * 9}), (older_than_prometheus, {}))
