"""The engine: what begins and ends when, for every alert of the table."""

from __future__ import annotations

import math

import pytest

from hunyuan_fix.observe.alerts import alert as alerts
from hunyuan_fix.observe.alerts.alert import Alert, Limits
from hunyuan_fix.observe.alerts.conditions import Share
from hunyuan_fix.observe.alerts.engine import Engine
from tests.observe.alerts.traces import Trace, bad, between, firing, good, traced

ALERTS = [alert for alert in alerts.shipped().values() if alert.in_process]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_begins_after_its_time_and_ends_once(alert: Alert) -> None:
    trace = traced([(70, good, 10), (90, bad, 10), (90, good, 10)], [alert])
    changes = trace.changes(Engine(ALERTS))
    assert [(change.alert.name, change.firing) for change in changes] == [(alert.name, True), (alert.name, False)]
    begins, ends = changes
    window = 60 * alert.condition.minutes
    assert 70 * 60 + alert.seconds <= begins.at <= 71 * 60 + alert.seconds + window
    assert 160 * 60 <= ends.at <= 161 * 60 + window
    assert ends.began == begins.at
    assert begins.value is not None
    assert alert.beyond(begins.value, alert.limits.threshold)


@pytest.mark.parametrize("alert", [one for one in ALERTS if one.least], ids=lambda alert: alert.name)
def test_too_little_traffic_says_nothing(alert: Alert) -> None:
    trace = traced([(70, good, 0.5), (90, bad, 0.5)], [alert])
    assert trace.changes(Engine(ALERTS)) == []


@pytest.mark.parametrize("alert", [one for one in ALERTS if one.least], ids=lambda alert: alert.name)
def test_an_alert_that_fires_goes_on_with_less_traffic_and_ends_with_none(alert: Alert) -> None:
    trace = traced([(5, good, 0), (100, bad, 10), (60, bad, 0.5), (70, bad, 0)], [alert])
    fires = firing(trace.changes(Engine(ALERTS)), trace.steps, trace.step)[alert.name]
    assert fires[100:165] == [True] * 65
    assert not fires[-1]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_between_the_limits_nothing_begins_and_nothing_ends(alert: Alert) -> None:
    if alert.limits.ends == alert.limits.threshold:
        assert alert.condition.minutes == 0 or alert.limits.threshold == 0  # nothing lies between
        return
    trace = traced([(150, between, 10), (100, bad, 10), (150, between, 10)], [alert])
    fires = firing(trace.changes(Engine(ALERTS)), trace.steps, trace.step)[alert.name]
    assert not any(fires[:150])
    assert all(fires[240:])


def test_two_requests_an_hour_say_nothing_when_one_fails() -> None:
    trace = Trace(600)
    trace.grow("hunyuan_exchanges_total", {"status": "2xx"}, [float(minute % 60 == 0) for minute in range(600)])
    trace.grow("hunyuan_exchanges_total", {"status": "5xx"}, [float(minute % 60 == 30) for minute in range(600)])
    assert trace.changes(Engine(ALERTS)) == []


