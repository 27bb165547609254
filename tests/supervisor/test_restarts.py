"""When a worker is started again."""

from __future__ import annotations

from itertools import pairwise

from hunyuan_fix.supervisor.restarts import FIRST, HOPELESS, LONGEST, STEADY, Restarts


def test_each_end_soon_after_a_start_doubles_the_pause_up_to_a_bound():
    restarts = Restarts()
    pauses = [restarts.pause(served=0) for _ in range(2000)]
    assert pauses[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert pauses[-1] == LONGEST
    assert all(one <= other for one, other in pairwise(pauses))


def test_one_that_has_served_for_long_begins_anew():
    restarts = Restarts()
    for _ in range(HOPELESS):
        restarts.pause(served=STEADY - 1)
    assert restarts.is_hopeless
    assert restarts.pause(served=STEADY) == FIRST
    assert not restarts.is_hopeless
