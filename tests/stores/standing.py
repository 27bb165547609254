"""What tests of stores stand on: time that passes when it is told to, a store that fails when it is told to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from hunyuan_fix.stores import Item, Memory


class Time:
    """A clock, and sleep by it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleeping: list[tuple[float, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        awake = asyncio.Event()
        self._sleeping.append((self.now + seconds, awake))
        await awake.wait()

    def passes(self, seconds: float) -> None:
        self.now += seconds
        for until, awake in self._sleeping:
            if until <= self.now:
                awake.set()


class Ailing(Memory):
    """Raises `error` if there is one; waits for `hangs` if that is there. `asked` counts, also what failed."""

    name = "ailing"

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(10_000, 1 << 30, clock)
        self.error: Exception | None = None
        self.hangs: asyncio.Event | None = None
        self.asked = 0
        self.closed = False

    async def _ails(self) -> None:
        self.asked += 1
        if self.hangs:
            await self.hangs.wait()
        if self.error:
            raise self.error

    async def get(self, key: str) -> Item | None:
        await self._ails()
        return await super().get(key)

    async def put(self, key: str, value: bytes, lasts: float | None = None) -> None:
        await self._ails()
        await super().put(key, value, lasts)

    async def delete(self, key: str) -> None:
        await self._ails()
        await super().delete(key)

    async def clear(self, prefix: str) -> int:
        await self._ails()
        return await super().clear(prefix)

    async def scan(self, prefix: str, limit: int) -> list[tuple[str, Item]]:
        await self._ails()
        return await super().scan(prefix, limit)

    async def aclose(self) -> None:
        self.closed = True
        if self.error:
            raise self.error


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """What the addon has said at `level` so far."""
    return [
        record.getMessage() for record in caplog.records if record.name == "hunyuan_fix" and record.levelno == level
    ]
