"""What the translation drops or rewords, for the person who reads the exchange."""

from __future__ import annotations

from typing import Final

MAX_LINES: Final = 500
"""Lines that one request gets, as many as an exchange lists: a small body can hold a million blocks."""


class Told:
    """Collects lines `[pointer, why]`: a JSON Pointer into the client's body, and one English line without content."""

    def __init__(self) -> None:
        self._lines: list[list[str]] = []
        self._left_off = 0
        self._counted: dict[str, tuple[str, int]] = {}
        """Why -> the first pointer and the number of places."""

    def say(self, pointer: str, why: str) -> None:
        """Tell of one place."""
        if len(self._lines) < MAX_LINES:
            self._lines.append([pointer, why])
        else:
            self._left_off += 1

    def count(self, pointer: str, why: str) -> None:
        """Tell of a place in one line with all others of the same `why`, which names neither place nor number."""
        first, number = self._counted.get(why, (pointer, 0))
        self._counted[why] = (first, number + 1)

    def lines(self) -> list[list[str]]:
        """All lines: those of one place in order, then those that were counted, then how many are left off."""
        counted = [
            [pointer, why if number == 1 else f"{why} ({number} places)"]
            for why, (pointer, number) in self._counted.items()
        ]
        rest = [["", f"{self._left_off} more changes of these kinds"]] if self._left_off else []
        return [*self._lines, *counted, *rest]
