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
from functools import cache
from importlib import resources
from types import MappingProxyType

SOURCE = "en"
"""The language that stands in the code."""

_HOLE = re.compile(r"\{(\w+)(?:[:!][^{}]*)?\}")
_DATA = frozenset({"file", "host", "key", "model", "name", "names", "path", "role", "tool", "type", "url"})
"""Names in braces that stand for a thing's own name: it is no sentence, though it may read like one ("reasoning")."""
_BETWEEN = "; "
_DEEPEST = 3
"""Sentences within sentences, as a reason within an error."""


def said(language: str, template: str, /, **values: object) -> str:
    """`template` in `language`, with `values` in its braces as `str.format` puts them there.

    A value that is itself a sentence is translated too, unless it is a name (`_DATA`). English where there is no
    translation. Raises `KeyError` where the template has a name that isn't among `values`.
    """
    if language == SOURCE:
        return template.format(**values) if values else template
    translated = catalogue(language).get(template, template)
    if not values:
        return translated
    return translated.format(**{name: _translated(language, name, value) for name, value in values.items()})


def translated(language: str, text: str, depth: int = 0) -> str:
    """The finished English `text` in `language`: a reason of a change, whose template and values are not kept.

    Of the templates that fit, the one with the most text of its own counts. What fits none stays English.
    """
    if language == SOURCE or not text:
        return text
    sentences = catalogue(language)
    if text in sentences:
        return sentences[text]
    if depth >= _DEEPEST:
        return text
    for template, pattern in _patterns(language):
        if found := pattern.fullmatch(text):
            values = {name: _translated(language, name, value, depth + 1) for name, value in found.groupdict().items()}
            return _HOLE.sub(r"{\1}", sentences[template]).format(**values)  # values are written out already
    # Several reasons of one change stand in one line.
    several = [translated(language, one, depth + 1) for one in text.split(_BETWEEN)]
    return text if several == text.split(_BETWEEN) else "；".join(several)


def _translated(language: str, name: str, value: object, depth: int = 0) -> object:
    return translated(language, value, depth) if isinstance(value, str) and name not in _DATA else value


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


@cache
def _patterns(language: str) -> list[tuple[str, re.Pattern[str]]]:
    """Each template with names in braces, and what its texts look like; those with the most text of their own first."""
    templates = [template for template in catalogue(language) if _HOLE.search(template)]
    templates.sort(key=lambda template: len(_HOLE.sub("", template)), reverse=True)
    return [(template, _pattern(template)) for template in templates if _HOLE.sub("", template).strip()]


def _pattern(template: str) -> re.Pattern[str]:
    pieces, names = _HOLE.split(template), set()
    pattern = ""
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            pattern += re.escape(piece.replace("{{", "{").replace("}}", "}"))
        elif piece in names:
            pattern += f"(?P={piece})"
        else:
            names.add(piece)
            pattern += f"(?P<{piece}>.+?)" if number < len(pieces) - 2 or pieces[-1] else f"(?P<{piece}>.+)"
    return re.compile(pattern, re.DOTALL)
