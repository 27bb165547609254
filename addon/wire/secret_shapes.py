"""Keys in a text, known by what they look like (`secret_shapes.toml`). Pure, and linear in the text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a text: from `start` to before `end`. `name`: what it is, in English."""

    start: int
    end: int
    name: str


def hidden(text: str, write: Callable[[Secret], str] = lambda found: f"[{found.name} hidden]") -> str:
    """`text` with what `write` makes of it in the place of each secret; JSON stays JSON."""
    found = find(text)
    if not found:
        return text
    pieces, place = [], 0
    for secret in found:
        pieces += [text[place : secret.start], write(secret)]
        place = secret.end
    return "".join([*pieces, text[place:]])


def find(text: str, *, pieces: bool = False) -> list[Secret]:
    """The secrets in `text`, in their order; of those that overlap the first.

    `pieces`: of a secret that has lines, such as a private key, each is one.
    """
    found = sorted(_all(text, pieces), key=lambda secret: (secret.start, -secret.end))
    kept: list[Secret] = []
    for secret in found:
        if not kept or secret.start >= kept[-1].end:
            kept.append(secret)
    return kept


def _all(text: str, pieces: bool) -> Iterator[Secret]:
    for name, begins, shape, parts in _shapes():
        for word in begins:
            place = text.find(word)
            while place >= 0:
                match = shape.match(text, place)
                if match is not None:
                    start, end = match.span(shape.groups)
                    if pieces and parts is not None:
                        yield from (Secret(*part.span(1), name) for part in parts.finditer(text, start, end))
                    else:
                        yield Secret(start, end, name)
                place = text.find(word, match.end() if match is not None else place + len(word))


_START = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"
"""What `<start>` stands for."""


@cache
def _shapes() -> list[tuple[str, tuple[str, ...], re.Pattern[str], re.Pattern[str] | None]]:
    data = resources.files(__package__).joinpath("secret_shapes.toml").read_text(encoding="utf-8")
    listed: list[dict[str, Any]] = tomllib.loads(data)["secret"]
    return [
        (
            row["name"],
            tuple(row["begins"]),
            re.compile(row["shape"].replace("<start>", _START)),
            re.compile(row["pieces"]) if "pieces" in row else None,
        )
        for row in listed
    ]
