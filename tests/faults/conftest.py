"""Real authorities for all tests of faults, and less to look through for the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.proxying import trust

__all__ = ["trust"]


@pytest.fixture(autouse=True, scope="session")
def modules_are_no_garbage() -> Iterator[None]:
    """Every test collects garbage, to count descriptors: 0.1 s each if all that was imported is looked through."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
