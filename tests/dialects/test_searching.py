"""Where an answer cites pages."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.searching import citations

MARKS = re.compile(r"(?:[ \u3000]?\[[1-9]\])+")


class Counted(str):
    """A text that says how many of its characters were looked through for fences."""

    __slots__ = ()
    looked = 0

    def count(self, sub: str, start: int = 0, end: int | None = None, /) -> int:  # type: ignore[override]
        Counted.looked += (len(self) if end is None else end) - start
        return super().count(sub, start, end)


@given(st.lists(st.sampled_from(["It rains", " [1]", "[2]", "```", "\n", "`", "``", "a[1]"])))
def test_a_mark_between_fences_is_an_index(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = [mark.start() for mark in citations(text, MARKS)]
    assert found == [mark.start() for mark in MARKS.finditer(text) if not text.count("```", 0, mark.start()) % 2]


def test_a_text_is_looked_through_once() -> None:
    text = Counted("It rains [1]. " * 1000)
    Counted.looked = 0
    assert len(list(citations(text, MARKS))) == 1000
    assert Counted.looked <= len(text)
