"""Texts made of marks' pieces, and a reading of marks that shares nothing with the addon's but their wording."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import strategies as st

from hunyuan_fix import texts

_FIELDS = (
    "moved_media",
    "missing_answer",
    "later_system",
    "orphan_tool",
    "unsupported_part",
    "folded",
    "image_description",
    "image_failed",
    "document",
    "document_failed",
)
MARKS = [
    mark
    for language in texts.LANGUAGES
    for field in _FIELDS
    for mark in re.findall(r"\[[^\[\]]*\]", getattr(texts.load(language), field))
]
_FILLED = [re.sub(r"\{\w+\}", "1", mark) for mark in MARKS]
_PIECES = sorted({mark[:cut] for mark in _FILLED for cut in (1, 2, len(mark) // 2, len(mark) - 1)} | set(_FILLED))
_ODD = [
    "[",
    "]",
    "［",
    "］",
    "【",
    "】",
    "〔",
    "〕",
    "\u200b",
    "\u2060",
    "\ufe0f",
    "\u0301",
    " ",
    "\n",
    "\0",
    "x",
    "{",
    "}",
    "{text}",
]

fragments = st.one_of(st.sampled_from(_FILLED), st.sampled_from(_PIECES), st.sampled_from(_ODD)).flatmap(
    lambda text: st.sampled_from([text, text.upper(), text[1:], text[:-1], "\u200b".join(text), f"[{text}]"])
)
hostile = st.lists(fragments, max_size=8).map("".join)
"""Marks whole and in pieces, nested, overlapping, with what can't be seen between."""


def marks_in(text: str) -> list[str]:
    """What a reader takes for marks in `text`: whole ones, however they are spelt."""
    plain = "".join(
        char
        for char in unicodedata.normalize("NFKC", text).replace("【", "[").replace("】", "]").casefold()
        if unicodedata.category(char) not in ("Cf", "Cc", "Zs", "Zl", "Zp", "Mn", "Me")
    )
    return re.findall("|".join(_READ), plain)


def _read(mark: str) -> str:
    """A pattern for a mark: no bracket inside, digits where it has a number."""
    plain = "".join(unicodedata.normalize("NFKC", mark).casefold().split())
    return re.sub(
        r"\\\{(\w+)\\\}",
        lambda hole: r"\d+" if hole[1] in ("number", "total", "count") else r"[^\[\]〔〕]*",
        re.escape(plain),
    )


_READ = [_read(mark) for mark in MARKS]
