"""Sinks: who hears what, and that a slow or failing one costs nobody anything."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe import sinks
from hunyuan_fix.observe.sinks import Sinks


class Heard:
    """Keeps what it hears."""

    def __init__(self, *kinds: str, name: str = "heard") -> None:
        self.name = name
        self.kinds: Iterable[str] = kinds
        self.events: list[Event] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)


class Failing(Heard):
    def hear(self, event: Event) -> None:
        super().hear(event)
        raise ValueError("the prompt of a client")


class Stuck(Heard):
    """Waits in its first event until it is let go."""

    def __init__(self, *kinds: str) -> None:
        super().__init__(*kinds, name="stuck")
        self.reached, self.go = threading.Event(), threading.Event()

    def hear(self, event: Event) -> None:
        self.reached.set()
        self.go.wait(30)
        super().hear(event)


def exchange(running: Sinks, name: str = "1") -> Exchange:
    return Exchange(id=name, listener=running.tell)


def test_a_sink_hears_the_kinds_that_it_names_in_order():
    running, heard = Sinks(), Heard(events.CAME, events.DONE)
    running.add(heard)
    told = exchange(running, "a")
    told.tell(events.CAME, profile="tokenhub")
    told.tell(events.SENT, model="hy3")
    told.tell(events.DONE, status=200)
    assert [(event.kind, event.id, event.data) for event in heard.events] == [
        (events.CAME, "a", {"profile": "tokenhub"}),
        (events.DONE, "a", {"status": 200}),
    ]
    assert heard.events[0].at <= heard.events[1].at


def test_an_exchange_without_a_listener_tells_nobody():
    Exchange().tell(events.CAME, profile="tokenhub")


def test_a_sink_takes_the_place_of_one_with_its_name_and_can_be_removed():
    running, first, second, other = Sinks(), Heard(events.CAME), Heard(events.CAME), Heard(events.CAME, name="other")
    for sink in (first, other, second):
        running.add(sink)
    exchange(running).tell(events.CAME)
    running.remove("heard")
    exchange(running).tell(events.CAME)
    assert [len(sink.events) for sink in (first, second, other)] == [0, 1, 2]


def test_what_a_sink_raises_reaches_neither_the_exchange_nor_the_others(caplog: pytest.LogCaptureFixture):
    running, failing, heard = Sinks(), Failing(events.CAME, name="failing"), Heard(events.CAME)
    running.add(failing)
    running.add(heard)
    for _ in range(3):
        exchange(running).tell(events.CAME)
    assert (len(failing.events), len(heard.events)) == (3, 3)
    assert running.failures == {"failing": 3}
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith("failing could not take in an event; further failures are only counted:\n")
    assert "the prompt of a client" not in line


def test_a_sink_apart_that_is_stuck_costs_nobody_anything_and_what_does_not_fit_is_counted(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(sinks, "MOST_WAITING", 5)
    running, stuck, heard = Sinks(), Stuck(events.CAME), Heard(events.CAME)
    running.add(stuck, apart=True)
    running.add(heard)
    exchange(running, "0").tell(events.CAME)
    assert stuck.reached.wait(30)
    for number in range(1, 11):
        exchange(running, str(number)).tell(events.CAME)
    assert len(heard.events) == 11
    assert running.dropped == {"stuck": 5}
    stuck.go.set()
    running.close(30)
    assert [event.id for event in stuck.events] == ["0", "1", "2", "3", "4", "5"]


def test_what_waits_is_heard_before_the_end():
    running, heard, failing = Sinks(), Heard(events.DONE), Failing(events.DONE, name="failing")
    running.add(heard, apart=True)
    running.add(failing, apart=True)
    for number in range(1000):
        exchange(running, str(number)).tell(events.DONE)
    running.close(30)
    assert [event.id for event in heard.events] == [str(number) for number in range(1000)]
    assert len(failing.events) == running.failures["failing"] == 1000


def test_the_end_does_not_wait_for_a_sink_that_is_stuck():
    running, stuck = Sinks(), Stuck(events.CAME)
    running.add(stuck, apart=True)
    exchange(running).tell(events.CAME)
    assert stuck.reached.wait(30)
    exchange(running).tell(events.CAME)
    running.close(0.01)
    assert stuck.events == []
    stuck.go.set()


class Telling(Heard):
    """Tells the event that it hears once more: it hears itself."""

    def __init__(self, running: Sinks) -> None:
        super().__init__(events.CAME, name="telling")
        self._running = running

    def hear(self, event: Event) -> None:
        super().hear(event)
        exchange(self._running).tell(events.CAME)


def test_a_sink_that_hears_itself_for_ever_ends_with_a_failure_and_reaches_no_exchange(
    caplog: pytest.LogCaptureFixture,
):
    running, heard = Sinks(), Heard(events.DONE)
    telling = Telling(running)
    running.add(telling)
    running.add(heard)
    exchange(running).tell(events.CAME)
    assert running.failures["telling"] >= 1
    assert len(telling.events) <= sys.getrecursionlimit()
    exchange(running).tell(events.DONE)
    assert len(heard.events) == 1
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) <= 1
