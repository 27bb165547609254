from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from hunyuan_fix.circuit import PROBE_WAIT, Permit, Verdict
from hunyuan_fix.upstream import circuit_breaker as breaker_module
from hunyuan_fix.upstream.circuit_breaker import Breaker, CircuitOpen

A, B = "https://a.example/v1", "https://b.example/v1"


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, seconds=30.0, clock=clock)


def call(breaker: Breaker, *verdicts: Verdict, upstream: str = A) -> None:
    for verdict in verdicts:
        breaker.permit(upstream).end(verdict)


def blocked(breaker: Breaker, upstream: str = A) -> float | None:
    try:
        breaker.look(upstream)
    except CircuitOpen as error:
        return error.seconds
    return None


def test_opens_after_failures_in_a_row(breaker: Breaker, clock: Clock) -> None:
    call(breaker, Verdict.DOWN, Verdict.DOWN, Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN, Verdict.DOWN)
    assert blocked(breaker) is None
    call(breaker, Verdict.DOWN)
    clock.now = 12.0
    assert blocked(breaker) == 18.0
    with pytest.raises(CircuitOpen):
        breaker.permit(A)


def test_a_probe_from_before_says_nothing_any_more(breaker: Breaker, clock: Clock) -> None:
    call(breaker, *[Verdict.DOWN] * 3)
    clock.now = 30.0
    probe = breaker.permit(A)
    breaker.configure(failures=0, seconds=30.0)  # turned off, and on again
    breaker.configure(failures=1, seconds=30.0)
    probe.end(Verdict.DOWN)
    assert blocked(breaker) is None


def test_each_upstream_has_its_own_circuit(breaker: Breaker) -> None:
    call(breaker, *[Verdict.DOWN] * 3)
    assert blocked(breaker, B) is None
    assert breaker.open() == [A]


def test_one_probe_at_a_time(breaker: Breaker, clock: Clock) -> None:
    call(breaker, *[Verdict.DOWN] * 3)
    clock.now = 30.0
    assert blocked(breaker) is None
    probe = breaker.permit(A)
    assert blocked(breaker) == PROBE_WAIT
    probe.end(Verdict.UP)
    assert blocked(breaker) is None
    breaker.permit(A)
    breaker.permit(A)


def test_a_failed_probe_opens_again(breaker: Breaker, clock: Clock) -> None:
    call(breaker, *[Verdict.DOWN] * 3)
    clock.now = 31.0
    call(breaker, Verdict.DOWN)
    assert blocked(breaker) == 30.0
    assert (breaker.counts.opened, breaker.counts.closed) == (2, 0)


def test_a_cancelled_probe_leaves_it_to_the_next_call(breaker: Breaker, clock: Clock) -> None:
    call(breaker, *[Verdict.DOWN] * 3)
    clock.now = 30.0
    call(breaker, Verdict.UNKNOWN)
    call(breaker, Verdict.UP)
    assert breaker.open() == []
    assert (breaker.counts.opened, breaker.counts.closed) == (1, 1)


@pytest.mark.parametrize("late", list(Verdict))
def test_calls_from_before_say_nothing_about_an_open_circuit(breaker: Breaker, clock: Clock, late: Verdict) -> None:
    early = [breaker.permit(A), breaker.permit(A)]
    call(breaker, *[Verdict.DOWN] * 3)
    clock.now = 20.0
    early[0].end(late)
    assert blocked(breaker) == 10.0
    clock.now = 30.0
    probe = breaker.permit(A)
    early[1].end(late)
    assert blocked(breaker) == PROBE_WAIT
    probe.end(Verdict.UP)
    assert breaker.open() == []


def test_the_first_word_counts(breaker: Breaker) -> None:
    permit = breaker.permit(A)
    for _ in range(5):
        permit.end(Verdict.DOWN)
    assert blocked(breaker) is None


def test_without_failures_it_is_off(clock: Clock) -> None:
    breaker = Breaker(failures=0, seconds=30.0, clock=clock)
    call(breaker, *[Verdict.DOWN] * 20)
    assert blocked(breaker) is None


def test_bounds_change_while_it_runs(breaker: Breaker, clock: Clock) -> None:
    call(breaker, Verdict.DOWN, Verdict.DOWN)
    breaker.configure(failures=2, seconds=60.0)
    call(breaker, Verdict.DOWN)
    assert blocked(breaker) == 60.0
    breaker.configure(failures=2, seconds=5.0)
    clock.now = 4.0
    assert blocked(breaker) == 1.0


