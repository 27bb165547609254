"""The tables of docs/options.md and its Chinese twin, made from the options: `python -m scripts.lib.options_page`.

In the pages each table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; all else is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from hunyuan_fix.config import environment
from hunyuan_fix.config.option import Option
from hunyuan_fix.config.subjects import subjects
from hunyuan_fix.config.values import accepted_by
from hunyuan_fix.options import OPTIONS
from hunyuan_fix.texts import sentences

_DOCS = Path(__file__).parents[2] / "docs"
PAGES: Mapping[str, Path] = MappingProxyType({"en": _DOCS / "options.md", "zh": _DOCS / "options.zh-CN.md"})
"""By language."""

_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_HEADS: Mapping[str, Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "en": {"options": ("option", "default", "accepted", "meaning"), "variables": ("variable", "meaning")},
        "zh": {"options": ("选项", "默认", "可用的值", "说明"), "variables": ("变量", "说明")},
    }
)


def filled(page: str, language: str) -> str:
    """`page` with every table made anew in `language`. Raises `KeyError` for a table or an option that isn't known."""
    return _TABLE.sub(lambda found: found[1] + "".join(_table(found[2], language)) + found[3], page)


def _table(name: str, language: str) -> Iterator[str]:
    if name == "variables":
        yield from _head(_HEADS[language]["variables"])
        for variable, meaning in environment.OTHERS.items():
            yield _row(f"`{variable}`", sentences.said(language, meaning))
        return
    options: Mapping[str, Option] = {option.field: option for option in OPTIONS}
    yield from _head(_HEADS[language]["options"])
    for field in subjects()[name].fields:
        option = options[field]
        accepted = sentences.translated(language, accepted_by(option.read))
        yield _row(f"`{option.name}`", default(option), accepted, sentences.said(language, option.help))


def default(option: Option) -> str:
    """The default of an option, as a file would have it; a dash for an empty one."""
    if isinstance(option.default, bool):
        return f"`{str(option.default).lower()}`"
    return f"`{option.default}`" if option.default else "–"


def _head(columns: Sequence[str]) -> Iterator[str]:
    yield _row(*columns)
    yield "|---" * len(columns) + "|\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(re.sub(r'(?<!`)([|*])', r'\\\1', cell) for cell in cells)} |\n"


if __name__ == "__main__":
    for language, path in PAGES.items():
        path.write_text(filled(path.read_text(encoding="utf-8"), language), encoding="utf-8")
