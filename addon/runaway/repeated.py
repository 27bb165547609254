"""How often an agent does the same: the same call with the same result, or a few turns in the same order.

Each call is read once and gets a mark, the same for the same call; what is compared and counted are marks. So the time
is linear in the size of the request, whatever is repeated in it.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Any, Final

from ..wire import json_body, volatile
from .loop import Call

_LONGEST_CYCLE: Final = 3
"""Turns that may come in the same order again and again."""
_SIZE: Final = 16
"""Bytes of a mark."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """What is done again: how often in a row, and the names of the tools, in the order of their calls."""

    count: int
    tools: tuple[str, ...] = ()


def repeated(turns: Sequence[Sequence[Call]]) -> Repeated:
    """What an agent repeats with its newest turn. `turns`: the newest first, and so are the calls of each.

    A call is the same if its tool, its arguments (as values, however they are written) and its result are. So an agent
    that waits is none that repeats itself as soon as what it waits for moves.
    """
    if not turns:
        return Repeated(0)
    marked = _Marked(turns)
    most = _same_call(marked)
    for length in range(2, _LONGEST_CYCLE + 1):
        if len(turns) // length <= most.count:
            break
        cycles = _cycles(marked, length)
        if cycles > max(most.count, 1):
            most = Repeated(cycles, tuple(call.name for turn in reversed(turns[:length]) for call in reversed(turn)))
    return most


class _Marked:
    """The marks of turns. A turn is read when its marks are asked for, and once: most agents repeat nothing."""

    def __init__(self, turns: Sequence[Sequence[Call]]) -> None:
        self.turns = turns
        self._marks: dict[int, tuple[bytes, ...]] = {}

    def __getitem__(self, number: int) -> tuple[bytes, ...]:
        marks = self._marks.get(number)
        if marks is None:
            marks = self._marks[number] = tuple(map(_mark, self.turns[number]))
        return marks


def _same_call(marked: _Marked) -> Repeated:
    """The call of the newest turn that most turns in a row have."""
    names = {mark: call.name for mark, call in zip(marked[0], marked.turns[0], strict=True)}
    running: dict[bytes, int] = Counter(marked[0])
    most = Repeated(0)
    for number in range(1, len(marked.turns) + 1):
        for mark, count in running.items():
            if count > most.count:
                most = Repeated(count, (names[mark],))
        if not running or number == len(marked.turns):
            break
        # No more marks run on than the turn before has calls: all turns together take linear time.
        there = Counter(marked[number])
        running = {mark: count + there[mark] for mark, count in running.items() if mark in there}
    return most


def _cycles(marked: _Marked, length: int) -> int:
    """How often the newest `length` turns have come in a row."""
    equal = 0
    while equal + length < len(marked.turns) and marked[equal] == marked[equal + length]:
        equal += 1
    return (equal + length) // length


def _mark(call: Call) -> bytes:
    """What stands for a call: as long, however large the call is."""
    read = [call.name, _value(call.arguments), _steady(call.result), call.shown]
    return blake2b(json_body.serialise(read, sort_keys=True), digest_size=_SIZE).digest()


def _value(arguments: Any) -> Any:
    """Arguments as a value: JSON is read, and what is none stays a text."""
    if not isinstance(arguments, str):
        return arguments
    read = json_body.parse_object(arguments.encode("utf-8", "surrogatepass"))
    return arguments if read is None else read


def _steady(result: Any) -> Any:
    """A result without what differs although the tool gave the same."""
    if isinstance(result, str):
        return volatile.without(result, _volatile()).strip()
    if isinstance(result, list):
        parts = ({**part, "text": _steady(part.get("text"))} if isinstance(part, dict) else part for part in result)
        return [part for part in parts if not isinstance(part, dict) or part["text"] != ""]
    return result


@cache
def _volatile() -> tuple[tuple[str, str], ...]:
    text = resources.files(__package__).joinpath("results.toml").read_text(encoding="utf-8")
    return tuple((row["begins"], row["ends"]) for row in tomllib.loads(text)["volatile"])
