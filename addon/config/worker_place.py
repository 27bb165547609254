"""Whether this process is one of several workers behind one port (`run --workers`), and which. Said once, before all
else starts, since it holds for the whole process.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """Number `number`, from 1 on, of `of` workers."""

    number: int
    of: int

    def part(self, whole: int) -> int:
        """This worker's part of `whole`, so that the parts of all make that together; one at least. 0 stays 0."""
        if not whole:
            return 0
        return max(1, whole // self.of + (self.number <= whole % self.of))


_own: WorkerPlace | None = None


def take(place: WorkerPlace | None) -> None:
    """This process is the worker at `place`."""
    global _own  # noqa: PLW0603 - a process is one worker or none
    _own = place


def own() -> WorkerPlace | None:
    """The place of this process; `None`: it serves alone, or is no proxy."""
    return _own
