"""Cuts stop texts off answers: the legacy endpoint leaves them at the end (1729/111007), OpenAI does not."""

from __future__ import annotations

from collections.abc import Sequence

from ..wire import rule_names
from ..wire.text_search import ROOT, SearchTree


def cut(text: str, stops: Sequence[str]) -> str:
    """`text` without the longest of `stops` at its end; all of `text` if none of them is there."""
    found = max((stop for stop in stops if stop and text.endswith(stop)), key=len, default="")
    return text.removesuffix(found)


class StopText:
    """`cut` for text in pieces.

    It holds back the longest end of the text that is a stop text or the beginning of one, and nothing more. The work
    for a piece depends on its length alone: the held end is a node in the tree of all stop texts, and each further
    character leads from one node to another.
    """

    rule = rule_names.STOP
    why = "the stop text, which this endpoint includes, is cut off"

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._tree = SearchTree(self._stops)
        self._node = ROOT
        self._ended = False
        self.held = ""
        self.changed = False

    def feed(self, text: str) -> str:
        """Add the next piece, and return the text that can't be part of a stop text any more."""
        if self._ended:
            return text
        self._node = self._tree.after(self._node, text)
        text = self.held + text
        out = len(text) - self._tree.depth[self._node]
        self.held = text[out:]
        return text[:out]

    def end(self, finish_reason: str | None) -> str:
        """End the text, and return the rest of it: without its stop text if the reason is `stop`.

        Pieces that are added later pass unchanged.
        """
        text = cut(self.held, self._stops) if finish_reason == "stop" else self.held
        self.changed = self.changed or text != self.held
        self.held = ""
        self._ended = True
        return text
