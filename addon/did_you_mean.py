"""Finds the known name that is most like a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .texts.terminal import say


def did_you_mean(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name among `known` that is most like `name`, whatever its case; `None` if none is close.

    `likeness`: how much of the two must be the same, from 0 to 1.
    """
    return next(iter(alike(name, known, 1, likeness)), None)


def alike(name: str, known: Iterable[str], most: int = 3, likeness: float = 0.6) -> list[str]:
    """The names among `known` that are like `name`, whatever its case, the most alike first; at most `most`."""
    spelt = {one.casefold(): one for one in known}
    return [spelt[one] for one in difflib.get_close_matches(name.casefold(), list(spelt), n=most, cutoff=likeness)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a message about the unknown `name`: `; did you mean NAME?`, or nothing."""
    near = did_you_mean(name, known)
    return say("; did you mean {near}?", near=near) if near else ""
