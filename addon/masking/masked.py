"""A text without what it is not to tell: placeholders in the place of keys and numbers."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from ..wire import secret_shapes
from . import numbers
from .placeholders import FORM, MARK
from .settings import IDS, KEYS

_SHORTEST: Final = 8
"""Characters of the shortest value."""
_LONG: Final = 200
"""Characters of a text from which on it is worth knowing."""
_MOST_KNOWN: Final = 200_000
"""Of clean texts: about 20 MB."""
_MOST_LITERAL: Final = 10_000
"""Of what only looks like a placeholder, in one request."""
_BASE64: Final = re.compile(r";base64,[A-Za-z0-9+/=_-]*+")
"""The data of a file within a text: what looks like a value in it is none."""


class CleanTexts:
    """Long texts that have nothing to mask, and nothing that looks like a placeholder.

    They are known by Python's hash of them, which has a key of its process. A history is sent again with each turn, and
    looked through once. May be used by several threads.
    """

    def __init__(self) -> None:
        self._known: set[int] = set()

    def has(self, what: Collection[str], text: str) -> bool:
        """Whether `text` is known to have nothing of `what`."""
        return len(text) >= _LONG and hash((tuple(sorted(what)), text)) in self._known

    def add(self, what: Collection[str], text: str) -> None:
        """Take note of a text that has nothing of `what`."""
        if len(text) < _LONG:
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known = set()
        self._known.add(hash((tuple(sorted(what)), text)))


class _Value(NamedTuple):
    start: int
    end: int
    kind: str


class Masking:
    """Masks the texts of one request, and knows what it has masked.

    `what`: of `settings.KEYS`, `settings.IDS`. `placeholder(kind, value)` makes one. `values`: placeholder -> value, to
    which it adds. `clean`: the texts that are known to need no look. `literal`: as the attribute.
    """

    def __init__(
        self,
        what: Collection[str],
        placeholder: Callable[[str, str], str],
        values: dict[str, str],
        clean: CleanTexts | None = None,
        literal: set[str] | None = None,
    ) -> None:
        self._what, self._clean = what, clean if clean is not None else CleanTexts()
        self._keys, self._ids = KEYS in what, IDS in what
        self._placeholder = placeholder
        self.values = values
        self.literal = set() if literal is None else literal
        """What looks like a placeholder in the texts and has no value: documents about masking have such. Of a request
        with very many, the first ones."""
        self.counts: dict[str, int] = {}
        """Kind -> how many were masked."""

    def text(self, text: str, *, is_models: bool = False) -> tuple[str, list[str]]:
        """`text` as it may leave, and the kinds of what was masked in it, each once.

        `is_models`: the model said it. What looks like a placeholder there may be of its own making.
        """
        if len(text) < _SHORTEST or self._clean.has(self._what, text):
            return text, []
        looks_like = FORM.findall(text) if MARK in text else []
        if not is_models:
            self._note_literal(looks_like)
        found = self._found(text)
        if not found:
            if not looks_like:  # else it has to be seen again
                self._clean.add(self._what, text)
            return text, []
        pieces, place = [], 0
        for value in found:
            pieces += [text[place : value.start], self._masked(value.kind, text[value.start : value.end])]
            place = value.end
        return "".join([*pieces, text[place:]]), list(dict.fromkeys(value.kind for value in found))

    def number(self, number: int) -> tuple[str | int, list[str]]:
        """The same for a number of JSON; a text takes its place."""
        text, kinds = self.text(str(number))
        return (text, kinds) if kinds else (number, [])

    def _note_literal(self, looks_like: list[str]) -> None:
        for one in looks_like:
            if len(self.literal) >= _MOST_LITERAL:
                return
            if one not in self.values:
                self.literal.add(one)

    def _masked(self, kind: str, value: str) -> str:
        # A second look may find a value that has an earlier placeholder in it.
        value = FORM.sub(lambda known: self.values.get(known[0], known[0]), value)
        placeholder = self._placeholder(kind, value)
        self.values[placeholder] = value
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return placeholder

    def _found(self, text: str) -> list[_Value]:
        """What is to be masked, in its order; of values that overlap the first."""
        found: list[_Value] = []
        if self._keys:
            found += [
                _Value(one.start, one.end, "key")
                for one in secret_shapes.find(text, pieces=True)
                if FORM.fullmatch(text, one.start, one.end) is None  # `Bearer ` and a placeholder
            ]
        if self._ids:
            found += [_Value(*one) for one in numbers.find(text)]
        if not found:
            return found
        found.sort(key=lambda one: (one.start, -one.end))
        data = deque(one.span() for one in _BASE64.finditer(text)) if ";base64," in text else deque()
        kept: list[_Value] = []
        for one in found:
            while data and data[0][1] <= one.start:
                data.popleft()
            is_data = bool(data) and data[0][0] < one.end
            if not is_data and (not kept or one.start >= kept[-1].end):
                kept.append(one)
        return kept
