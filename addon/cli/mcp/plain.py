"""What an admin server of any version answered, read without trust: a field of another type counts as missing."""

from __future__ import annotations

import math
from typing import Any, Final

from ...exchange import JsonObject
from ...wire import safe_text

LONGEST: Final = 300
"""Characters of a text that is shown."""


def record(value: object) -> JsonObject:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: object) -> list[JsonObject]:
    """The objects in a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object, most: int = LONGEST) -> str:
    """A text on one line, without control characters, of `most` characters at most; `""` for anything else."""
    return safe_text.line(value, most) if isinstance(value, str) else ""


def texts(value: object, most: int = 20) -> list[str]:
    """The texts in a list."""
    found = [text(one) for one in value[:most]] if isinstance(value, list) else []
    return [one for one in found if one]


def number(value: Any) -> float:
    """A number; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        found = float(value)
    except OverflowError:
        return 0.0
    return found if math.isfinite(found) else 0.0


def whole(value: Any) -> int:
    """A whole number; 0 for anything else."""
    return int(number(value))


def counts(value: object) -> dict[str, int]:
    """The numbers in an object, by name."""
    return {text(name, 40): whole(one) for name, one in record(value).items() if whole(one)}
