"""Cuts stop texts off answers: the legacy endpoint leaves them at the end (1729/111007), OpenAI does not."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from ..wire import rule_names


def cut(text: str, stops: Sequence[str]) -> str:
    """`text` without the longest of `stops` at its end; all of `text` if none of them is there."""
    found = max((stop for stop in stops if stop and text.endswith(stop)), key=len, default="")
    return text.removesuffix(found)


class StopText:
    """`cut` for text in pieces.

    It holds back the longest end of the text that is a stop text or the beginning of one, and nothing more. The work
    for a piece depends on its length alone (Aho and Corasick, doi:10.1145/360825.360855): the held end is a node in the
    tree of all stop texts, and each further character leads from one node to another.
    """

    rule = rule_names.STOP
    why = "the stop text, which this endpoint includes, is cut off"

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._tree = _Tree(self._stops)
        self._node = _ROOT
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


_ROOT = 0


class _Tree:
    """A tree of all stop texts: a node for each beginning of one. `depth[node]` is its length in characters."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self.depth = [0]
        for stop in stops:
            node = _ROOT
            for character in stop:
                if character not in self._next[node]:
                    self._next[node][character] = len(self._next)
                    self._next.append({})
                    self.depth.append(self.depth[node] + 1)
                node = self._next[node][character]
        # For each node, the longest proper end of its text that is a node, too. Shorter nodes come first.
        self._shorter = [_ROOT] * len(self._next)
        waiting = deque(self._next[_ROOT].values())
        while waiting:
            node = waiting.popleft()
            for character, longer in self._next[node].items():
                self._shorter[longer] = self._step(self._shorter[node], character)
                waiting.append(longer)
        self._first = re.compile("[" + re.escape("".join(self._next[_ROOT])) + "]") if stops else None

    def after(self, node: int, text: str) -> int:
        """The node that `text` leads to from `node`: the longest at the end of the text of both."""
        place = 0
        while place < len(text):
            if node == _ROOT:
                found = self._first.search(text, place) if self._first else None
                if found is None:
                    return _ROOT
                place = found.start()
            node = self._step(node, text[place])
            place += 1
        return node

    def _step(self, node: int, character: str) -> int:
        while character not in self._next[node]:
            if node == _ROOT:
                return _ROOT
            node = self._shorter[node]
        return self._next[node][character]
