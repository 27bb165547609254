"""Finds any of some texts in a text that comes in pieces, in time linear to the pieces."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Final

ROOT: Final = 0
"""The node where a search begins."""


class SearchTree:
    """A tree of all the texts: a node for each beginning of one (Aho and Corasick, doi:10.1145/360825.360855).

    `depth[node]` is the length of that beginning in characters. Empty texts are never found.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self.depth = [0]
        self._found = [""]
        """For each node, the longest of the texts that its beginning ends with; "" for none."""
        for text in texts:
            node = ROOT
            for character in text:
                if character not in self._next[node]:
                    self._next[node][character] = len(self._next)
                    self._next.append({})
                    self.depth.append(self.depth[node] + 1)
                    self._found.append("")
                node = self._next[node][character]
            self._found[node] = text
        # For each node, the longest proper end of its beginning that is a node, too. Shorter nodes come first.
        self._shorter = [ROOT] * len(self._next)
        waiting = deque(self._next[ROOT].values())
        while waiting:
            node = waiting.popleft()
            self._found[node] = self._found[node] or self._found[self._shorter[node]]
            for character, longer in self._next[node].items():
                self._shorter[longer] = self._step(self._shorter[node], character)
                waiting.append(longer)
        first = "".join(self._next[ROOT])
        self._first = re.compile(f"[{re.escape(first)}]") if first else None

    def after(self, node: int, text: str) -> int:
        """The node that `text` leads to from `node`: the longest at the end of the text of both."""
        place = 0
        while place < len(text):
            node, place, _ = self.find(node, text, place)
        return node

    def find(self, node: int, text: str, place: int = 0) -> tuple[int, int, str]:
        """The first of the texts that ends in `text` behind `place`, where the search stands at `node`.

        Returns the node reached, the place behind the text that was found, and that text, the longest that ends there;
        without one, the node at the end of `text`, its length and "".
        """
        while place < len(text):
            if node == ROOT:
                begins = self._first.search(text, place) if self._first else None
                if begins is None:
                    return ROOT, len(text), ""
                place = begins.start()
            node = self._step(node, text[place])
            place += 1
            if self._found[node]:
                return node, place, self._found[node]
        return node, place, ""

    def _step(self, node: int, character: str) -> int:
        while character not in self._next[node]:
            if node == ROOT:
                return ROOT
            node = self._shorter[node]
        return self._next[node][character]
