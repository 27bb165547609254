"""What is remembered of sessions."""

from __future__ import annotations

from hunyuan_fix.runaway.loop import Before
from hunyuan_fix.runaway.memory import MOST, WINDOW, RunawayMemory

ME = ("session", "")
MINE = ("session", "subagent")


def test_turns_before_a_summary_count_until_the_user_says_something() -> None:
    memory = RunawayMemory()
    assert memory.iterations(ME, 100, Before.USER, 0) == 100
    assert memory.iterations(ME, 0, Before.SUMMARY, 7) == 100
    assert memory.iterations(ME, 5, Before.SUMMARY, 7) == 105
    assert memory.iterations(ME, 5, Before.SUMMARY, 7) == 105, "sent again"
    assert memory.iterations(ME, 6, Before.SUMMARY, 7) == 106
    assert memory.iterations(ME, 2, Before.SUMMARY, 8) == 108
    assert memory.iterations(ME, 3, Before.USER, 0) == 3
    assert memory.iterations(ME, 1, Before.SUMMARY, 9) == 4


def test_each_agent_of_a_session_is_counted_by_itself() -> None:
    memory = RunawayMemory()
    memory.iterations(ME, 100, Before.USER, 0)
    assert memory.iterations(MINE, 1, Before.SUMMARY, 1) == 1
    memory.forget(ME)
    assert memory.iterations(ME, 1, Before.SUMMARY, 1) == 1


def test_what_is_of_no_session_is_not_remembered() -> None:
    memory = RunawayMemory()
    memory.iterations(("", ""), 100, Before.USER, 0)
    assert memory.iterations(("", ""), 1, Before.SUMMARY, 1) == 1


def test_the_same_request_is_counted_for_a_minute() -> None:
    memory = RunawayMemory()
    assert [memory.times("s", 1, 0.0), memory.times("s", 1, WINDOW), memory.times("s", 1, WINDOW + 1)] == [1, 2, 1]
    assert [memory.times("s", 2, 0.0), memory.times("t", 1, 0.0)] == [1, 1]


def test_a_warning_is_news_once_a_run() -> None:
    memory = RunawayMemory()
    assert [memory.is_news(ME, "same_call", count) for count in (10, 11, 12, 10, 11)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert memory.is_news(ME, "iterations", 250)
    assert memory.is_news(MINE, "same_call", 11)


def test_the_least_recently_used_goes() -> None:
    memory = RunawayMemory()
    memory.iterations(ME, 100, Before.USER, 0)
    for number in range(MOST - 1):
        memory.iterations((f"s{number}", ""), 1, Before.USER, 0)
        memory.times("s", number + 1, 0.0)
    assert memory.iterations(ME, 1, Before.SUMMARY, 1) == 101
    for number in range(MOST):
        memory.iterations((f"t{number}", ""), 1, Before.USER, 0)
    assert memory.iterations(ME, 1, Before.SUMMARY, 2) == 1
    for number in range(2 * MOST):
        memory.times("t", number, 0.0)
        memory.is_news((str(number), ""), "same_call", 10)
    assert all(len(kept) <= MOST for kept in (memory._runs, memory._told, memory._requests))
