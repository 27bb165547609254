"""The counts that `hunyuan.stats` shows."""

from __future__ import annotations

from typing import Any

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe.statistics import Statistics


def exchange(mode: str = "repair", **values: Any) -> Exchange:
    return Exchange(mode=mode, **values)


def test_exchanges_rules_and_images_are_counted_and_what_was_only_observed_apart():
    statistics = Statistics()
    statistics.count(exchange(rules=["merge", "cascade"], vision_calls=2, cached=1, milliseconds=10.0, queued=2.0))
    statistics.count(exchange(rules=["merge"], milliseconds=5.4, tokens=7))
    statistics.count(exchange())
    statistics.count(exchange("observe", rules=["merge", "tools"], vision_calls=5, cached=5))
    assert statistics.text(3, ["slots: none"]).splitlines() == [
        "exchanges 4, rewritten 2, observed 1",
        "images: 2 vision calls, 1 described without one",
        "addon: 15 ms in all, 3 failures",
        "queue: 2 ms in all; tokens used: 7",
        "slots: none",
        "  merge 2",
        "  cascade 1",
        "  would apply merge 1",
        "  would apply tools 1",
    ]


def test_before_the_first_exchange():
    assert Statistics().text(0).startswith("exchanges 0, rewritten 0, observed 0\n")
