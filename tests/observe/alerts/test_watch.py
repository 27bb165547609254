"""The watch: what is logged, what `/status` shows, what is counted."""

from __future__ import annotations

import asyncio
import logging

import pytest

from hunyuan_fix.observe.alerts.settings import AlertSettings, limits
from hunyuan_fix.observe.alerts.watch import FIRING, Watch
from hunyuan_fix.observe.alerts.webhook import Address
from hunyuan_fix.observe.metrics import Metrics
from hunyuan_fix.observe.statistics import STORE_FAILING
from hunyuan_fix.texts import terminal
from hunyuan_fix.upstream.client import Transport


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(metrics: Metrics, clock: Clock) -> Watch:
    """One whose Unix time is a million seconds later than its clock."""
    return Watch(metrics, clock=clock, wall=lambda: clock.now + 1_000_000)


def configure(watch: Watch, text: str) -> None:
    watch.configure(AlertSettings(alerts=limits(text)), Address({}), Transport())


def look(watch: Watch, clock: Clock, seconds: float) -> list[str]:
    """The lines of the looks of so many seconds, one each 15."""
    until = clock.now + seconds
    lines = []
    while clock.now < until:
        clock.now += 15
        lines += [notice.line("en") for notice in watch.look()]
    return lines


def row(watch: Watch, name: str, language: str = "en") -> dict[str, object]:
    return next(row for row in watch.status(language) if row["name"] == name)


def test_an_alert_is_logged_when_it_begins_and_when_it_ends(
    watch: Watch, metrics: Metrics, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hunyuan_fix")
    metrics.set(STORE_FAILING, 1, "redis")
    look(watch, clock, 600)
    metrics.set(STORE_FAILING, 0, "redis")
    look(watch, clock, 600)
    assert [(record.levelname, record.getMessage().partition(". ")[0]) for record in caplog.records] == [
        ("WARNING", "Alert store: A store fails and is by-passed: what is known is kept in memory alone"),
        ("INFO", "Alert store has ended after 9 min."),
    ]


def test_the_log_is_in_its_language(
    watch: Watch, metrics: Metrics, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    terminal.use("zh")
    metrics.set(STORE_FAILING, 1, "redis")
    look(watch, clock, 100)
    assert caplog.messages[0].startswith("告警 store：有存储出错，已暂时绕过")


def test_the_status_has_every_alert(watch: Watch, metrics: Metrics, clock: Clock) -> None:
    configure(watch, "queue=off,quota=2")
    metrics.set(STORE_FAILING, 1, "redis")
    look(watch, clock, 15)
    assert row(watch, "store")["state"] == "pending"
    look(watch, clock, 60)
    assert row(watch, "store") == {
        "name": "store",
        "severity": "warning",
        "state": "firing",
        "since": clock.now + 1_000_000,
        "value": 1,
        "threshold": 0,
        "ends": 0,
        "summary": "A store fails and is by-passed: what is known is kept in memory alone.",
        "action": row(watch, "store")["action"],
    }
    assert str(row(watch, "store", "zh")["summary"]).startswith("有存储出错")
    look(watch, clock, 90)
    assert row(watch, "store")["since"] == clock.now + 1_000_000 - 90
    assert (row(watch, "queue")["state"], row(watch, "queue")["since"]) == ("off", None)
    assert (row(watch, "quota")["state"], row(watch, "quota")["threshold"]) == ("ok", 2)
    assert row(watch, "quota")["summary"] == ""
    assert watch.firing() == ["store"]


def test_a_metric_tells_which_fire(watch: Watch, metrics: Metrics, clock: Clock) -> None:
    configure(watch, "queue=off")
    metrics.set(STORE_FAILING, 1, "redis")
    look(watch, clock, 90)
    series = metrics.collect()[FIRING]
    assert [labels for labels, value in series.items() if value] == [("store",)]
    assert ("queue",) not in series
    assert ("quota",) in series


def test_what_is_switched_off_ends_and_nothing_is_looked_at(watch: Watch, metrics: Metrics, clock: Clock) -> None:
    metrics.set(STORE_FAILING, 1, "redis")
    look(watch, clock, 90)
    configure(watch, "off")
    assert look(watch, clock, 90) == ["Alert store has ended after 30 s."]
    assert {row["state"] for row in watch.status()} == {"off"}


def test_what_came_while_nothing_was_watched_is_no_growth(watch: Watch, metrics: Metrics, clock: Clock) -> None:
    from hunyuan_fix.observe.statistics import FAILURES

    configure(watch, "off")
    look(watch, clock, 60)
    metrics.add(FAILURES, 5)
    look(watch, clock, 60)
    configure(watch, "on")
    assert look(watch, clock, 60) == []
    metrics.add(FAILURES)
    assert [line.partition(". ")[0] for line in look(watch, clock, 60)] == [
        "Alert failures: Failures of the addon itself in the last 30 minutes: 1"
    ]


async def test_it_looks_by_itself_and_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    looked = asyncio.Event()

    def broken() -> list[object]:
        looked.set()
        raise RuntimeError("secret")

    metrics.read_from(broken)  # type: ignore[arg-type]
    watch = Watch(metrics)
    watch.start()
    watch.start()  # once
    await asyncio.wait_for(looked.wait(), 10)
    await watch.aclose()
    assert "Alerts could not be looked at:" in caplog.text
    assert "secret" not in caplog.text
