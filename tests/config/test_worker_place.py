"""The parts of a limit that several workers have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.config.worker_place import WorkerPlace


@given(st.integers(1, 200), st.integers(1, 64))
def test_the_parts_make_the_whole_and_none_is_without(whole: int, of: int):
    parts = [WorkerPlace(number, of).part(whole) for number in range(1, of + 1)]
    assert sum(parts) == max(whole, of)
    assert min(parts) >= 1
    assert max(parts) - min(parts) <= 1


def test_no_limit_has_no_parts():
    assert WorkerPlace(1, 4).part(0) == 0
