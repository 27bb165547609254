"""What is remembered of sessions, because a request alone can't show it. Bounded: the least recently used goes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from .loop import Before

MOST: Final = 4096
"""Entries of each kind."""
WINDOW: Final = 60.0
"""Seconds within which the same requests are counted."""

type Agent = tuple[str, str]
"""A session, and what tells its agents apart."""


@dataclass(slots=True)
class _Run:
    before: int
    """Turns that requests no longer show."""
    total: int
    mark: int
    """What stands for the place from which on requests show the turns."""


class RunawayMemory:
    """Of all sessions. Not for several threads at once."""

    def __init__(self) -> None:
        self._runs: OrderedDict[Agent, _Run] = OrderedDict()
        self._told: OrderedDict[tuple[Agent, str], int] = OrderedDict()
        self._requests: OrderedDict[tuple[str, int], tuple[int, float]] = OrderedDict()

    def iterations(self, agent: Agent, turns: int, before: Before, mark: int) -> int:
        """How many turns an agent has made since its user's last message, of which its request shows `turns`.

        `mark`: the same for the same summary, or the same earlier answer. A message of the user begins anew.
        """
        if not agent[0]:
            return turns
        run = self._runs.get(agent)
        if before is Before.USER or run is None:
            run = _Run(0, turns, mark)
        elif run.mark != mark:
            run = _Run(run.total, run.total + turns, mark)
        else:
            run.total = max(run.total, run.before + turns)
        _put(self._runs, agent, run)
        return run.total

    def forget(self, agent: Agent) -> None:
        """Begin anew: a message of the user came."""
        self._runs.pop(agent, None)

    def is_news(self, agent: Agent, what: str, count: int) -> bool:
        """Whether a warning is the first of its run: later ones have a higher count."""
        last = self._told.get((agent, what))
        _put(self._told, (agent, what), count)
        return last is None or count < last

    def times(self, session: str, came: int, now: float) -> int:
        """How often a request came within a minute, this time included. `came`: the same for the same bytes."""
        count, since = self._requests.get((session, came), (0, now))
        if now - since > WINDOW:
            count, since = 0, now
        _put(self._requests, (session, came), (count + 1, since))
        return count + 1


def _put[K, V](entries: OrderedDict[K, V], key: K, value: V) -> None:
    entries[key] = value
    entries.move_to_end(key)
    if len(entries) > MOST:
        entries.popitem(last=False)
