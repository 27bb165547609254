"""Agents that go on and on: which are warned, and which are refused with an error that ends their loop.

A request shows what its agent did since its user's last message: `loop` reads it, `repeated` counts what it does again.
What a request can't show (a history that its client has compacted, or that its endpoint keeps) is in `memory`.

The defaults warn and hardly ever refuse. A person who delegates a task expects hundreds of turns, and an agent that
waits for a build asks for its state again and again; agents with guards of their own step in after three to five equal
calls (docs/facts/clients.md#loops), long before. Whoever pays for agents that nobody watches sets lower bounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from ..config import values as read
from ..config.option import option
from ..texts.terminal import say


class Bounds(NamedTuple):
    """From which count on an agent is warned, and from which on it is refused; `None`: never."""

    warned: int | None
    refused: int | None

    @property
    def is_on(self) -> bool:
        """Whether there is anything to count for."""
        return self.warned is not None or self.refused is not None


@read.accepting("`WARNED/REFUSED`, numbers from 2 up or `off`; one number: refused there, warned at half of it")
def bounds(text: str) -> Bounds:
    """Two counts."""
    found = re.fullmatch(r"(\d{1,9}|off)(?:/(\d{1,9}|off))?", text)
    warned, refused = (_count(part) for part in found.groups()) if found else (0, 0)
    if found and found[2] is None and warned is not None:
        warned, refused = max(2, warned // 2) if warned else 0, warned
    if any(count is not None and count < 2 for count in (warned, refused)):
        raise ValueError(say("accepted are two numbers from 2 up, or off for either, such as 10/100 or 10/off"))
    return Bounds(warned, refused)


def _count(text: str | None) -> int | None:
    return None if text in (None, "off") else int(text or 0)


@dataclass(frozen=True)
class RunawaySettings:
    """How often is too often."""

    max_iterations: Bounds = option(
        "250/off",
        "Turns with tool calls since the user's last message from which on an agent is warned (log, response header) "
        "and refused (400).",
        bounds,
    )
    same_call: Bounds = option(
        "10/100",
        "Calls of one tool in a row, with the same arguments and the same result, from which on an agent is warned "
        "and refused.",
        bounds,
    )
    same_request: Bounds = option(
        "30/off",
        "Times within a minute that a client sends the same request, from which on it is warned and refused.",
        bounds,
    )
