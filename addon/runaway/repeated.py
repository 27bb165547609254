"""How often an agent does the same: the same call with the same result, or a few turns in the same order."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from ..wire import json_body, volatile
from .loop import Call

_LONGEST_CYCLE: Final = 3
"""Turns that may come in the same order again and again."""
_MOST_CALLS: Final = 16
"""Calls of the newest turn that are looked for in those before it."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """What is done again: how often in a row, and the names of the tools, in the order of their calls."""

    count: int
    tools: tuple[str, ...] = ()


def repeated(turns: Sequence[Sequence[Call]]) -> Repeated:
    """What an agent repeats with its newest turn. `turns`: the newest first.

    A call is the same if its tool, its arguments (as values, however they are written) and its result are. So an agent
    that waits is none that repeats itself as soon as what it waits for moves.
    """
    if not turns:
        return Repeated(0)
    most = _same_call(turns)
    for length in range(2, _LONGEST_CYCLE + 1):
        if len(turns) // length <= most.count:
            break
        cycles = _cycles(turns, length)
        if cycles > max(most.count, 1):
            most = Repeated(cycles, tuple(call.name for turn in reversed(turns[:length]) for call in turn))
    return most


def _same_call(turns: Sequence[Sequence[Call]]) -> Repeated:
    """The call of the newest turn that most turns in a row have."""
    running = _counted(turns[0])
    most = max(running, key=lambda entry: entry[1], default=None)
    for turn in turns[1:]:
        running = [
            (call, count + more) for call, count in running if (more := sum(_is_same(call, other) for other in turn))
        ]
        if not running:
            break
        most = max(running, key=lambda entry: entry[1])
    return Repeated(most[1], (most[0].name,)) if most else Repeated(0)


def _counted(turn: Sequence[Call]) -> list[tuple[Call, int]]:
    """The different calls of a turn, and how often it has each."""
    counts: list[tuple[Call, int]] = []
    for call in turn[:_MOST_CALLS]:
        for place, (known, count) in enumerate(counts):
            if _is_same(known, call):
                counts[place] = (known, count + 1)
                break
        else:
            counts.append((call, 1))
    return counts


def _cycles(turns: Sequence[Sequence[Call]], length: int) -> int:
    """How often the newest `length` turns have come in a row."""
    equal = 0
    while equal + length < len(turns) and _is_same_turn(turns[equal], turns[equal + length]):
        equal += 1
    return (equal + length) // length


def _is_same_turn(one: Sequence[Call], other: Sequence[Call]) -> bool:
    return len(one) == len(other) and all(map(_is_same, one, other))


def _is_same(one: Call, other: Call) -> bool:
    return (
        one.name == other.name
        and (one.arguments == other.arguments or _value(one.arguments) == _value(other.arguments))
        and (one.result == other.result or _steady(one.result) == _steady(other.result))
    )


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
