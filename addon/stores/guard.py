"""A store that fails is bypassed for a while: no request waits for it longer than the budget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from ..circuit import Circuit, CircuitPolicy, Permit, Verdict
from ..texts.terminal import say
from .store import StoreError

BUDGET = 0.2
"""Seconds that one operation may take: a slow store must not hold up requests."""
FIRST_PAUSE = 5.0
"""Seconds for which a store that failed isn't used. They double with each further try that fails."""
LONGEST_PAUSE = 60.0

type Kind = Literal["reading", "writing"]

logger = logging.getLogger("hunyuan_fix")


class Bypassed(Exception):
    """The operation failed, or wasn't tried because others failed before it. The log has said why."""


class StoreGuard:
    """Runs the operations of one store. Reading and writing fail apart: a full disk can still be read.

    One line in the log when the store begins to fail, one when it works again. `clock`: monotonic, in seconds.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        policy = CircuitPolicy(1, FIRST_PAUSE, LONGEST_PAUSE)
        self._circuits: dict[Kind, Circuit] = {
            "reading": Circuit(policy, clock),
            "writing": Circuit(policy, clock),
        }
        self._since = 0.0
        self.why = ""
        """The reason of the last failure; `""`: it works."""
        self.failures = 0
        """Operations that failed or took too long."""
        self.bypassed = 0
        """Operations that were not tried."""

    @property
    def failing(self) -> bool:
        """Whether the store is bypassed, for reading or for writing."""
        return any(circuit.is_open for circuit in self._circuits.values())

    def wait(self, kind: Kind) -> float:
        """Seconds until an operation of this kind is tried again; 0: now."""
        return self._circuits[kind].pause_left()

    def end_wait(self, kind: Kind) -> None:
        """Let the next operation of this kind be tried, whenever the last one failed."""
        self._circuits[kind].end_pause()

    async def run[T](self, kind: Kind, work: Callable[[], Awaitable[T]], budget: float = BUDGET) -> T:
        """What `work` returns. Raises `Bypassed` if it fails, takes longer than `budget` seconds, or isn't tried."""
        permit = self._circuits[kind].permit()
        if permit is None:
            self.bypassed += 1
            raise Bypassed
        try:
            async with asyncio.timeout(budget):
                result = await work()
        except asyncio.CancelledError:
            permit.end(Verdict.UNKNOWN)
            raise
        except StoreError as error:
            reason = str(error)
        except TimeoutError:
            reason = say("no answer within {value:.0f} ms", value=budget * 1000)
        except Exception as error:  # a fault in the store's own code fails no request either
            reason = type(error).__qualname__
        else:
            self._succeeded(permit)
            return result
        self._failed(kind, reason, permit)
        raise Bypassed

    def _succeeded(self, permit: Permit) -> None:
        was_failing = self.failing
        permit.end(Verdict.UP)
        if was_failing and not self.failing:
            self.why = ""
            seconds = self._clock() - self._since
            logger.info(
                "%s", say("Store {store} works again, after {seconds:.0f} s.", store=self._name, seconds=seconds)
            )

    def _failed(self, kind: Kind, reason: str, permit: Permit) -> None:
        self.failures += 1
        self.why = reason
        was_failing = self.failing
        permit.end(Verdict.DOWN)
        if not was_failing:
            self._since = self._clock()
            logger.warning(
                "%s",
                say(
                    "Store {store}: {kind} fails ({why}). It is by-passed, and tried again in {seconds:.0f} s.",
                    store=self._name,
                    kind=kind,
                    why=reason,
                    seconds=FIRST_PAUSE,
                ),
            )
