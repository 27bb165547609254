"""A store that fails is by-passed for a while: nobody waits for it longer than the budget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from .store import StoreError

BUDGET = 0.2
"""Seconds that one operation may take: a slow store must not hold up requests."""
FIRST_PAUSE = 5.0
"""Seconds for which a store that failed is let alone; doubled with each try that fails."""
LONGEST_PAUSE = 60.0

type Kind = Literal["reading", "writing"]

logger = logging.getLogger("hunyuan_fix")


class Bypassed(Exception):
    """The store failed just now, or is being let alone. The log has said why."""


@dataclass(slots=True)
class _Pause:
    length: float
    until: float
    probing: bool = False
    """Whether somebody is finding out if the store works again; nobody else is to wait for that."""


class Bypass:
    """Runs the operations of one store. Reading and writing fail apart: a full disk can still be read.

    One line in the log when the store begins to fail, one when it is well again. `clock` gives seconds that only grow.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._pauses: dict[Kind, _Pause] = {}
        self._since = 0.0
        self.failures = 0
        """Operations that failed or took too long."""
        self.bypassed = 0
        """Operations that were not even tried."""

    @property
    def failing(self) -> bool:
        """Whether the store is by-passed, for reading or for writing."""
        return bool(self._pauses)

    def wait(self, kind: Kind) -> float:
        """Seconds until an operation of this kind is tried again; 0: now."""
        pause = self._pauses.get(kind)
        return max(0.0, pause.until - self._clock()) if pause else 0.0

    def end_wait(self, kind: Kind) -> None:
        """Let the next operation of this kind be tried, whenever the last one failed."""
        if pause := self._pauses.get(kind):
            pause.until = self._clock()

    async def run[T](self, kind: Kind, work: Callable[[], Awaitable[T]], budget: float = BUDGET) -> T:
        """What `work` returns. Raises `Bypassed` if it fails, takes longer than `budget` seconds, or isn't tried."""
        pause = self._pauses.get(kind)
        if pause is not None:
            if pause.probing or self._clock() < pause.until:
                self.bypassed += 1
                raise Bypassed
            pause.probing = True
        try:
            async with asyncio.timeout(budget):
                result = await work()
        except StoreError as error:
            reason = str(error)
        except TimeoutError:
            reason = f"no answer within {budget * 1000:.0f} ms"
        except Exception as error:  # a fault in the store's own code fails no request either
            reason = type(error).__qualname__
        else:
            if pause is not None:
                self._well(kind)
            return result
        finally:
            if pause is not None:
                pause.probing = False
        self._failed(kind, reason, pause)
        raise Bypassed

    def _failed(self, kind: Kind, reason: str, probe: _Pause | None) -> None:
        self.failures += 1
        now = self._clock()
        if probe is not None:
            probe.length = min(2 * probe.length, LONGEST_PAUSE)
            probe.until = now + probe.length
        elif kind not in self._pauses:  # else it was begun before the first one failed, and says nothing new
            if not self._pauses:
                self._since = now
                logger.warning(
                    "Store %s: %s fails (%s). It is by-passed, and tried again in %.0f s.",
                    self._name,
                    kind,
                    reason,
                    FIRST_PAUSE,
                )
            self._pauses[kind] = _Pause(FIRST_PAUSE, now + FIRST_PAUSE)

    def _well(self, kind: Kind) -> None:
        self._pauses.pop(kind, None)
        if not self._pauses:
            logger.info("Store %s works again, after %.0f s.", self._name, self._clock() - self._since)
