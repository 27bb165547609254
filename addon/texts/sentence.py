"""A sentence that is written in English and can be said in another language later."""

from __future__ import annotations

from typing import Self

from . import sentences


class Sentence(str):
    """A finished English sentence that knows its template and values.

    As text it is English, for JSON and comparisons; `in_language` says it again in the reader's language. A value may
    be a sentence too. Raises `KeyError` where the template has a name that isn't among the values.
    """

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        """`template` with `values` in its braces, as `str.format` puts them there."""
        sentence = super().__new__(cls, template.format(**values) if values else template)
        sentence.template, sentence.values = template, values
        return sentence


def in_language(language: str, text: str) -> str:
    """`text` in `language`: unchanged if it is no `Sentence`, such as a path or a command."""
    if not isinstance(text, Sentence):
        return text
    inner = {
        name: in_language(language, value) if isinstance(value, str) else value for name, value in text.values.items()
    }
    template = sentences.catalogue(language).get(text.template, text.template)
    return template.format(**inner) if inner else template
