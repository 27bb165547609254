"""The tables of docs/rules.md, made from the rules: `python -m hunyuan_fix.rules.page [FILE]` writes them anew.

In the page each table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; all else is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

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


def filled(page: str) -> str:
    """`page` with every table made anew. Raises `KeyError` for a table that is not in `TABLES`."""
    return _TABLE.sub(lambda found: found[1] + _table(TABLES[found[2]]()) + found[3], page)


def _table(explanations: Mapping[str, Explanation]) -> str:
    with_files = any(explanation.file for explanation in explanations.values())
    columns = ["name", *(["file in addon/"] if with_files else []), "what it repairs", "why"]
    rows = [columns, ["---"] * len(columns)]
    for name, explanation in explanations.items():
        file = [f"`{explanation.file}`" if explanation.file else "–"] if with_files else []
        rows.append([f"`{name}`", *file, _cell(explanation.repairs), _cell(explanation.why)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("| --- ", "|---").replace("|--- |", "|---|")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/rules.md")
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
