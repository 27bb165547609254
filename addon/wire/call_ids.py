"""Ids of tool calls: no two calls of a conversation may have the same one.

An endpoint that counts its calls may begin anew in each turn. Claude Code drops a call whose id it knows, with its
result (docs/facts/kimi.md#clients).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import count
from typing import Final

MOST: Final = 2000
"""Ids of earlier calls that an answer is held against: the last ones."""
_NUMBER: Final = re.compile(r"(.*?)([0-9]{1,9})", re.DOTALL)
_COUNTED: Final = re.compile(r".{0,500}[:_.-][0-9]{1,6}", re.DOTALL)


def is_counted(id: str) -> bool:
    """Whether an id ends with a number, as `functions.look_up:0`, so that another call may get it, too."""
    return _COUNTED.fullmatch(id) is not None


def unused(id: str, taken: Collection[str]) -> str:
    """`id`, or where it is taken that with the next number: some models want the form of their own ids back."""
    if id not in taken:
        return id
    numbered = _NUMBER.fullmatch(id)
    stem, number = (numbered[1], int(numbered[2])) if numbered else (f"{id}_", 0)
    return next(new for place in count(number + 1) if (new := f"{stem}{place}") not in taken)