def test_a_value_must_be_beyond_the_threshold_all_the_time() -> None:
    alert = alerts.shipped()["store"]
    trace = Trace(20, step=15)
    values = [0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0]
    trace.put("hunyuan_store_failing", {"store": "redis"}, map(float, values))
    trace.put("hunyuan_store_failing", {"store": "sqlite"}, [0.0] * 20)
    assert [(change.at // 15, change.firing) for change in trace.changes(Engine([alert]))] == [(15, True), (16, False)]


def test_a_counter_that_begins_anew_counts_from_nothing() -> None:
    """As after a restart: neither a fall nor a leap."""
    alert = alerts.shipped()["quota"]
    trace = Trace(60)
    values = [5.0] * 20 + [0.0] * 10 + [2.0] * 30
    trace.put("hunyuan_errors_total", {"code": "insufficient_quota"}, values)
    changes = trace.changes(Engine([alert]))
    assert [(change.at // 60, change.firing, change.value) for change in changes] == [(30, True, 2), (45, False, 0)]


def test_what_was_counted_before_the_first_look_is_no_growth() -> None:
    trace = Trace(20)
    trace.put("hunyuan_errors_total", {"code": "insufficient_quota"}, [7.0] * 20)
    assert trace.changes(Engine(ALERTS)) == []


def test_the_first_of_its_kind_is_growth() -> None:
    trace = Trace(20)
    trace.put("hunyuan_errors_total", {"code": "insufficient_quota"}, [None] * 10 + [1.0] * 10)
    assert [change.alert.name for change in trace.changes(Engine(ALERTS))] == ["quota"]


def test_series_with_other_labels_are_not_looked_at() -> None:
    trace = Trace(20)
    trace.grow("hunyuan_errors_total", {"code": "upstream_timeout"}, [3.0] * 20)
    assert trace.changes(Engine(ALERTS)) == []


def test_an_alert_that_is_switched_off_ends() -> None:
    engine = Engine(ALERTS)
    samples = {"hunyuan_store_failing": {frozenset({("store", "redis")}): 1.0}}
    engine.look(0, samples)
    assert [change.firing for change in engine.look(60, samples)] == [True]
    engine.configure({})
    assert [change.firing for change in engine.look(75, samples)] == [False]
    assert engine.states["store"].phase == "off"
    assert engine.look(200, samples) == []


def test_another_threshold_holds_from_the_next_look_on() -> None:
    engine = Engine(ALERTS)
    samples = {"hunyuan_store_failing": {frozenset({("store", "redis")}): 1.0}}
    engine.configure({"store": Limits(1, 1)})
    engine.look(0, samples)
    assert engine.look(60, samples) == []
    engine.configure({"store": Limits(0, 0)})
    engine.look(75, samples)
    assert engine.states["store"].phase == "pending"
    assert [change.alert.name for change in engine.look(135, samples)] == ["store"]


def test_what_is_kept_is_bounded() -> None:
    engine = Engine(ALERTS)
    for look in range(2000):
        engine.look(look * 15, {"hunyuan_streams_total": {frozenset(): float(look)}})
    longest = max(alert.condition.minutes for alert in ALERTS)
    assert len(engine._seen._looks) == longest * 4 + 1


def test_a_pause_of_the_looks_is_one_long_step() -> None:
    """A machine that slept: what is from before the pause isn't in the window."""
    alert = alerts.shipped()["quota"]
    engine = Engine([alert])
    labels = frozenset({("code", "insufficient_quota")})
    engine.look(0, {})
    assert [change.firing for change in engine.look(15, {"hunyuan_errors_total": {labels: 1}})] == [True]
    assert [change.firing for change in engine.look(9000, {"hunyuan_errors_total": {labels: 1}})] == [False]


def test_a_value_that_is_no_number_is_left_aside() -> None:
    """And neither hides what comes after it nor what stands beside it."""
    engine = Engine(ALERTS)
    counted, store = frozenset({("code", "insufficient_quota")}), frozenset({("store", "redis")})
    other = frozenset({("store", "sqlite")})
    for at in range(5):
        gauges = {store: math.nan, other: 1.0} if at % 2 else {other: 1.0, store: math.nan}
        changes = engine.look(60.0 * at, {"hunyuan_errors_total": {counted: math.nan}, "hunyuan_store_failing": gauges})
        assert [change.alert.name for change in changes] == (["store"] if at == 1 else [])
    assert "quota" in [change.alert.name for change in engine.look(300.0, {"hunyuan_errors_total": {counted: 1.0}})]


@pytest.mark.parametrize("name", ["error_rate", "stream_cuts"])
def test_a_share_at_the_border_of_its_threshold_fires_once_however_it_wavers(name: str) -> None:
    """For hours a little above in one window, a little below in the next."""
    alert = alerts.shipped()[name]
    assert isinstance(alert.condition, Share)
    engine = Engine([alert])
    whole, part, changes = 0.0, 0.0, []
    for look in range(2000):
        whole += 1000
        part += 1000 * alert.limits.threshold * (1.05 if look // (4 * alert.condition.minutes) % 2 else 0.95)
        samples = {
            selection.metric: {frozenset((label, values[0]) for label, values in selection.labels): value}
            for selection, value in ((alert.condition.whole, whole), (alert.condition.part, part))
        }
        changes += engine.look(15.0 * look, samples)
    assert [change.firing for change in changes] == [True]
