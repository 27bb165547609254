"""Waiting for what other tasks and other processes do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 20.0
"""Seconds until something that must come to pass has, on a machine that is busy with eight other tests."""


async def until(
    holds: Callable[[], object], what: Callable[[], object] = lambda: "", patience: float = PATIENCE
) -> None:
    """Let everything else run until `holds`; if that never comes, the test fails with `what` there is instead.

    `patience`: seconds, for what takes longer than most: the start of several processes in a new clone.
    """
    try:
        async with asyncio.timeout(patience):
            while not holds():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(what()) from None
