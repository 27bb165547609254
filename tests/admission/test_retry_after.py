from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.admission.retry_after import LONGEST, SHORTEST, UNKNOWN, RetryAfterEstimate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_unknown_until_two_calls_have_ended() -> None:
    clock = Clock()
    retry_after = RetryAfterEstimate(clock)
    assert retry_after.for_calls(1) == UNKNOWN
    retry_after.call_ended()
    clock.now = 3.0
    assert retry_after.for_calls(1) == UNKNOWN
    retry_after.call_ended()
    assert retry_after.for_calls(1) == 3.0
    assert retry_after.for_calls(4) == 12.0


def test_a_standstill_does_not_look_fast() -> None:
    clock = Clock()
    retry_after = RetryAfterEstimate(clock)
    for second in range(5):
        clock.now = float(second)
        retry_after.call_ended()
    assert retry_after.for_calls(2) == 2.0
    clock.now += 40
    assert retry_after.for_calls(2) == 22.0


def test_only_the_recent_past_counts() -> None:
    clock = Clock()
    retry_after = RetryAfterEstimate(clock)
    for gap in [50.0] * 10 + [2.0] * 100:
        clock.now += gap
        retry_after.call_ended()
    assert retry_after.for_calls(3) == 6.0


@given(st.lists(st.floats(0, 1e6), max_size=30), st.integers(1, 10**6))
def test_always_within_bounds(gaps: list[float], calls: int) -> None:
    clock = Clock()
    retry_after = RetryAfterEstimate(clock)
    for gap in gaps:
        clock.now += gap
        retry_after.call_ended()
    assert SHORTEST <= retry_after.for_calls(calls) <= LONGEST
