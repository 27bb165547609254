"""Lines that would come again and again: the first is logged, the others are counted until some time has passed."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

_MOST = 500
"""Subjects that are remembered; of more, the oldest are forgotten and their next line is logged."""


@dataclass(slots=True)
class _Said:
    at: float
    kept_back: int = 0


class Repeated:
    """Says which lines are logged: of each subject one in `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._said: dict[Hashable, _Said] = {}

    def ask(self, subject: Hashable, now: float) -> int | None:
        """How many lines about `subject` were kept back since its last one; `None`: this one is kept back, too.

        `now`: seconds, on a monotonic clock.
        """
        said = self._said.get(subject)
        if said is not None and now - said.at < self._seconds:
            said.kept_back += 1
            return None
        self._said.pop(subject, None)  # at the end of the dict again
        self._said[subject] = _Said(now)
        if len(self._said) > _MOST:
            del self._said[next(iter(self._said))]
        return said.kept_back if said is not None else 0
