"""Calls with the same key at the same time become one call. Generic: nothing here is about images."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any


class CallGone(Exception):
    """A shared call was cancelled from outside, as when the event loop ends."""


class SingleFlight[K: Hashable, T]:
    """Shares calls by key. Each call has a task of its own, apart from those of its waiters.

    A waiter that leaves doesn't affect the others; when the last one leaves, the call is cancelled at once. A
    `CancelledError` of the call's task never reaches a waiter: inside a mitmproxy hook it would hang the client
    (docs/facts/mitmproxy.md#hook-cancelled).
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[T]] = {}

    def flying(self, key: K) -> bool:
        """Whether a call with `key` is under way, so that `join` would share it."""
        return key in self._flights

    async def join(self, key: K, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the call with `key`: the one under way, else a new `call()`.

        Raises what the call raised, and `CallGone`.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(call()))
            flight.task.add_done_callback(_retrieve)
        flight.waiting += 1
        try:
            await asyncio.wait({flight.task})
        finally:
            flight.waiting -= 1
            if flight.task.done() or not flight.waiting:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]
        if flight.task.cancelled():
            raise CallGone
        return flight.task.result()


@dataclass(slots=True, eq=False)
class _Flight[T]:
    task: asyncio.Task[T]
    waiting: int = 0


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Retrieve the exception of a call without waiters, which asyncio would log otherwise."""
    if not task.cancelled():
        task.exception()
