"""What a continued answer says twice: the end of the text so far, at the beginning of the next round.

A model that is told in words to go on repeats the last words now and then. They are found as the longest end of the
text so far with which the new text begins. One or two characters are no repetition: `the` goes on as `there` does.
"""

from __future__ import annotations

from typing import Final

WINDOW: Final = 4096
"""Characters of the text so far that are compared: so much of the new text is held back at most."""
_LEAST: Final = 3
"""Characters that may be a repetition, where they begin a word."""
_SURE: Final = 8
"""Characters that are one wherever they begin."""
_CJK: Final = "\u2e80"
"""From here on scripts have no spaces between words, so that a word may begin anywhere."""


def overlap(before: str, after: str) -> int:
    """How many characters at the beginning of `after` repeat the end of `before`. Takes linear time."""
    before = before[-WINDOW:]
    sought = after[: len(before)]
    if not sought:
        return 0
    # Knuth, Morris and Pratt: the automaton of `sought` runs over `before`; its last state is the longest candidate.
    shorter = _borders(sought)
    state = 0
    for character in before:
        while state and (state == len(sought) or sought[state] != character):
            state = shorter[state - 1]
        if sought[state] == character:
            state += 1
    while state and not _is_repetition(before, state):
        state = shorter[state - 1]
    return state


class Overlap:
    """The same for a text that comes piece by piece: held back until it is known what it repeats."""

    def __init__(self, before: str) -> None:
        self._before = before[-WINDOW:]
        self._held = ""
        self._is_decided = not before

    @property
    def is_decided(self) -> bool:
        """Whether all further text passes."""
        return self._is_decided

    def feed(self, text: str) -> str:
        """Take the next piece, and return what may pass now."""
        if self._is_decided:
            return text
        self._held += text
        # While all of it stands in the text so far with more behind it, the repetition may be longer still.
        at = self._before.find(self._held)
        if 0 <= at < len(self._before) - len(self._held):
            return ""
        return self.finish()

    def finish(self) -> str:
        """What is held back and no repetition, where no more text comes."""
        held, self._held, self._is_decided = self._held, "", True
        return held[overlap(self._before, held) :]


def _borders(text: str) -> list[int]:
    """For each beginning of `text`: the length of its longest end that is a beginning, too, and shorter."""
    found = [0] * len(text)
    length = 0
    for place in range(1, len(text)):
        while length and text[place] != text[length]:
            length = found[length - 1]
        if text[place] == text[length]:
            length += 1
        found[place] = length
    return found


def _is_repetition(before: str, length: int) -> bool:
    """Whether the last `length` characters of `before`, said again, are more than chance."""
    said = before[-length:]
    if length < _LEAST or said == said[0] * length:
        return False  # a run, as of blanks, zeros or dashes, goes on as it began
    if length >= _SURE:
        return True
    if sum(map(_is_of_word, said)) < _LEAST:
        return False
    previous = before[-length - 1 : -length]
    return not (previous and _is_of_word(previous) and _is_of_word(said[0])) or said[0] >= _CJK


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_"
