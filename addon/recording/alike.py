"""What a text says whatever the day: without dates, temporary names, commits (`alike.toml`). Pure, and linear."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

from ..wire import volatile

_FOLDER: Final = "⟦folder⟧"
_FOLDERS: Final = re.compile(
    r"⟦(?:cwd|home|tmp)(?::[a-z]{1,5})?⟧|(?<![A-Za-z0-9_.~}*-])/(?:private/|var/)?tmp(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
)
"""Placeholders of `places`, and the usual folder for temporary files, which texts name that know no other."""


def alike(text: str) -> str:
    """`text` with names of kinds, such as `⟨time⟩`, in the place of what differs from run to run."""
    rows = _rows()
    for span in rows.spans:
        if span.begins in text:
            text = volatile.emptied(text, *span)
    return rows.shapes.sub(lambda found: rows.kinds[found.lastindex or 0], _FOLDERS.sub(_FOLDER, text))


def value(given: Any) -> Any:
    """A copy of JSON with `alike` of its texts."""
    if isinstance(given, str):
        return alike(given)
    if isinstance(given, list):
        return [value(item) for item in given]
    if isinstance(given, dict):
        return {name: value(item) for name, item in given.items()}
    return given


class _Span(NamedTuple):
    begins: str
    ends: str
    most: int


class _Rows(NamedTuple):
    spans: tuple[_Span, ...]
    shapes: re.Pattern[str]
    """All shapes, each a group."""
    kinds: tuple[str, ...]
    """What stands for each, by the number of its group."""


@cache
def _rows() -> _Rows:
    data = tomllib.loads(resources.files(__package__).joinpath("alike.toml").read_text(encoding="utf-8"))
    shapes = "|".join(f"({row['shape']})" for row in data["shape"])
    return _Rows(
        tuple(_Span(row["begins"], row["ends"], row["most"]) for row in data["span"]),
        re.compile(rf"(?<![A-Za-z0-9])(?:{shapes})(?![A-Za-z0-9])"),
        ("", *(f"⟨{row['name']}⟩" for row in data["shape"])),
    )
