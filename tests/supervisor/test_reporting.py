"""A worker's end of the channel."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hunyuan_fix.events import Event
from hunyuan_fix.observe.admin.rooms import Rooms
from hunyuan_fix.observe.metrics import Metrics, counter
from hunyuan_fix.supervisor.channel import Channel
from hunyuan_fix.supervisor.reporting import Reporter
from hunyuan_fix.texts import LANGUAGES
from tests.waiting import until

CALLS = counter("hunyuan_reported_calls_total", "Calls.")


class Reported:
    """A reporter, and what its supervisor hears."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.rooms = Rooms(metrics=lambda _: ("", b""), is_started=lambda: True)
        self.heard: list[dict[str, Any]] = []
        self.done: list[str] = []
        self.supervisor: Channel | None = None
        self.reporter = Reporter(
            self.metrics,
            self.rooms,
            retire=self._retire,
            end=lambda: self.done.append("ended"),
            check_key=self._key,
        )

    async def _retire(self) -> None:
        self.done.append("retired")

    async def _key(self) -> dict[str, Any]:
        return {"said": "fine"}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["kind"] == kind]

    def ask(self, **message: Any) -> None:
        assert self.supervisor is not None
        assert self.supervisor.send(message)


@asynccontextmanager
async def reporting() -> AsyncIterator[Reported]:
    made = Reported()
    ours, theirs = socket.socketpair()
    made.supervisor = await Channel.over(ours, made.heard.append, lambda: made.done.append("gone"))
    await made.reporter.begin(theirs, {"options": {}})
    try:
        await until(lambda: made.of("ready"))
        yield made
    finally:
        made.supervisor.close()
        for task in made.reporter._tasks:
            task.cancel()


async def test_it_says_that_it_serves_and_answers_with_all_that_it_has() -> None:
    async with reporting() as made:
        assert made.of("ready") == [{"kind": "ready", "options": {}}]
        made.metrics.add(CALLS, 3)
        made.ask(kind="snapshot", number=7)
        await until(lambda: made.of("snapshot"))
        (snapshot,) = made.of("snapshot")
        assert snapshot["number"] == 7
        assert set(snapshot["checks"]) == set(LANGUAGES)
        assert [[], 3] in next(row for row in snapshot["metrics"] if row["name"] == CALLS.name)["values"]
        assert snapshot["not_ready"] == ""


async def test_each_event_is_told_once_and_before_the_snapshot_that_follows_it() -> None:
    async with reporting() as made:
        for number in range(1200):
            made.rooms.exchanges.hear(Event("came", str(number), 1.0, {}))
        made.ask(kind="snapshot", number=1)
        await until(lambda: made.of("snapshot"))
        assert made.heard[-1]["kind"] == "snapshot"
        told = [event[1] for message in made.of("events") for event in message["events"]]
        assert told == [str(number) for number in range(1200)]
        made.rooms.exchanges.hear(Event("done", "0", 2.0, {}))
        await until(lambda: made.of("events")[-1]["events"] == [["done", "0", 2.0, {}]])


async def test_a_snapshot_that_fails_costs_an_answer_and_nothing_else() -> None:
    async with reporting() as made:
        made.rooms.status = lambda _: {"wrong": 1 / 0}
        made.ask(kind="snapshot", number=1)
        await until(lambda: made.of("nothing"))
        made.ask(kind="key")
        await until(lambda: made.of("key"))
        assert made.of("key")[0]["key"] == {"said": "fine"}


async def test_it_ends_once_it_has_handed_over_and_says_its_last_numbers() -> None:
    async with reporting() as made:
        made.ask(kind="retire")
        await until(lambda: made.done == ["retired", "ended"])
        made.metrics.add(CALLS, 1)
        await made.reporter.last_words()
        await until(lambda: "gone" in made.done)
        assert made.of("snapshot")[-1]["number"] == 0
        assert made.done == ["retired", "ended", "gone"]  # its own end is no reason to end


async def test_it_is_told_to_end_once_though_it_had_a_signal_of_its_own() -> None:
    """A service manager may send its signal to every process: a second one would cut what is under way."""
    async with reporting() as made:
        made.rooms.draining = True
        made.ask(kind="end")
        made.ask(kind="end now")
        await until(lambda: made.done)
        assert made.done == ["ended"]
        made.rooms.draining = False
        made.ask(kind="end")
        await until(lambda: made.done == ["ended", "ended"])


async def test_it_ends_when_the_supervisor_is_gone() -> None:
    async with reporting() as made:
        assert made.supervisor is not None
        made.supervisor.close()
        await until(lambda: "ended" in made.done)
        await asyncio.wait_for(made.reporter.last_words(), 10)
