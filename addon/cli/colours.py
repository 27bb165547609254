"""Colours on a terminal."""

from __future__ import annotations

import os
import sys

BOLD, DIM, RED, GREEN, YELLOW, CYAN = 1, 2, 31, 32, 33, 36

_RESET = "\x1b[0m"


def colours_wanted() -> bool:
    """Whether standard output is a terminal that shows colours. NO_COLOR turns them off (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, *codes: int) -> str:
    """`text` with ANSI colour `codes`; unchanged where colours aren't wanted."""
    if not codes or not colours_wanted():
        return text
    return f"\x1b[{';'.join(map(str, codes))}m{text}{_RESET}"
