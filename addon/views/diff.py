"""What the addon changed in a request: a unified diff of the pretty-printed JSON, or two transcripts side by side."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence

from ..columns import beside
from ..texts.terminal import say
from ..wire import json_body
from . import shorten

_CONTEXT = 3
_LINE_LIMIT = 20_000
"""Lines of pretty-printed JSON. With more on either side no diff is made: it would take seconds."""
_COLUMNS = 160
"""The width of two transcripts and what divides them."""


def compared(before: bytes | None, after: bytes) -> str:
    """A diff under its head. `before`: the client's body; `None`: it was too large to keep."""
    if before is None:
        said = say("The client's body was not kept (hunyuan_keep_original).")
    else:
        said = unified(before, after) or say("The bodies are the same.")
    return f"─── {say('diff')} ───\n{said}\n"  # in mitmweb an empty line has no height


def side_by_side(before: str, after: str) -> str:
    """Two transcripts under their head: what the client said in its own format, and what left in another."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > _LINE_LIMIT:
        sides = [_too_long(old, new)]
    else:
        sides = list(beside([say("AS IT CAME"), "", *old], [say("AS IT LEFT"), "", *new], _COLUMNS))
    return "\n".join([f"─── {say('side by side')} ───", *sides]) + "\n"


def unified(before: bytes, after: bytes, names: tuple[str, str] | None = None) -> str:
    """A unified diff of two JSON texts, pretty-printed and with long strings shortened; "" if they are the same."""
    names = names or (say("as it came"), say("as it left"))
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > _LINE_LIMIT:
        return _too_long(old, new)
    return "\n".join(_diff(old, new, names))


def _too_long(old: Sequence[str], new: Sequence[str]) -> str:
    return say("Too long to compare: {came:,} and {left:,} lines.", came=len(old), left=len(new))


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
