"""A slot where there is room: driven by hand, without an event loop, so that any future, timer or wait would raise."""

from __future__ import annotations

from collections.abc import Coroutine

import pytest

from hunyuan_fix.admission import Account, Admission, Slot
from hunyuan_fix.circuit import Verdict
from hunyuan_fix.upstream.circuit_breaker import Breaker
from hunyuan_fix.upstream.gate import Gate

FOREVER = float("inf")


@pytest.fixture
def admission() -> Admission:
    made = Admission()
    made.configure(queue_max=0, queue_timeout=60.0, leases=None)
    return made


def result[T](call: Coroutine[object, None, T]) -> T:
    with pytest.raises(StopIteration) as ended:
        call.send(None)
    value: T = ended.value.value
    return value


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("limit", [0, 2])
def test_is_taken_at_once(admission: Admission, limit: int, ahead: bool) -> None:
    account = Account("a", limit)
    slots: list[Slot] = [result(admission.admit(account, until=FOREVER, ahead=ahead)) for _ in range(2)]
    assert [slot.waited for slot in slots] == [0.0, 0.0]
    (queue,) = admission.state().queues
    assert (queue.under_way, queue.waiting) == (2, 0)
    for slot in slots * 2:
        slot.release()
    assert admission.state().queues == ()
    assert admission.state().admitted == 2


def test_past_the_limit_there_is_none(admission: Admission) -> None:
    slot = result(admission.admit(Account("a", 1), until=FOREVER))
    with pytest.raises(RuntimeError, match="no running event loop"):  # it would wait
        admission.admit(Account("a", 1), until=FOREVER, ahead=True).send(None)
    slot.release()
    result(admission.admit(Account("a", 1), until=FOREVER)).release()


def test_the_gate_needs_no_wait_either(admission: Admission) -> None:
    breaker = Breaker(failures=1)
    permit = result(Gate(admission, breaker).enter("https://a.example/v1", Account("a", 1), until=FOREVER))
    permit.leave(Verdict.DOWN)
    assert breaker.state().open == ("https://a.example/v1",)
