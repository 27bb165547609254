"""One check: its name, how it looks, and what a look finds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

from ...texts.sentence import Sentence


class State(IntEnum):
    """The state of what a check looks at; a larger number is better. The number is the value of the metric."""

    UNHEALTHY = 0
    """Requests fail because of it: `/readyz` refuses."""
    DEGRADED = 1
    """Something is lost or about to fail; requests go on, and the proxy stays ready."""
    HEALTHY = 2

    @property
    def word(self) -> str:
        """As reports and the log name it: the same in every language."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look has found."""

    state: State
    message: Sentence
    """For a person: what is so, and what can be done. Never a secret, nothing of a request's or an answer's content."""


healthy = partial(Finding, State.HEALTHY)
degraded = partial(Finding, State.DEGRADED)
unhealthy = partial(Finding, State.UNHEALTHY)


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. `name`: a few letters, a label of the metric.

    `look` runs on the event loop: what may wait for a disk goes into a thread (`in_thread`). It may raise, or never
    end: that is said of this check alone.
    """

    name: str
    look: Callable[[], Awaitable[Finding]]
