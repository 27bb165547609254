from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from hunyuan_fix.admission import Account, Admission, QueueTimeout
from hunyuan_fix.circuit import Verdict
from hunyuan_fix.upstream.circuit_breaker import Breaker, CircuitOpen
from hunyuan_fix.upstream.gate import CallPermit, CallRefused, Gate

UPSTREAM = "https://api.example/v1"
ACCOUNT = Account("hunyuan:1", 2)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Setting:
    clock: Clock = field(default_factory=Clock)
    admission: Admission = field(init=False)
    breaker: Breaker = field(init=False)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.admission = Admission(self.clock)
        self.admission.configure(queue_max=10, queue_timeout=60.0, leases=None)
        self.breaker = Breaker(failures=2, seconds=30.0, clock=self.clock)
        self.gate = Gate(self.admission, self.breaker)

    async def enter(self, account: Account = ACCOUNT, patience: float = 60.0) -> CallPermit:
        return await self.gate.enter(UPSTREAM, account, until=self.clock() + patience)

    @property
    def load(self) -> tuple[int, int]:
        """Calls under way and waiting."""
        queues = self.admission.state().queues
        return sum(queue.under_way for queue in queues), sum(queue.waiting for queue in queues)

    async def fail(self, times: int = 2) -> None:
        for _ in range(times):
            (await self.enter()).leave(Verdict.DOWN)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    made = Setting()
    yield made
    assert made.load == (0, 0)
    await made.admission.aclose()


async def settle() -> None:
    """Let every task run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_permit_holds_a_slot(setting: Setting) -> None:
    permits = [await setting.enter(), await setting.enter()]
    third = asyncio.create_task(setting.enter())
    await settle()
    assert setting.load == (2, 1)
    permits.pop().leave(Verdict.UP)
    permits.append(await third)
    for permit in permits:
        permit.leave(Verdict.UP)


async def test_leaving_twice_is_leaving_once(setting: Setting) -> None:
    permits = [await setting.enter(), await setting.enter()]
    for _ in range(3):
        permits[0].leave(Verdict.DOWN)
    assert setting.load == (1, 0)
    assert setting.breaker.open() == []
    permits[1].leave(Verdict.UP)


async def test_the_queue_s_refusal_passes(setting: Setting) -> None:
    permits = [await setting.enter(), await setting.enter()]
    with pytest.raises(CallRefused) as caught:
        await setting.enter(patience=0.0)
    assert caught.value.response.status == 429
    assert "retry-after" in caught.value.response.headers
    assert isinstance(caught.value, QueueTimeout)
    for permit in permits:
        permit.leave(Verdict.UP)


async def test_an_endpoint_that_is_down_is_spared(setting: Setting) -> None:
    await setting.fail()
    setting.clock.now += 10.0
    with pytest.raises(CallRefused) as caught:
        await setting.enter()
    refusal = caught.value.response
    error = json.loads(refusal.body)["error"]
    assert (refusal.status, refusal.headers["retry-after"]) == (503, "20")
    assert (error["type"], error["code"]) == ("server_error", "upstream_down")
    assert "api.example" in error["message"]
    assert "spares" in error["message"]
    assert isinstance(caught.value, CircuitOpen)
    assert caught.value.seconds == 20.0


async def test_nobody_queues_for_an_endpoint_that_is_down(setting: Setting) -> None:
    permits = [await setting.enter(), await setting.enter()]
    for permit in permits:
        permit.leave(Verdict.DOWN)
    full = Account("hunyuan:1", 1)
    with pytest.raises(CallRefused):
        await setting.enter(full)
    assert setting.admission.state().admitted == 2


async def test_calls_that_waited_meanwhile_are_refused(setting: Setting) -> None:
    permits = [await setting.enter(), await setting.enter()]
    waiting = [asyncio.create_task(setting.enter()) for _ in range(3)]
    await settle()
    for permit in permits:
        permit.leave(Verdict.DOWN)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    # the first of them got the slot of the first failure, before the second one
    entered = [result for result in results if isinstance(result, CallPermit)]
    refused = [result for result in results if isinstance(result, CallRefused)]
    assert len(entered) + len(refused) == 3
    assert len(refused) >= 2
    for permit in entered:
        permit.leave(Verdict.UNKNOWN)


async def test_one_call_probes(setting: Setting) -> None:
    await setting.fail()
    setting.clock.now += 31.0
    probe = await setting.enter()
    with pytest.raises(CallRefused) as caught:
        await setting.enter()
    assert caught.value.response.headers["retry-after"] == "1"
    probe.leave(Verdict.UP)
    (await setting.enter()).leave(Verdict.UP)


async def test_a_probe_may_tell_before_it_leaves(setting: Setting) -> None:
    await setting.fail()
    setting.clock.now += 31.0
    probe = await setting.enter()
    probe.tell(Verdict.UP)
    assert setting.load == (1, 0)
    (await setting.enter()).leave(Verdict.UP)
    probe.leave(Verdict.DOWN)
    assert setting.breaker.open() == []
    assert setting.load == (0, 0)


async def test_a_probe_that_waits_for_a_slot_holds_nobody_up(setting: Setting) -> None:
    """Cancelled or refused in the queue, it leaves the probe to the next one."""
    other = "https://other.example/v1"
    await setting.fail()
    setting.clock.now += 31.0
    permits = [await setting.gate.enter(other, ACCOUNT, until=setting.clock() + 60) for _ in range(2)]
    cancelled = asyncio.create_task(setting.enter())
    await settle()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    with pytest.raises(CallRefused) as caught:
        await setting.enter(patience=0.0)
    assert caught.value.response.status == 429
    permits.pop().leave(Verdict.UP)
    probe = await setting.enter()
    probe.leave(Verdict.UP)
    assert setting.breaker.open() == []
    permits.pop().leave(Verdict.UP)


async def test_a_cancelled_probe_leaves_it_to_the_next_call(setting: Setting) -> None:
    await setting.fail()
    setting.clock.now += 31.0
    (await setting.enter()).leave(Verdict.UNKNOWN)
    (await setting.enter()).leave(Verdict.UP)
    assert setting.breaker.open() == []
