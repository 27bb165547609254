"""Sentences of the scripts in the user's language, before there is an environment: standard library only.

`say.sh` reads the same table for bash and chooses the language. Everything that is installed says its sentences by
`hunyuan_fix.texts.sentences`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("zh.toml")


@cache
def chinese() -> dict[str, str]:
    """English template -> Chinese template."""
    return tomllib.loads(TABLE.read_text("utf-8"))


def said(language: str, template: str, /, **values: object) -> str:
    """`template` in `language` (`zh` or `en`), with `values` in its braces."""
    return (chinese().get(template, template) if language == "zh" else template).format(**values)
