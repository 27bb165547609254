"""Which ways `each` takes by day, and that it leaves none out at night."""

from __future__ import annotations

from typing import Any

import pytest

from tests.matrix import VERSIONS, each

FAULTS = {name: name for name in ("a fault", "b", "c", "d", "e")}
RETRIES = {"vision": "vision", "all": "all"}


def parameters(mark: pytest.MarkDecorator, *, at_night: bool) -> list[Any]:
    _, values = mark.args
    return [value.values for value in values if at_night or not value.marks]


def test_by_day_each_thing_comes_once_and_every_way_too():
    by_day = parameters(each("fault", FAULTS, http2=VERSIONS, retry=RETRIES), at_night=False)
    assert [fault for fault, *_ in by_day] == list(FAULTS)
    assert len({tuple(way) for _, *way in by_day}) == 4


def test_at_night_each_thing_comes_in_every_way():
    whole = parameters(each("fault", FAULTS, http2=VERSIONS, retry=RETRIES), at_night=True)
    assert len(set(whole)) == len(whole) == len(FAULTS) * 4


def test_two_tests_that_start_apart_meet_each_thing_in_both_versions():
    both = [parameters(each("fault", FAULTS, start=start, http2=VERSIONS), at_night=False) for start in (0, 1)]
    assert {pair for by_day in both for pair in by_day} == {
        (fault, version) for fault in FAULTS for version in VERSIONS.values()
    }


def test_more_ways_than_things_are_all_taken():
    by_day = parameters(each("fault", {"a": 1}, http2=VERSIONS), at_night=False)
    assert by_day == [(1, False), (1, True)]


def test_things_alone_all_come_by_day_under_their_names():
    mark = each("fault", FAULTS)
    names, values = mark.args
    assert names == ("fault",)
    assert [value.id for value in values] == ["a-fault", "b", "c", "d", "e"]
    assert parameters(mark, at_night=False) == [(fault,) for fault in FAULTS]
