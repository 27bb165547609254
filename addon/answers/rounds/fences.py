"""Code fences: whether a text ends inside of a block of code."""

from __future__ import annotations

import re
from typing import Final

_FENCE: Final = re.compile(r"^[ \t>]*(`{3,}|~{3,})([^\n]*)", re.MULTILINE)
"""A line with a fence, also one in a list or a quotation, and what stands behind it."""


def is_open(text: str) -> bool:
    """Whether the last block of code in `text` has no end. A fence of another kind, or a shorter one, ends none."""
    opened = ""
    for fence in _FENCE.finditer(text):
        mark, behind = fence[1], fence[2]
        if not opened:
            if "`" not in behind:  # else code within a line
                opened = mark
        elif mark.startswith(opened) and not behind.strip():
            opened = ""
    return bool(opened)
