"""Finds the known name that is most like a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The name among `known` that is most like `name`; `None` if none is close."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def alike(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The names among `known` that are like `name`, the most alike first; at most `most`."""
    return difflib.get_close_matches(name, list(known), n=most)


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a message about the unknown `name`: `; did you mean NAME?`, or nothing."""
    near = did_you_mean(name, known)
    return f"; did you mean {near}?" if near else ""
