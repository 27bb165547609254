"""The rules for Prometheus: valid, as they are made, and of one mind with the engine."""

from __future__ import annotations

from pathlib import Path

from hunyuan_fix.observe.alerts import alert as alerts
from hunyuan_fix.observe.alerts import prometheus
from tests.observe.alerts.traces import Trace, bad, between, good, judged_by_prometheus, promtool, traced

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/prometheus/hunyuan-fix.rules.yml"


def test_the_rules_are_as_they_are_made() -> None:
    """`python -m hunyuan_fix.observe.alerts.prometheus > deploy/prometheus/hunyuan-fix.rules.yml`."""
    assert RULES.read_text("utf-8") == prometheus.rules(alerts.shipped().values())


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES), folder=tmp_path)


def test_prometheus_takes_the_example_of_a_configuration(tmp_path: Path) -> None:
    assert "SUCCESS" in promtool("check", "config", str(RULES.with_name("prometheus.yml")), folder=tmp_path)


def test_prometheus_says_what_the_engine_says(tmp_path: Path) -> None:
    first_of_its_kind = Trace(40)
    first_of_its_kind.put("hunyuan_errors_total", {"code": "insufficient_quota"}, [None] * 20 + [1.0] * 20)
    first_of_a_process = Trace(40)
    first_of_a_process.started({0: -1e6, 20: 1195.0})
    first_of_a_process.put("hunyuan_errors_total", {"code": "insufficient_quota"}, [None] * 20 + [1.0] * 20)
    long_ago = Trace(40)
    long_ago.put("hunyuan_errors_total", {"code": "insufficient_quota"}, [7.0] * 40)
    began_anew = Trace(60)
    began_anew.started({0: -1e6, 20: 1195.0})
    began_anew.put("hunyuan_errors_total", {"code": "insufficient_quota"}, [5.0] * 20 + [0.0] * 10 + [2.0] * 30)
    one_after_the_other = traced(
        [
            *((65, good, 10), (20, between, 10)),  # nothing
            *((90, bad, 10), (70, between, 10), (40, bad, 0.5)),  # it begins, and goes on
            *((80, good, 10), (65, bad, 0), (70, bad, 0.5)),  # it ends; without enough traffic it does not begin
        ]
    )
    judged_by_prometheus(
        [one_after_the_other, first_of_its_kind, first_of_a_process, long_ago, began_anew],
        tmp_path,
    )
