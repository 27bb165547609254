"""Thoughts that a model writes into its text between think tags, at the beginning of an answer."""

from __future__ import annotations

from typing import Final

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


def is_all(text: str) -> bool:
    """Whether `text` is a thought, and nothing behind it."""
    begun = text.lstrip()
    return begun.startswith(_OPEN) and not begun.partition(_CLOSE)[2].strip()


class Thoughtless:
    """A text without the thought that it begins with, piece by piece.

    In a further round it would stand in the middle of the answer. One without an end is all that there is of its text.
    """

    def __init__(self) -> None:
        self._held: str | None = ""
        """`None`: all further text passes."""
        self._is_within = False

    def feed(self, text: str) -> str:
        """Take the next piece, and return what may pass now."""
        if self._held is None:
            return text
        self._held += text
        if not self._is_within:
            begun = self._held.lstrip()
            if len(begun) < len(_OPEN) and _OPEN.startswith(begun):
                return ""
            if not begun.startswith(_OPEN):
                return self.finish()
            self._is_within, self._held = True, begun[len(_OPEN) :]
        _, closed, behind = self._held.partition(_CLOSE)
        if closed:
            self._held = behind.lstrip("\r\n")
            if not self._held:
                self._held, self._is_within = "", False
                return ""
            return self._passed()
        self._held = self._held[-len(_CLOSE) :]
        return ""

    def finish(self) -> str:
        """What is held back and no thought, where no more text comes."""
        return "" if self._is_within else self._passed()

    def _passed(self) -> str:
        held, self._held, self._is_within = self._held or "", None, False
        return held
