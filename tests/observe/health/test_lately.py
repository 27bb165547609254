"""What was so in the last minutes: as a list of everything would say, in bounded memory."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.observe.health.lately import Growth, Margin, Window
from tests.observe.health.clocks import Clock

STEPS = st.lists(st.tuples(st.floats(0, 50), st.sampled_from("ab")), max_size=60)


@given(STEPS, st.floats(0, 300))
def test_a_window_counts_the_last_seconds_but_for_one_slot(steps: list[tuple[float, str]], later: float) -> None:
    clock = Clock()
    window, told = Window(120, clock), []
    for seconds, name in steps:
        clock.now += seconds
        window.add(name)
        told.append((clock.now, name))
    clock.now += later
    counted = window.counts()
    slot = 120 / 30
    least = Counter(name for at, name in told if at > clock.now - 120 + slot)
    most = Counter(name for at, name in told if at > clock.now - 120 - 1e-6)
    assert least <= counted <= most


def test_a_window_holds_no_more_the_more_happens() -> None:
    clock = Clock()
    window = Window(60, clock)
    for number in range(10_000):
        clock.now += 0.1
        window.add(f"{number % 3}")
    assert len(window._slots) <= 30
    assert 570 <= window.counts().total() <= 600


def test_growth_is_that_of_the_last_seconds() -> None:
    clock, grown = Clock(), []
    growth = Growth(60, clock)
    for at, number in ((0, 5), (10, 5), (20, 7), (50, 8), (79, 8), (81, 8), (109, 8), (111, 8)):
        clock.now = 1000 + at
        grown.append(growth.of(number))
    assert grown == [0, 0, 2, 3, 3, 1, 1, 0], "what was there at the first look is no growth"


def test_growth_begins_anew_with_a_smaller_number() -> None:
    growth = Growth(60, Clock())
    assert [growth.of(number) for number in (5, 9, 2, 3)] == [0, 4, 0, 1]


def test_growth_holds_one_number_for_each_second_at_most() -> None:
    clock = Clock()
    growth = Growth(60, clock)
    for number in range(1000):
        clock.now += 1
        growth.of(number)
    assert len(growth._seen) <= 61


@given(st.lists(st.floats(0, 2), max_size=30))
def test_a_margin_is_left_only_below_its_lower_bound(values: list[float]) -> None:
    margin, past = Margin(1.0, 0.8), False
    for value in values:
        past = value >= 1.0 or (past and value >= 0.8)
        assert margin.look(value) is past
