"""The tables of docs/rules.md and its Chinese twin, made from the rules: `python -m hunyuan_fix.rules.page`.

In the page each table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; all else is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..texts import sentences
from . import explained
from .explained import Explanation

_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

TABLES: dict[str, Callable[[], Mapping[str, Explanation]]] = {
    "paths": lambda: explained.PATHS,
    "bytes": lambda: explained.BYTES,
    "formats": lambda: explained.FORMATS,
    "chat": explained.chat,
    "embeddings": explained.embeddings_requests,
    "refusals": lambda: explained.REFUSALS,
    "answers": lambda: explained.ANSWERS,
}
"""By the name that stands in the page."""


PAGES = {"docs/rules.md": "en", "docs/rules.zh-CN.md": "zh"}
"""The pages, and their languages."""


def filled(page: str, language: str = "en") -> str:
    """`page` with every table made anew. Raises `KeyError` for a table that is not in `TABLES`."""
    return _TABLE.sub(lambda found: found[1] + _table(TABLES[found[2]](), language) + found[3], page)


def _table(explanations: Mapping[str, Explanation], language: str) -> str:
    with_files = any(explanation.file for explanation in explanations.values())
    file_column = [sentences.said(language, "file in addon/")] if with_files else []
    columns = [
        sentences.said(language, "name"),
        *file_column,
        sentences.said(language, "what it repairs"),
        sentences.said(language, "why"),
    ]
    rows = [columns, ["---"] * len(columns)]
    for name, given in explanations.items():
        explanation = given.in_language(language)
        file = [f"`{explanation.file}`" if explanation.file else "–"] if with_files else []
        rows.append([f"`{name}`", *file, _cell(explanation.repairs), _cell(explanation.why)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("| --- ", "|---").replace("|--- |", "|---|")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for name, language in PAGES.items():
        path = Path(name)
        path.write_text(filled(path.read_text(encoding="utf-8"), language), encoding="utf-8")
