"""The order of the tests for workers: nothing is lost, and a share begins with what takes long."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.spread import shares

QUICK, LONG = Path("tests/rules"), Path("tests/end_to_end")


@dataclass(frozen=True)
class Item:
    """What is asked of a test."""

    path: Path
    name: int


def items(*files: tuple[Path, str, int]) -> list[Any]:
    return [Item(folder / name, number) for folder, name, count in files for number in range(count)]


def test_a_share_begins_with_whole_files_of_long_tests() -> None:
    long = [items((LONG, name, 2)) for name in ("a", "b", "c")]
    quick = items((QUICK, "d", 7), (QUICK, "e", 5))
    given_ = [*long[0], *long[1], *long[2], *quick]
    assert shares(given_, 2) == [*long[0], *long[2], *quick[:5], *long[1], *quick[5:]]


def test_more_long_tests_than_a_share_holds_go_on_in_the_next() -> None:
    given_ = items((LONG, "a", 9), (QUICK, "b", 1))
    assert shares(given_, 2) == given_


@given(st.lists(st.tuples(st.sampled_from([QUICK, LONG]), st.integers(1, 9)), max_size=9), st.integers(2, 5))
def test_every_test_is_there_once_in_its_files_order(counts: list[tuple[Path, int]], workers: int) -> None:
    given_ = items(*((folder, f"{number}.py", count) for number, (folder, count) in enumerate(counts)))
    dealt = shares(given_, workers)
    assert Counter(dealt) == Counter(given_)
    for path in {item.path for item in given_}:
        assert [item.name for item in dealt if item.path == path] == sorted(
            item.name for item in given_ if item.path == path
        )


pytest_plugins = ("pytester",)


def test_each_worker_imports_from_another_place_on_and_all_agree(pytester: pytest.Pytester) -> None:
    """xdist ends a run whose workers don't have one list."""
    root = Path(__file__).parents[1]
    pytester.makeini(f"[pytest]\nasyncio_default_fixture_loop_scope = function\npythonpath = {root}\n")
    pytester.makeconftest("pytest_plugins = ('tests.spread',)")
    said = "import os\nopen({log!r} + os.environ['PYTEST_XDIST_WORKER'], 'a').write('{name} ')\ndef test_it(): pass\n"
    pytester.mkdir("suite")
    for name in "abcd":
        log = str(pytester.path / "imported-")
        pytester.makepyfile(**{f"suite/test_{name}": said.format(log=log, name=name)})
    pytester.runpytest_subprocess("-p", "no:schemathesis", "-n", "2", "suite").assert_outcomes(passed=4)
    assert (pytester.path / "imported-gw0").read_text() == "a b c d "
    assert (pytester.path / "imported-gw1").read_text() == "c d a b "


def test_files_that_share_a_fixture_with_parameters_are_in_one_order_too(pytester: pytest.Pytester) -> None:
    """pytest moves their tests together, wherever it meets the first of them."""
    root = Path(__file__).parents[1]
    pytester.makeini(f"[pytest]\nasyncio_default_fixture_loop_scope = function\npythonpath = {root}\n")
    pytester.makeconftest(
        "import pytest\npytest_plugins = ('tests.spread',)\n"
        "@pytest.fixture(scope='session', params='xy')\ndef shared(request): return request.param\n"
        "@pytest.fixture(scope='session', params='yz')\ndef other(request): return request.param\n"
    )
    pytester.mkdir("suite")
    for name in "abcd":
        tests = "def test_plain(): pass\ndef test_shared(shared): pass\ndef test_other(other): pass\n"
        both = "def test_both(shared, other): pass\n" if name in "bd" else ""
        pytester.makepyfile(**{f"suite/test_{name}": tests + both})
    pytester.runpytest_subprocess("-p", "no:schemathesis", "-n", "3", "suite").assert_outcomes(passed=28)
