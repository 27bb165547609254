"""Stores of several chains are one store where they have one name."""

from __future__ import annotations

from hunyuan_fix.observe import statistics
from hunyuan_fix.observe.metrics import Metrics
from hunyuan_fix.observe.store_counts import readings
from hunyuan_fix.stores.level import LevelCounts


def test_levels_of_one_name_are_added_up_and_fail_together() -> None:
    levels = [
        LevelCounts("memory", 1, 2),
        LevelCounts("sqlite", 3, 4, bypassed=5, failures=6, dropped=7, failing=True),
        LevelCounts("memory", 10, 20),
        LevelCounts("sqlite", 30, 40, bypassed=50, failures=60, dropped=70),
    ]
    metrics = Metrics()
    metrics.read_from(lambda: readings(levels))
    read = metrics.collect()
    assert read[statistics.STORE_HITS] == {("memory",): 11, ("sqlite",): 33}
    assert read[statistics.STORE_MISSES] == {("memory",): 22, ("sqlite",): 44}
    assert read[statistics.STORE_FAILURES] == {("memory",): 0, ("sqlite",): 66}
    assert read[statistics.STORE_BYPASSED] == {("memory",): 0, ("sqlite",): 55}
    assert read[statistics.STORE_DROPPED] == {("memory",): 0, ("sqlite",): 77}
    assert read[statistics.STORE_FAILING] == {("memory",): False, ("sqlite",): True}
