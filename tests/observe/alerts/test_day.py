"""A simulated day: the alerts of the one outage, each once, within minutes, and nothing else."""

from __future__ import annotations

import pytest

from hunyuan_fix.observe.alerts import alert as alerts
from hunyuan_fix.observe.alerts.engine import Engine
from tests.observe.alerts.day import OUTAGE, day
from tests.observe.alerts.promtool import Promtool
from tests.observe.alerts.traces import engines, judged_by_prometheus


@pytest.mark.parametrize("seed", range(8))
def test_a_day_has_the_alerts_of_its_outage_once_each(seed: int) -> None:
    changes = day(seed).changes(Engine(alerts.shipped().values()))
    told = [(change.alert.name, change.firing) for change in changes]
    assert sorted(told) == sorted((name, firing) for name in ("error_rate", "breaker_open") for firing in (True, False))
    begins, ends = (change.at / 60 for change in changes if change.alert.name == "error_rate")
    assert OUTAGE.start < begins <= OUTAGE.start + 4
    assert OUTAGE.stop <= ends <= OUTAGE.stop + 11


@pytest.mark.nightly
def test_prometheus_has_the_same_day(promtool: Promtool) -> None:
    trace = day(1)
    judged_by_prometheus(promtool, (trace, engines(trace)))
