from __future__ import annotations

from dataclasses import dataclass

import pytest

from hunyuan_fix.circuit import PROBE_WAIT, Circuit, CircuitPolicy, Permit, Transition, Verdict


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(circuit: Circuit) -> Permit:
    permit = circuit.permit()
    assert permit is not None
    return permit


def call(circuit: Circuit, *verdicts: Verdict) -> None:
    for verdict in verdicts:
        taken(circuit).end(verdict)


def test_failures_in_a_row_open_it(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(2, 30.0), clock)
    call(circuit, Verdict.DOWN, Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN)
    assert not circuit.is_open
    call(circuit, Verdict.DOWN)
    assert circuit.is_open
    assert circuit.permit() is None
    assert (circuit.pause_left(), circuit.blocked_for()) == (30.0, 30.0)


def test_zero_failures_never_open_it(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(0, 30.0), clock)
    call(circuit, *[Verdict.DOWN] * 20)
    assert circuit.is_idle


def test_one_probe_at_a_time_closes_it(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(1, 30.0), clock)
    call(circuit, Verdict.DOWN)
    clock.now += 30.0
    probe = taken(circuit)
    assert circuit.permit() is None
    assert circuit.blocked_for() == PROBE_WAIT
    probe.end(Verdict.UP)
    assert circuit.is_idle
    call(circuit, Verdict.DOWN)
    assert circuit.pause_left() == 30.0


def test_an_unknown_probe_leaves_it_to_the_next_call(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(1, 30.0), clock)
    call(circuit, Verdict.DOWN)
    clock.now += 30.0
    call(circuit, Verdict.UNKNOWN)
    assert circuit.is_open
    call(circuit, Verdict.UP)
    assert not circuit.is_open


def test_the_pause_doubles_up_to_the_longest_and_begins_anew(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(1, 5.0, 60.0), clock)
    for pause in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0):
        call(circuit, Verdict.DOWN)
        assert circuit.pause_left() == pause
        clock.now += pause
    for _ in range(2000):  # no pause becomes too large a number
        call(circuit, Verdict.DOWN)
        clock.now += 60.0
    call(circuit, Verdict.UP, Verdict.DOWN)
    assert circuit.pause_left() == 5.0


def test_without_a_longest_pause_it_stays_the_same(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(1, 5.0), clock)
    for _ in range(3):
        call(circuit, Verdict.DOWN)
        assert circuit.pause_left() == 5.0
        clock.now += 5.0


def test_calls_from_before_it_opened_say_nothing(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(1, 30.0), clock)
    early = [taken(circuit), taken(circuit)]
    call(circuit, Verdict.DOWN)
    clock.now += 20.0
    early[0].end(Verdict.DOWN)
    assert circuit.pause_left() == 10.0
    clock.now += 10.0
    probe = taken(circuit)
    early[1].end(Verdict.UP)
    assert circuit.is_open
    probe.end(Verdict.UP)
    assert not circuit.is_open


def test_only_the_first_verdict_counts(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(2, 30.0), clock)
    permit = taken(circuit)
    for _ in range(5):
        permit.end(Verdict.DOWN)
    assert not circuit.is_open


def test_a_pause_can_be_ended_early(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(1, 30.0), clock)
    circuit.end_pause()
    assert not circuit.is_open
    call(circuit, Verdict.DOWN)
    circuit.end_pause()
    call(circuit, Verdict.DOWN)
    assert circuit.pause_left() == 30.0


def test_each_end_is_told_with_what_it_changed(clock: Clock) -> None:
    told: list[Transition | None] = []
    circuit = Circuit(CircuitPolicy(1, 30.0), clock, lambda _, transition: told.append(transition))
    call(circuit, Verdict.UP, Verdict.DOWN)
    clock.now += 30.0
    call(circuit, Verdict.DOWN)
    clock.now += 30.0
    call(circuit, Verdict.UP)
    assert told == [None, Transition.OPENED, Transition.REOPENED, Transition.CLOSED]


def test_it_is_idle_only_with_nothing_to_remember(clock: Clock) -> None:
    circuit = Circuit(CircuitPolicy(2, 30.0), clock)
    assert circuit.is_idle
    permit = taken(circuit)
    assert not circuit.is_idle
    permit.end(Verdict.DOWN)
    assert not circuit.is_idle
    call(circuit, Verdict.UP)
    assert circuit.is_idle
