"""Sentences for people, in their language: in the terminal, the log, errors, views and reasons of changes.

The English sentence stands in the code, where it is said, and is the key of its translation in `LANGUAGE/ROOM.toml`:

    "Port {port} on {host} is taken." = "{host} 的端口 {port} 已被占用。"

`tests/texts/test_sentences.py` holds that every sentence is there, with the same names in braces, and no other.
Texts that are put into conversations are others: `texts.Texts`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

SOURCE = "en"
"""The language that stands in the code."""

_HOLE = re.compile(r"\{(\w+)(?:[:!][^{}]*)?\}")
_DATA = frozenset({"file", "host", "key", "model", "name", "names", "path", "role", "tool", "type", "url"})
"""Names in braces that stand for a thing's own name: it is no sentence, though it may read like one ("reasoning")."""
_BETWEEN = "; "
_MOST = 20
"""Reasons of one text that are translated one by one."""
_DEEPEST = 3
"""Sentences within sentences, as a reason within an error."""
_LONGEST = 4000
"""Characters. A longer text is none of ours, and to look for it among all templates would take long."""


def said(language: str, template: str, /, **values: object) -> str:
    """`template` in `language`, with `values` in its braces as `str.format` puts them there.

    A value that is itself a sentence is translated too; a single word and the value of a name in `_DATA` are no
    sentences. English where there is no translation. Raises `KeyError` where the template has a name that isn't among
    `values`.
    """
    if language == SOURCE:
        return template.format(**values) if values else template
    translated = catalogue(language).get(template, template)
    if not values:
        return translated
    return translated.format(**{name: _translated(language, name, value) for name, value in values.items()})


def translated(language: str, text: str, depth: int = 0) -> str:
    """The finished English `text` in `language`: a reason of a change, whose template and values are not kept.

    Of the templates that fit, the one with the most text of its own counts. What fits none stays English. Takes time
    in proportion to the text, whatever it says: values are from clients and endpoints.
    """
    if language == SOURCE or not text or len(text) > _LONGEST:
        return text
    sentences = catalogue(language)
    if text in sentences:
        return sentences[text]
    if depth >= _DEEPEST:
        return text
    for shape in _shapes(language):
        if (found := shape.values_in(text)) is not None:
            values = {name: _translated(language, name, value, depth + 1) for name, value in found.items()}
            return _HOLE.sub(r"{\1}", sentences[shape.template]).format(**values)  # values are written out already
    # Several reasons of one change stand in one line.
    reasons = text.split(_BETWEEN, _MOST - 1)
    several = [translated(language, reason, depth + 1) for reason in reasons] if len(reasons) > 1 else reasons
    return text if several == reasons else "；".join(several)


def _translated(language: str, name: str, value: object, depth: int = 0) -> object:
    is_sentence = isinstance(value, str) and " " in value and name not in _DATA
    return translated(language, str(value), depth) if is_sentence else value


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English template -> template in `language`; empty for English and for a language that has no translations."""
    sentences: dict[str, str] = {}
    folder = resources.files(__name__).joinpath(language)
    files = [file for file in folder.iterdir() if file.name.endswith(".toml")] if folder.is_dir() else []
    for file in sorted(files, key=lambda file: file.name):
        for english, other in tomllib.loads(file.read_text(encoding="utf-8")).items():
            sentences.setdefault(english, other)
    return MappingProxyType(sentences)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the texts of a template look like."""

    template: str
    names: tuple[str, ...]
    """Those in braces, in their order."""
    around: tuple[str, ...]
    """What stands before, between and behind them."""

    @property
    def own(self) -> int:
        """Characters of its own."""
        return sum(map(len, self.around))

    def values_in(self, text: str) -> dict[str, str] | None:
        """What stands for each name in `text`, one character at least; `None` if `text` isn't made of this template.

        Each name but the last takes as little as possible. No regular expression does this in linear time.
        """
        first, last = self.around[0], self.around[-1]
        if not (text.startswith(first) and text.endswith(last)):
            return None
        at, end = len(first), len(text) - len(last)
        values: dict[str, str] = {}
        for name, behind in zip(self.names, (*self.around[1:-1], None), strict=True):
            found = end if behind is None else text.find(behind, at + 1, end)
            if found <= at or values.setdefault(name, text[at:found]) != text[at:found]:
                return None
            at = found + len(behind or "")
        return values


@cache
def _shapes(language: str) -> list[_Shape]:
    """The shape of each template with names in braces; those with the most text of their own first."""
    shapes = []
    for template in catalogue(language):
        pieces = _HOLE.split(template)
        around = [piece.replace("{{", "{").replace("}}", "}") for piece in pieces[::2]]
        if len(around) > 1 and "".join(around).strip():
            shapes.append(_Shape(template, tuple(pieces[1::2]), tuple(around)))
    return sorted(shapes, key=lambda shape: shape.own, reverse=True)
