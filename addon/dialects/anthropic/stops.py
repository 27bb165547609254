"""Stop sequences: a text ends before the first one in it, also where the endpoint was not sent it, or ignores it.

Chat takes four stop texts (docs/facts/tokenhub.md#parameters), Anthropic's API any number.
"""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from ...wire.text_search import ROOT, SearchTree

_MOST: Final = 100
_LONGEST: Final = 1000
"""Sequences, and characters of one, that are looked for here. What is more is left to the endpoint."""


class StopSequences:
    """The stop sequences of a request, looked for in a text that comes in pieces. It takes linear time."""

    def __init__(self, note: JsonObject) -> None:
        given = note.get("stop_sequences")
        texts = [text for text in given if isinstance(text, str)] if isinstance(given, list) else []
        self.wanted = [text for text in texts if 0 < len(text) <= _LONGEST][:_MOST]
        self.found: str | None = None
        """The sequence that ended the text."""
        self._tree = SearchTree(self.wanted) if self.wanted else None
        self._node = ROOT
        self._held = ""

    def feed(self, text: str) -> str:
        """Add the next piece, and return the text that can't be part of a stop sequence; none once one was found."""
        if self._tree is None:
            return text
        if self.found is not None:
            return ""
        self._node, place, found = self._tree.find(self._node, text)
        before, text = len(self._held), self._held + text
        if found:
            self.found, self._held = found, ""
            return text[: before + place - len(found)]
        out = len(text) - self._tree.depth[self._node]
        self._held = text[out:]
        return text[:out]

    def end(self) -> str:
        """The text that was held back, since it might have become a stop sequence: something else follows it."""
        held, self._held, self._node = self._held, "", ROOT
        return held
