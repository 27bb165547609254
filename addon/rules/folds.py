"""Folds: a conversation's oldest turns become the same text in many requests, which is kept and not made anew.

An agent sends its whole history with every request, and a fold ends at the same message over several turns. Written as
JSON and digested the turns cost a quarter of their folding. The same turns give the same text, so nobody can see
what was sent before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ..exchange import JsonObject
from ..texts import Texts
from .content import Content
from .unchanged import Unchanged


class Folds:
    """The latest folds that are text alone, by a digest of their turns; of no more than twice `MOST` characters.

    Those of a conversation whose first message was in a fold before: of most conversations a fold is made once.
    """

    MOST = 2_000_000

    def __init__(self) -> None:
        self._begun = Unchanged()
        """First messages of turns that were folded."""
        self._latest: dict[bytes, str] = {}
        self._older: dict[bytes, str] = {}
        self._size = 0

    def fold(self, turns: list[JsonObject], make: Callable[[list[JsonObject]], Content]) -> Content:
        """What `make` gives for `turns`, kept or made."""
        begun = Unchanged.key(turns[0])
        if begun not in self._begun:
            self._begun.add(begun)
            return make(turns)
        key = Unchanged.key(turns)
        if key is None:
            return make(turns)
        kept = self._latest.get(key) or self._older.get(key)
        if kept is not None:
            return kept
        made = make(turns)
        if isinstance(made, str):
            self._keep(key, made)
        return made

    def _keep(self, key: bytes, text: str) -> None:
        if len(text) > self.MOST:
            return
        if self._size + len(text) > self.MOST:
            self._older, self._latest, self._size = self._latest, {}, 0
        self._latest[key] = text
        self._size += len(text)


@cache
def of(texts: Texts) -> Folds:
    """The folds that were made with `texts`."""
    return Folds()
