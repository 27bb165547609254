"""Cases in a loop are all run, and each that fails is named: in a suite of its own."""

from __future__ import annotations

import pytest

from tests.looped import each

pytest_plugins = ("pytester",)

SUITE = """
import pytest
from tests.looped import each

RAN = []


@pytest.fixture
def limit():
    return 3


@each("word", ["a", "b"])
@each("one, other", [(1, 2), (4, 2), (5, 6)], lambda pair: f"{pair[0]} and {pair[1]}")
def test_small(word, one, other, limit):
    RAN.append((word, one))
    assert one < limit


def test_all_were_run():
    assert RAN == [("a", 1), ("a", 4), ("a", 5), ("b", 1), ("b", 4), ("b", 5)]
"""


def test_every_case_is_run_and_each_that_fails_is_named(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(SUITE)
    done = pytester.runpytest_inprocess("-p", "no:schemathesis", "-p", "no:xdist", "-p", "no:cacheprovider")
    failed = [line for line in done.outlines if line.startswith(("SUBFAILED", "FAILED"))]
    named = ["'a' | 4 and 2", "'a' | 5 and 6", "'b' | 4 and 2", "'b' | 5 and 6"]
    assert len(failed) == len(named) + 1  # and the test itself
    for name in named:
        assert any(f"[{name}]" in line for line in failed)
    done.assert_outcomes(passed=1, failed=5)


def test_a_loop_over_nothing_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="no cases for word"):
        each("word", [])
