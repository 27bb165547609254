"""A row of the table: what a request must be for it to count, and what it sets."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..texts.terminal import say

CONDITIONS: Final = ("client", "program", "path", "tag", "kind", "model")
"""What a row can ask of a request."""
VALUES: Final = ("temperature", "top_p", "max_tokens", "effort")
"""What a row can set beside the model and the system text."""

type Kind = Literal["main", "subagent", "helper", "embeddings"]
KINDS: Final[tuple[Kind, ...]] = ("main", "subagent", "helper", "embeddings")
"""Kinds of calls (`kinds`)."""
EMBEDDINGS: Final = "embeddings"


class Pattern:
    """A text in which `*` stands for any characters and `?` for one. `lowers`: it is in lower case."""

    __slots__ = ("_regex", "is_literal", "text")

    def __init__(self, text: str, *, lowers: bool = False) -> None:
        self.text = text.lower() if lowers else text
        self.is_literal = not any(mark in text for mark in "*?")
        self._regex = re.compile(fnmatch.translate(self.text.replace("[", "[[]")))

    def fits(self, value: str) -> bool:
        """Whether `value` is what the pattern says."""
        return value == self.text if self.is_literal else self._regex.match(value) is not None

    def covers(self, other: Pattern) -> bool:
        """Whether everything that fits `other` surely fits this."""
        if self.text == other.text or not self.text.strip("*"):
            return True
        return other.is_literal and self.fits(other.text)


@dataclass(frozen=True, slots=True)
class SystemText:
    """A system text that a row gives."""

    text: str
    role: Literal["system", "developer"] = "system"
    place: Literal["missing", "before"] = "missing"
    """`missing`: only where the request has no system text. `before`: before that of the request, too."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. Every condition of `when` must hold, and of each one of its patterns."""

    number: int
    """From 1 on."""
    name: str = ""
    when: Mapping[str, Sequence[Pattern]] = field(default_factory=dict)
    model: str = ""
    """The model that answers; `""`: the one that the request asks for."""
    default: Mapping[str, Any] = field(default_factory=dict)
    """Values of `VALUES` that count where the request says nothing."""
    force: Mapping[str, Any] = field(default_factory=dict)
    """Those that count whatever the request says."""
    system: SystemText | None = None

    @property
    def label(self) -> str:
        """The row, for a person: its number, and its name or its conditions."""
        said = self.name or ", ".join(
            f"{condition} {' or '.join(pattern.text for pattern in patterns)}"
            for condition, patterns in self.when.items()
        )
        return f"{self.number} ({said})" if said else str(self.number)

    @property
    def is_for_embeddings(self) -> bool:
        """Whether embeddings requests are among those that it is for: they have to be named."""
        return any(pattern.text == EMBEDDINGS for pattern in self.when.get("kind", ()))

    def line(self) -> str:
        """What it says, for a person, in the words of the file."""
        sets = [f"model {self.model}"] if self.model else []
        sets += [f"{key} {value} (default)" for key, value in self.default.items()]
        sets += [f"{key} {value} (force)" for key, value in self.force.items()]
        if self.system is not None:
            sets.append(f"system text ({self.system.role}, {self.system.place})")
        return f"{self.label} → {', '.join(sets)}"


def hidden_by(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows that no request can reach, each with the earlier row that takes all of its requests."""
    found = []
    checks = iter(range(_MOST_CHECKS))
    for place, row in enumerate(rows):
        earlier = next((other for other in rows[:place] if _takes_all(other, row, checks)), None)
        if earlier is not None:
            found.append((row, earlier))
    return found


_MOST_CHECKS: Final = 20_000
"""Patterns that are held against each other, some 10 ms in all: with more, later rows aren't looked at."""


def unreachable(rows: Sequence[Row]) -> list[str]:
    """A line for each row that no request can reach."""
    return [
        say(
            "hunyuan_model_map: no request reaches row {row}: row {earlier} takes all of them.",
            row=row.label,
            earlier=earlier.label,
        )
        for row, earlier in hidden_by(rows)
    ]


def _takes_all(earlier: Row, row: Row, checks: Iterator[int]) -> bool:
    """Whether every request that `row` is for is taken by `earlier`. `checks` runs out where that takes too long."""
    if row.is_for_embeddings and not earlier.is_for_embeddings:
        return False
    return all(
        condition in row.when
        and all(
            any(next(checks, None) is not None and one.covers(other) for one in patterns)
            for other in row.when[condition]
        )
        for condition, patterns in earlier.when.items()
    )
