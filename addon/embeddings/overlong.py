"""Texts that are too long for their embedding model: which, by how much, and how endpoints say so."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Final

from ..counting import text as counted
from ..exchange import Response
from ..wire import json_body

_SAFE: Final = 0.98
_SHRINK: Final = 0.9
_MOST_CUTS: Final = 50


def tokens(text: str) -> int:
    """About how many tokens `text` has: as likely too many as too few."""
    return round(counted.tokens(text) / counted.MARGIN)


def cut(text: str, limit: int) -> str:
    """The beginning of `text` that has at most `limit` tokens by an estimate that is hardly ever too low.

    In time by the length of the text. At least one character stays.
    """
    for _ in range(_MOST_CUTS):
        estimated = counted.tokens(text)
        if estimated <= limit or len(text) <= 1:
            return text
        text = text[: max(1, min(int(len(text) * limit / estimated * _SAFE), int(len(text) * _SHRINK)))]
    return text


def is_refusal(answer: Response) -> bool:
    """Whether an endpoint's error says that a text is too long."""
    if answer.status not in (400, 413, 422):
        return False
    error = (json_body.parse_object(answer.body) or {}).get("error")
    said = error if isinstance(error, dict) else {"message": error}
    vendor = said.get("vendor")  # a code may be there alone
    words = [said.get(name) for name in ("message", "code", "type")]
    words += [vendor.get(name) for name in ("message", "code")] if isinstance(vendor, dict) else []
    return _pattern().search(" ".join(map(str, words))) is not None


@cache
def _pattern() -> re.Pattern[str]:
    data = tomllib.loads(resources.files(__package__).joinpath("overlong.toml").read_text(encoding="utf-8"))
    return re.compile("|".join(f"(?:{one['says']})" for one in data["refusals"]), re.IGNORECASE)
