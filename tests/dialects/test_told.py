"""What is told of a translation."""

from __future__ import annotations

from hunyuan_fix.dialects.told import MAX_LINES, Told


def test_single_places_come_first_in_order_then_those_that_were_counted() -> None:
    told = Told()
    told.count("/a", "often")
    told.say("/b", "once")
    told.count("/c", "often")
    told.count("/d", "rarely")
    assert told.lines() == [["/b", "once"], ["/a", "often (2 places)"], ["/d", "rarely"]]


def test_past_its_bound_it_tells_how_many_are_left_off() -> None:
    told = Told()
    for number in range(MAX_LINES + 3):
        told.say(f"/{number}", "why")
    assert len(told.lines()) == MAX_LINES + 1
    assert told.lines()[-1] == ["", "3 more changes of these kinds"]
