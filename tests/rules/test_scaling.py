"""The cost of the rules is linear in the size of the body, whatever it holds."""

from __future__ import annotations

import gc
import time

import pytest

from addon.rules import apply_chat
from addon.wire import json_body
from tests.rule_context import context
from tests.rules.hostile import BODIES

ENOUGH = 0.008
"""Seconds of CPU from which on a measurement says something about growth."""
MOST = 1 << 18
LIMIT = 8.0
"""Linear is 4, with what a busy machine adds; quadratic is 16."""
PROFILES = {"assistants with reasoning": "tokenhub", "speakers": "tokenhub"}
"""Where it isn't `hunyuan`, which demands more: bodies whose fields it would only remove."""


def seconds(name: str, n: int, times: int) -> float:
    """CPU time of the rules over the body of a size: the best of so many."""
    data = json_body.serialise(BODIES[name](n))
    best = float("inf")
    for _ in range(times):
        body = {"model": "hunyuan-turbos-latest", "messages": json_body.parse(data)}
        gc.collect()
        gc.disable()
        try:
            start = time.thread_time()
            apply_chat(body, context(PROFILES.get(name, "hunyuan")))
            best = min(best, time.thread_time() - start)
        finally:
            gc.enable()
    return best


@pytest.mark.parametrize("name", BODIES)
def test_four_times_as_much_costs_four_times_as_much(name: str) -> None:
    n = 1000
    while seconds(name, n, 1) < ENOUGH and n < MOST:
        n *= 2
    assert seconds(name, 4 * n, 3) < LIMIT * seconds(name, n, 3)


def test_the_list_of_changes_is_bounded() -> None:
    body = {"model": "hunyuan-turbos-latest", "messages": [{} for _ in range(20_000)]}
    assert len(apply_chat(body, context())) < 5_000
