"""What a tool answers: short lines to read, and the same as data. Both are bounded: they fill a model's context.

Some agents give their model the text, others the data in its place (docs/facts/clients.md#mcp): so the sentences that
no field has stand in the data, too, as `summary`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ...exchange import JsonObject

MOST_TEXT: Final = 6000
"""Characters of the text."""
MOST_SUMMARY: Final = 2000
"""Characters of the sentences in the data."""
MOST_DATA: Final = 12_000
"""Characters of the data, as JSON."""


@dataclass(slots=True)
class Report:
    """Lines, what matters first, and data."""

    lines: list[str] = field(default_factory=list)
    data: JsonObject = field(default_factory=dict)
    summary: list[str] = field(default_factory=list)
    """The sentences among the lines, which no field of the data has."""
    more: str = ""
    """How to get what has no room."""

    def say(self, *sentences: str) -> None:
        """Add sentences, for those that read the data, too; an empty one is left out."""
        self.show(*sentences)
        self.summary += [sentence for sentence in sentences if sentence]

    def show(self, *lines: str) -> None:
        """Add lines whose content stands in the data; an empty one is left out."""
        self.lines += [line for line in lines if line]

    def text(self) -> str:
        """The lines, as many as there is room for."""
        room = MOST_TEXT - len(self.more) - 40
        kept: list[str] = []
        for line in self.lines:
            room -= len(line) + 1
            if room < 0:
                break
            kept.append(line)
        left_out = len(self.lines) - len(kept)
        if not kept and left_out:
            kept.append(self.lines[0][: MOST_TEXT // 2])
            left_out -= 1
        if left_out:
            kept.append(f"({left_out} more lines left out. {self.more})" if self.more else f"({left_out} more lines.)")
        return "\n".join(kept)

    def bounded_data(self) -> JsonObject:
        """The data; where it is too large its longest lists are cut, and `left_out` says of what."""
        summary = " ".join(self.summary)[:MOST_SUMMARY]
        data = {"summary": summary, **self.data} if summary else dict(self.data)
        cut: list[str] = []
        while (size := _size(data)) > MOST_DATA:
            name = max(data.keys() - {"summary"}, key=lambda one: _size(data[one]))
            value = data[name]
            if isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 1:
                data[name] = value[: max(1, min(len(value) // 2, len(value) * MOST_DATA // size))]
            else:
                del data[name]
            if name not in cut:
                cut.append(name)
            data["left_out"] = cut
        return data


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str))
