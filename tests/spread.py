"""How the tests are spread over pytest-xdist's workers: a plug-in of the suite.

Workers begin with an equal share of the list each, in its order, and one that has nothing left takes the second half of
what another still has (`--dist worksteal`). A share therefore begins with tests that take seconds and ends with those
that take milliseconds: at the end of a run nobody waits for one long test.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import groupby

import pytest

_LONG = {"end_to_end", "scripts", "cli", "clients", "page", "test_traps.py", "test_scaling.py", "test_linear.py"}
"""Folders and files whose tests start processes or measure time."""


def _worker(config: pytest.Config) -> tuple[int, int]:
    """The number of this worker, and how many there are; (0, 1) without workers."""
    given = getattr(config, "workerinput", {"workerid": "gw0", "workercount": 1})
    return int(given["workerid"].removeprefix("gw")), given["workercount"]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each worker import the test files from another place on: in a new clone each compiles its part of them.

    All would compile every file at the same time: 13 s of CPU each.
    """
    report = yield
    number, workers = _worker(collector.config)
    if isinstance(collector, pytest.Directory) and report.result:
        begin = len(report.result) * number // workers
        report.result = [*report.result[begin:], *report.result[:begin]]
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Put them into the one order that all workers must have.

    pytest moves tests that share a fixture with parameters together, in an order that depends on the one it finds.
    """
    _, workers = _worker(config)
    if workers > 1:
        items.sort(key=lambda item: item.path)
    result = yield
    if workers > 1:
        items.sort(key=lambda item: item.path)  # within a file they stay as they are
        items[:] = shares(items, workers)
    return result


def shares[T: pytest.Item](items: Sequence[T], workers: int) -> list[T]:
    """The equal share of each worker, one after another: whole files of long tests, dealt in turn, then the others."""
    files = [list(file) for _, file in groupby(items, key=lambda item: item.path)]
    long = [file for file in files if _LONG.intersection(file[0].path.parts)]
    quick = [item for file in files if file not in long for item in file]
    dealt: list[T] = []
    for number in range(workers):
        size = (len(items) - len(dealt)) // (workers - number)  # as xdist cuts the list
        share = [item for file in long[number::workers] for item in file]
        missing = max(0, size - len(share))
        dealt += [*share, *quick[:missing]]
        del quick[:missing]
    return dealt + quick
