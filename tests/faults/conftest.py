"""Settings for the tests of faults, and less to look through for the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.setting import RELAYED, Setting, run_setting
from tests.proxying import Trust


@pytest.fixture(autouse=True, scope="session")
def modules_are_no_garbage() -> Iterator[None]:
    """Every test collects garbage, to count descriptors: 0.1 s each if all that was imported is looked through."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
async def setting(trust: Trust) -> AsyncIterator[Setting]:
    """By default: mitmproxy carries chat calls, once."""
    async with run_setting(trust) as running:
        yield running


@pytest.fixture
async def relayed(trust: Trust) -> AsyncIterator[Setting]:
    """Under `hunyuan_retry=all`."""
    async with run_setting(trust, **RELAYED) as running:
        yield running