def test_switched_off_it_forgets(breaker: Breaker, clock: Clock) -> None:
    call(breaker, *[Verdict.DOWN] * 3)
    clock.now = 30.0
    probe = breaker.permit(A)
    breaker.configure(failures=0, seconds=30.0)
    probe.end(Verdict.DOWN)
    assert blocked(breaker) is None
    assert breaker.counts.opened == 1
    breaker.configure(failures=1, seconds=30.0)
    assert blocked(breaker) is None


def test_opening_and_closing_are_logged_and_counted(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upstream = "https://user:secret@a.example/path/v1"
    call(breaker, *[Verdict.DOWN] * 3, upstream=upstream)
    assert blocked(breaker, upstream)
    clock.now = 30.0
    call(breaker, Verdict.UP, upstream=upstream)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "circuit breaker: a.example is down and not called for 30 s"),
        ("INFO", "circuit breaker: a.example answers again"),
    ]
    assert (breaker.counts.opened, breaker.counts.closed, breaker.counts.refused) == (1, 1, 1)


@pytest.mark.parametrize(("url", "host"), [(A, "a.example"), ("", "the endpoint"), ("http://[", "the endpoint")])
def test_host(url: str, host: str) -> None:
    assert breaker_module.host(url) == host


def test_memory_is_bounded(breaker: Breaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker_module, "MOST_CIRCUITS", 10)
    breaker.configure(failures=1, seconds=30.0)
    for port in range(30):
        call(breaker, Verdict.DOWN, upstream=f"http://a.example:{port}")
    assert breaker.open() == [f"http://a.example:{port}" for port in range(20, 30)]


def test_upstreams_that_answer_push_out_none_that_is_down(breaker: Breaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker_module, "MOST_CIRCUITS", 10)
    call(breaker, *[Verdict.DOWN] * 3)
    for port in range(30):
        call(breaker, Verdict.UP, upstream=f"http://a.example:{port}")
    assert breaker.open() == [A]


def test_calls_at_once_share_a_circuit(breaker: Breaker) -> None:
    permits = [breaker.permit(A) for _ in range(3)]
    for permit in permits:
        permit.end(Verdict.DOWN)
    assert breaker.open() == [A]


@dataclass
class Model:
    """The circuit in the plainest words, with every call written down."""

    failures: int = 0
    open_until: float = -math.inf
    is_open: bool = False
    probe: Permit | None = None


class BreakerMachine(RuleBasedStateMachine):
    """The breaker against the model, whatever calls come, end, are cancelled or end late."""

    under_way = Bundle("under_way")

    @initialize(failures=st.integers(1, 4))
    def start(self, failures: int) -> None:
        self.clock = Clock()
        self.limit = failures
        self.breaker = Breaker(failures, 30.0, self.clock)
        self.model = Model()
        self.ended: set[Permit] = set()

    @rule(seconds=st.sampled_from([1.0, 10.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(target=under_way)
    def begin(self) -> object:
        model = self.model
        try:
            permit = self.breaker.permit(A)
        except CircuitOpen as error:
            assert model.is_open
            assert self.clock.now < model.open_until or model.probe is not None
            assert error.seconds > 0
            return multiple()
        assert not model.is_open or (self.clock.now >= model.open_until and model.probe is None)
        if model.is_open:
            model.probe = permit
        return permit

    @rule(permit=under_way, verdict=st.sampled_from(list(Verdict)))
    def end(self, permit: Permit, verdict: Verdict) -> None:
        model = self.model
        permit.end(verdict)
        if permit in self.ended:
            return
        self.ended.add(permit)
        if model.is_open:
            if model.probe is permit:
                model.probe = None
                if verdict is Verdict.UP:
                    model.is_open, model.failures = False, 0
                elif verdict is Verdict.DOWN:
                    model.open_until = self.clock.now + 30.0
        elif verdict is Verdict.UP:
            model.failures = 0
        elif verdict is Verdict.DOWN:
            model.failures += 1
            if model.failures >= self.limit:
                model.is_open, model.open_until = True, self.clock.now + 30.0

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "breaker"):
            assert (self.breaker.open() == [A]) == self.model.is_open


TestBreakerMachine = BreakerMachine.TestCase
