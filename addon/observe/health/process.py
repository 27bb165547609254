"""The process itself: its queue, its event loop, what listens to events, its own faults, the files that it follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ...admission.admission import State as AdmissionState
from ...texts.sentence import Sentence
from ..loop_lag import LoopLag
from ..sinks import Sinks
from .check import Finding, degraded, healthy
from .lately import Growth, Margin

MINUTE = 60.0
LATELY = 300.0
"""Seconds for which a fault counts."""
NEARLY_FULL, EMPTIER = 0.8, 0.5
"""Of the places in an account's queue."""
LATE = 1.0
"""Seconds. The garbage collector takes 0.035, and a busy machine ten times that."""


class QueueCheck:
    """The accounts' queues. `state`: as they are now."""

    def __init__(self, state: Callable[[], AdmissionState]) -> None:
        self._state = state
        self._refused = Growth(MINUTE)
        self._full = Margin(NEARLY_FULL, EMPTIER)

    async def look(self) -> Finding:
        """By refusals in the last minute, then by how full it is."""
        state = self._state()
        refused = self._refused.of(state.refused_full + state.refused_late)
        waiting = max((queue.waiting for queue in state.queues), default=0)
        full = self._full.look(waiting / state.queue_max if state.queue_max else 0.0)
        if refused:
            return degraded(
                Sentence(
                    "{count} calls were refused in the last minute, for a full queue or after too long a wait. Raise "
                    "hunyuan_concurrency if the account allows it, or let fewer clients run.",
                    count=refused,
                )
            )
        if full:
            return degraded(
                Sentence(
                    "{waiting} calls wait for a slot of one account; beyond {most} further ones are refused.",
                    waiting=waiting,
                    most=state.queue_max,
                )
            )
        return healthy(Sentence("{waiting} calls wait for a slot.", waiting=waiting))


class LoopCheck:
    """The event loop's lag."""

    def __init__(self, lag: LoopLag) -> None:
        self._lag = lag

    async def look(self) -> Finding:
        """By the largest lag of the last minute."""
        largest = self._lag.largest()
        if largest >= LATE:
            return degraded(
                Sentence(
                    "The event loop stood still for {seconds:.1f} s in the last minute, and all clients waited. Either "
                    "the machine has too little CPU, or this is a fault: report it with the log.",
                    seconds=largest,
                )
            )
        return healthy(Sentence("The largest lag of the last minute is {value:.0f} ms.", value=1000 * largest))


class SinksCheck:
    """What listens to events. `lost`: what the log file and traces could not write or send, by name."""

    def __init__(self, sinks: Sinks, lost: Callable[[], Mapping[str, int]] = dict) -> None:
        self._sinks = sinks
        self._lost = lost
        self._losing: dict[str, Growth] = {}
        self._dropped: dict[str, Growth] = {}
        self._failed: dict[str, Growth] = {}

    async def look(self) -> Finding:
        """By failures, events dropped and losses in the last minutes."""
        losing = _grown(self._losing, self._lost())
        dropped, failed = _grown(self._dropped, self._sinks.dropped), _grown(self._failed, self._sinks.failures)
        if failed:
            return degraded(
                Sentence(
                    "{sinks} could not take in events in the last minutes: what it tells has gaps. The log says why.",
                    sinks=", ".join(failed),
                )
            )
        if dropped:
            return degraded(
                Sentence(
                    "{sinks} is too slow and has dropped events in the last minutes: what it tells has gaps.",
                    sinks=", ".join(dropped),
                )
            )
        if losing:
            return degraded(
                Sentence(
                    "{sinks} has lost lines or spans in the last minutes: its disk or its collector takes none. "
                    "The log says why.",
                    sinks=", ".join(losing),
                )
            )
        return healthy(Sentence("Every event is taken in."))


def _grown(known: dict[str, Growth], now: Mapping[str, int]) -> list[str]:
    for name in now:
        if name not in known:
            known[name] = Growth(LATELY)
            known[name].of(0)
    return sorted(name for name, growth in known.items() if growth.of(now.get(name, 0)))


class FaultsCheck:
    """Exceptions in the proxy's own code. `count`: since the start."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._grown = Growth(LATELY)

    async def look(self) -> Finding:
        """By those of the last minutes."""
        if count := self._grown.of(self._count()):
            return degraded(
                Sentence(
                    "{count} faults of the proxy itself in the last minutes: what they met passed unchanged or was "
                    "refused. Please report them, with the log's lines.",
                    count=count,
                )
            )
        return healthy(Sentence("No fault of the proxy itself in the last minutes."))


class FilesCheck:
    """The files that are read again when they change: settings, profiles, client tokens, other secrets.

    `unusable`: those whose content now can't be used.
    """

    def __init__(self, unusable: Callable[[], Iterable[Path]]) -> None:
        self._unusable = unusable

    async def look(self) -> Finding:
        """By what their last looks have found."""
        files = sorted({str(path) for path in self._unusable()})
        if files:
            return degraded(
                Sentence(
                    "Missing, or with a content that can't be used: {files}. What was read before stays in force until "
                    "the next start, which would fail. The log says what is wrong.",
                    files=", ".join(files),
                )
            )
        return healthy(Sentence("Every file is in use as it is now."))
