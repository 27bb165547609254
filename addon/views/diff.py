"""What the addon changed in a request: the list of changes and a unified diff of the pretty-printed JSON."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence

from ..columns import beside
from ..exchange import Change
from ..wire import json_body
from . import shorten

_CONTEXT = 3
_LINE_LIMIT = 20_000
"""Lines of pretty-printed JSON. With more on either side no diff is made: it would take seconds."""
_SEPARATOR = "─── diff ───"
"""Stands between the changes and the diff: in mitmweb an empty line has no height."""
_SIDES = "─── side by side ───"
_COLUMNS = 160
"""The width of two transcripts and what divides them."""
_NOT_KEPT = "The client's body was not kept (hunyuan_keep_original)."


def page(changes: Sequence[Change], before: bytes | None, after: bytes) -> str:
    """The changes, then the diff. `before`: the client's body; `None`: it was too large to keep."""
    compared = _NOT_KEPT if before is None else unified(before, after) or "The bodies are the same."
    return f"{listing(changes)}\n\n{_SEPARATOR}\n{compared}\n"


def side_by_side(changes: Sequence[Change], before: str, after: str) -> str:
    """The changes, then two transcripts: what the client said in its own format, and what left in another."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > _LINE_LIMIT:
        sides = [f"Too long to compare: {len(old):,} and {len(new):,} lines."]
    else:
        sides = list(beside(["AS IT CAME", "", *old], ["AS IT LEFT", "", *new], _COLUMNS))
    return "\n".join([listing(changes), "", _SIDES, *sides]) + "\n"


def listing(changes: Sequence[Change]) -> str:
    """The changes as a table: rule, where, why."""
    if not changes:
        return "Nothing was changed."
    widths = [max(len(getattr(change, column)) for change in changes) for column in ("rule", "pointer")]
    widths = [min(width, 40) for width in widths]
    rows = (f"{change.rule:<{widths[0]}}  {change.pointer or '/':<{widths[1]}}  {change.why}" for change in changes)
    count = f"{len(changes)} change{'' if len(changes) == 1 else 's'}"
    return "\n".join([count, *rows])


def unified(before: bytes, after: bytes, names: tuple[str, str] = ("as it came", "as it left")) -> str:
    """A unified diff of two JSON texts, pretty-printed and with long strings shortened; "" if they are the same."""
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > _LINE_LIMIT:
        return f"Too long to compare: {len(old):,} and {len(new):,} lines."
    return "\n".join(_diff(old, new, names))


def _diff(old: list[str], new: list[str], names: tuple[str, str]) -> Iterable[str]:
    return difflib.unified_diff(old, new, *names, n=_CONTEXT, lineterm="")


def _lines(body: bytes) -> list[str]:
    try:
        value = shorten.everything(shorten.parse(body))
    except json_body.InvalidJson:
        return shorten.text(body.decode("utf-8", "replace")).splitlines()
    return printable(json.dumps(value, ensure_ascii=False, indent=2)).splitlines()


def printable(value: str) -> str:
    """`value` with lone surrogates written as escapes: terminals and pages can't show them."""
    return value.encode("utf-8", "backslashreplace").decode()
