"""The lag of a real event loop that a callback blocks."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.observe import loop_lag
from hunyuan_fix.observe.health import State
from hunyuan_fix.observe.health.process import LoopCheck
from hunyuan_fix.observe.loop_lag import LoopLag
from tests.observe.health.clocks import Clock
from tests.waiting import until


async def test_a_callback_that_blocks_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_lag, "EVERY", 0.001)
    measured: list[float] = []
    lag = LoopLag(measured.append)
    check = LoopCheck(lag)
    assert (lag.largest(), (await check.look()).state) == (0.0, State.HEALTHY)
    lag.start()
    lag.start()
    await until(lambda: measured)
    before = len(measured)
    time.sleep(1.1)  # noqa: ASYNC251 - what a callback must not do
    await until(lambda: len(measured) > before)
    assert lag.largest() >= 1.0
    assert max(measured) == lag.largest()
    assert min(measured) >= 0
    found = await check.look()
    assert (found.state, "stood still for 1." in found.message or lag.largest() >= 2) == (State.DEGRADED, True)
    lag.stop()
    stopped = len(measured)
    await asyncio.sleep(0.01)
    assert len(measured) == stopped


@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 5)), max_size=50))
def test_the_largest_is_that_of_the_last_minute(lags: list[tuple[float, float]]) -> None:
    clock, noted = Clock(), []
    lag = LoopLag(clock=clock)
    for seconds, measured in lags:
        clock.now += seconds
        lag.note(measured)
        noted.append((clock.now, measured))
        assert lag.largest() == max(one for at, one in noted if at >= clock.now - 60)
    clock.now += 61
    assert lag.largest() == 0.0


def test_memory_stays_small() -> None:
    clock = Clock()
    lag = LoopLag(clock=clock)
    for number in range(10_000):
        clock.now += 0.25
        lag.note(1 / (1 + number))
    assert len(lag._largest) <= 241
