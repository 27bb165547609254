"""The cost of the rules is linear in the size of the body, whatever it holds."""

from __future__ import annotations

import gc
import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from hunyuan_fix.exchange import Changes
from hunyuan_fix.rules import apply_chat
from hunyuan_fix.wire import json_body
from tests.rule_context import context
from tests.rules.hostile import BODIES, FIELDS, user

ENOUGH = 0.008
"""Seconds of CPU from which on a measurement says something about growth."""
MOST = 1 << 18
LIMIT = 8.0
"""Linear is 4, with what a busy machine adds; quadratic is 16."""
PROFILES = {
    **dict.fromkeys(
        ["assistants with reasoning", "speakers", "parts of reasoning", "reasoning in lists of lists"], "tokenhub"
    ),
    **dict.fromkeys(
        [
            *("reasoning that is lost", "think tags", "open think tags", "closed think tags"),
            *("enums of all types", "an enum of many values", "references", "references to one place"),
            *("alternatives with properties", "types beside alternatives"),
        ],
        "moonshot",
    ),
}
"""Where it isn't `hunyuan`, which demands more: bodies whose fields it would only remove."""


@pytest.fixture(autouse=True, scope="module")
def modules_are_no_garbage() -> Iterator[None]:
    """Every measurement collects garbage before: 0.2 s each if all that was imported is looked through."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def seconds(name: str, n: int, times: int) -> float:
    """CPU time of the rules over the body of a size: the best of so many."""
    made = {"messages": BODIES[name](n)} if name in BODIES else {"messages": [user()], **FIELDS[name](n)}
    data = json_body.serialise(made)
    best = float("inf")
    for _ in range(times):
        body = {"model": "hunyuan-turbos-latest", **json.loads(data)}
        gc.collect()
        gc.disable()
        try:
            start = time.thread_time()
            apply_chat(body, context(PROFILES.get(name, "hunyuan")))
            best = min(best, time.thread_time() - start)
        finally:
            gc.enable()
    return best


@pytest.mark.parametrize("name", [*BODIES, *FIELDS])
def test_four_times_as_much_costs_four_times_as_much(name: str) -> None:
    n = 1000
    while seconds(name, n, 1) < ENOUGH and n < MOST:
        n *= 2
    # What disturbs a measurement only adds to it, for seconds on a busy machine: both are measured again where the
    # larger body seems too slow. What is quadratic is too slow each time.
    assert any(seconds(name, 4 * n, 1 + again) < LIMIT * seconds(name, n, 3) for again in range(5))


TIMES = {"merge": 2}
"""How often a rule runs, where it is more than once."""


@pytest.mark.parametrize("name", [*BODIES, *FIELDS])
def test_the_list_of_changes_is_bounded(name: str) -> None:
    made = {"messages": BODIES[name](3000)} if name in BODIES else {"messages": [user()], **FIELDS[name](3000)}
    body = {"model": "hunyuan-turbos-latest", **json_body.parse(json_body.serialise(made))}
    by_rule = Counter(change.rule for change in apply_chat(body, context()))
    assert all(count <= Changes.MAX_LISTED * TIMES.get(rule, 1) for rule, count in by_rule.items())
