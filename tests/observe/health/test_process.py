"""The process's own checks: real queues, sinks that fail and drop, files that break while it runs."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from hunyuan_fix import events
from hunyuan_fix.admission import Account, CallRefused
from hunyuan_fix.admission.admission import Admission
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe import sinks
from hunyuan_fix.observe.health import State, process
from hunyuan_fix.observe.health.lately import Growth
from hunyuan_fix.observe.health.process import FaultsCheck, QueueCheck, SinksCheck
from hunyuan_fix.observe.sinks import Sinks
from tests.observe.health.clocks import Clock
from tests.waiting import until

FAR = float("inf")


def on(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let growth be measured on `clock`."""
    monkeypatch.setattr(process, "Growth", lambda seconds: Growth(seconds, clock))


async def test_a_queue_that_fills_refuses_and_empties(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    on(clock, monkeypatch)
    admission = Admission()
    admission.configure(queue_max=10, queue_timeout=60, leases=None)
    check, account = QueueCheck(admission.state), Account("account", 1)

    async def state() -> tuple[str, int]:
        found = await check.look()
        return found.state.word, int(found.message.split()[0])

    assert await state() == ("healthy", 0)
    slot = await admission.admit(account, until=FAR)
    waiting = [asyncio.ensure_future(admission.admit(account, until=FAR)) for _ in range(7)]
    await asyncio.sleep(0)
    assert await state() == ("healthy", 7)
    waiting += [asyncio.ensure_future(admission.admit(account, until=FAR)) for _ in range(3)]
    await asyncio.sleep(0)
    assert await state() == ("degraded", 10)
    for _ in range(2):
        with pytest.raises(CallRefused):
            await admission.admit(account, until=FAR)
    assert await state() == ("degraded", 2)

    # It stays so until half of the places are free and the last refusal is a minute old.
    for call in waiting[:4]:
        slot.release()
        slot = await call
    clock.now += 61
    assert await state() == ("degraded", 6)
    slot.release()
    slot = await waiting[4]
    slot.release()
    slot = await waiting[5]
    assert await state() == ("healthy", 4)
    for call in waiting[6:]:
        slot.release()
        slot = await call
    slot.release()
    assert await state() == ("healthy", 0)


async def test_a_wait_that_is_too_long_is_a_refusal() -> None:
    admission = Admission()
    admission.configure(queue_max=10, queue_timeout=0.01, leases=None)
    check, account = QueueCheck(admission.state), Account("account", 1)
    await check.look()
    slot = await admission.admit(account, until=FAR)
    with pytest.raises(CallRefused):
        await admission.admit(account, until=FAR)
    slot.release()
    assert (await check.look()).state is State.DEGRADED


async def test_a_queue_without_places_is_not_full() -> None:
    admission = Admission()
    admission.configure(queue_max=0, queue_timeout=1, leases=None)
    slot = await admission.admit(Account("account", 1), until=FAR)
    assert (await QueueCheck(admission.state).look()).state is State.HEALTHY
    slot.release()


class Bad:
    """A sink that waits until it is let go, then raises."""

    name = "bad"
    kinds = (events.DONE,)

    def __init__(self) -> None:
        self.go = threading.Event()

    def hear(self, event: Event) -> None:
        self.go.wait(30)
        raise ValueError


async def test_sinks_that_fail_or_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    on(clock, monkeypatch)
    monkeypatch.setattr(sinks, "MOST_WAITING", 1)
    running, bad = Sinks(), Bad()
    check = SinksCheck(running)
    running.add(bad, apart=True)
    assert (await check.look()).state is State.HEALTHY
    exchange = Exchange(listener=running.tell)
    for _ in range(5):
        exchange.tell(events.DONE)
    found = await check.look()
    assert (found.state, "bad is too slow" in found.message) == (State.DEGRADED, True)
    bad.go.set()
    await until(lambda: running.failures["bad"])
    found = await check.look()
    assert (found.state, "bad could not take in" in found.message) == (State.DEGRADED, True)
    await until(lambda: running.failures["bad"] >= 1 and not running._apart["bad"]._waiting)
    await check.look()
    clock.now += 301
    assert (await check.look()).state is State.HEALTHY
    running.close()


async def test_what_the_log_file_or_traces_lose_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lost = Clock(), {"log_file": 0, "traces": 0}
    on(clock, monkeypatch)
    check = SinksCheck(Sinks(), lambda: lost)
    assert (await check.look()).state is State.HEALTHY
    lost["traces"] = 3
    found = await check.look()
    assert (found.state, found.message.startswith("traces has lost")) == (State.DEGRADED, True)
    clock.now += 301
    assert (await check.look()).state is State.HEALTHY


async def test_faults_count_for_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    on(clock, monkeypatch)
    count = [0]
    check = FaultsCheck(lambda: count[0])
    found = []
    for seconds, count[0] in ((0, 0), (10, 2), (200, 2), (101, 2)):
        clock.now += seconds
        found.append((await check.look()).state.word)
    assert found == ["healthy", "degraded", "degraded", "healthy"]


def test_a_path_is_named(tmp_path: Path) -> None:
    check = process.FilesCheck(lambda: [tmp_path / "b", tmp_path / "a", tmp_path / "a"])
    found = asyncio.run(check.look())
    assert (found.state, f"{tmp_path / 'a'}, {tmp_path / 'b'}." in found.message) == (State.DEGRADED, True)
