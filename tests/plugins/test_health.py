"""The check of plug-ins, their own checks and sinks, and what is counted and logged of their failures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe.health import Health, State
from hunyuan_fix.observe.health.lately import Growth
from hunyuan_fix.observe.metrics import Metrics
from hunyuan_fix.observe.sinks import Sinks
from hunyuan_fix.plugins import Check, Finding, Plugin, degraded, health, healthy, unhealthy
from hunyuan_fix.plugins.failures import FAILURES, Failures
from hunyuan_fix.plugins.made import Broken, Loaded, Plugins
from hunyuan_fix.plugins.plugged_in import PluggedIn
from tests.observe.health.clocks import Clock
from tests.plugins.plugged import SECRET, made
from tests.waiting import until


async def look() -> Finding:
    return unhealthy("It rains.")


async def raises() -> Finding:
    raise ValueError(SECRET)


async def odd() -> Any:
    return "well"


def checks(*given: Check) -> Plugins:
    return made(Plugin("mine", checks=given))


async def report(plugged: PluggedIn, of: Health) -> dict[str, tuple[str, str]]:
    await of.look()
    return {row["name"]: (row["state"], row["message"]) for row in of.report("en")}


async def test_checks_stand_beside_the_proxys_own(caplog: pytest.LogCaptureFixture) -> None:
    plugged, of = PluggedIn(Sinks()), Health([])
    plugged.use(checks(Check("rain", look), Check("broken", raises), Check("odd", odd)), of)
    said = await report(plugged, of)
    assert said["mine.rain"] == ("unhealthy", "It rains.")
    assert said["mine.broken"] == ("degraded", "The check failed itself (ValueError); the log has more.")
    assert said["mine.odd"] == ("degraded", "The check failed itself (TypeError); the log has more.")
    assert plugged.failures.counts == {("mine", "check"): 2}
    assert SECRET not in caplog.text
    assert "Plug-in mine: check of broken failed" in caplog.text


async def test_checks_that_are_gone_are_looked_at_no_more() -> None:
    plugged, of = PluggedIn(Sinks()), Health([])
    plugged.use(checks(Check("rain", look)), of)
    await report(plugged, of)
    plugged.use(Plugins(), of)
    assert await report(plugged, of) == {}


async def test_one_that_hangs_is_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hunyuan_fix.observe.health.health.PATIENCE", 0.01)

    async def hangs() -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    plugged, of = PluggedIn(Sinks()), Health([])
    plugged.use(checks(Check("hangs", hangs)), of)
    assert (await report(plugged, of))["mine.hangs"][0] == "degraded"
    of.stop()


@pytest.mark.parametrize(
    ("make", "state"), [(healthy, State.HEALTHY), (degraded, State.DEGRADED), (unhealthy, State.UNHEALTHY)]
)
def test_a_finding_is_made_of_a_sentence(make: Any, state: State) -> None:
    found = make("braces {stay}")
    assert (found.state, found.message) == (state, "braces {stay}")


async def test_the_check_says_what_is_loaded_broken_and_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, plugged = Clock(), PluggedIn(Sinks())
    monkeypatch.setattr(health, "Growth", lambda seconds: Growth(seconds, clock))

    async def state() -> tuple[int, str]:
        found = await plugged.check.look()
        return found.state, found.message

    assert await state() == (State.HEALTHY, "No plug-in is loaded (hunyuan_plugins).")
    plugged.use(made(Plugin("a"), Plugin("b")), Health([]))
    assert (await state())[0] == State.HEALTHY
    plugged.failures.failed("a", "rule", "r", ValueError())
    plugged.failures.failed("another", "rule", "r", ValueError())
    now = await state()
    assert now[0] == State.DEGRADED
    assert now[1].startswith("Failed in the last minutes: a.")
    clock.now += 301
    assert await state() == (State.HEALTHY, "Loaded, without a failure in the last minutes: a, b.")
    error = KeyError(SECRET)
    broken = Plugins("x", (Loaded(Plugin("a"), "a"),), (Broken("c", "/c.py", "KeyError, /c.py:1", error),))
    plugged.use(broken, Health([]))
    now = await state()
    assert now[0] == State.DEGRADED
    assert now[1].startswith("Not loaded, since their code raises: c (KeyError, /c.py:1).")
    assert plugged.failures.counts["c", "load"] == 1


class Keeps:
    name = "keeps"
    kinds = (events.DONE,)

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def hear(self, event: Event) -> None:
        self.heard.append(event)
        event.data["rules"].append("scribbled")


class Breaks:
    name = "breaks"
    kinds = (events.DONE,)

    def hear(self, event: Event) -> None:
        raise SystemExit(SECRET)


async def test_sinks_hear_events_of_their_own_and_fail_for_themselves(caplog: pytest.LogCaptureFixture) -> None:
    sinks, keeps = Sinks(), Keeps()
    plugged = PluggedIn(sinks)
    plugged.use(made(Plugin("mine", sinks=(Breaks(), keeps))), Health([]))
    exchange = Exchange()
    sinks.tell(exchange, events.DONE, {"rules": exchange.rules})
    sinks.tell(exchange, events.SENT, {})
    await until(lambda: plugged.failures.counts and keeps.heard)
    assert exchange.rules == []
    assert plugged.failures.counts == {("mine", "sink"): 1}
    assert sinks.dropped == {"mine.breaks": 0, "mine.keeps": 0}
    assert sinks.failures == {}
    assert SECRET not in caplog.text
    plugged.use(Plugins(), Health([]))
    assert sinks.dropped == {}
    sinks.close()


def test_failures_are_counted_each_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    failures, metrics = Failures(lambda: now), Metrics()
    metrics.read_from(failures.readings)
    for _ in range(3):
        failures.failed("mine", "chunk", "shouts", ValueError(SECRET))
    failures.failed("mine", "chunk", "whispers", ValueError(SECRET))
    now = 61.0
    failures.failed("mine", "chunk", "shouts", ValueError(SECRET))
    lines = [record.getMessage().partition("\n")[0] for record in caplog.records]
    assert [("shouts" in line, "last such line: 2" in line) for line in lines] == [
        (True, False),
        (False, False),
        (True, True),
    ]
    assert metrics.value(FAILURES, "mine", "chunk") == 5
