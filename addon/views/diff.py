"""What the addon changed in a request: a unified diff of the pretty-printed JSON, or two transcripts side by side."""

from __future__ import annotations

import difflib
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from ..columns import beside
from ..texts.terminal import say
from ..wire import json_body
from . import shorten

_CONTEXT = 3
_LINE_LIMIT = 20_000
"""Lines of pretty-printed JSON. With more on either side no diff is made: it would take seconds."""
_COLUMNS = 100
"""The width of two transcripts and what divides them: mitmweb wraps no lines and has room for these."""


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


def _diff(old: list[str], new: list[str], names: tuple[str, str]) -> Iterator[str]:
    """The lines of a unified diff; none where nothing differs."""
    groups = Matched(old, new).get_grouped_opcodes(_CONTEXT)
    for number, group in enumerate(groups):
        if not number:
            yield from (f"--- {names[0]}", f"+++ {names[1]}")
        (_, old_first, _, new_first, _), (_, _, old_end, _, new_end) = group[0], group[-1]
        yield f"@@ -{_range(old_first, old_end)} +{_range(new_first, new_end)} @@"
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[a:b])
            else:
                yield from (f"-{line}" for line in old[a:b])
                yield from (f"+{line}" for line in new[c:d])


def _range(first: int, end: int) -> str:
    return f"{first + 1}" if end - first == 1 else f"{first + (end > first)},{end - first}"


class Matched(difflib.SequenceMatcher[str]):
    """Lines that two texts share, found in the time of their length; `difflib` takes the square of it.

    Lines that stand once in both are matched first, as many as keep their order (the patience diff). What is between
    two of them is mostly short, and left to `difflib`; what is long is compared from both ends alone.
    """

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new)
        self._old, self._new = old, new

    def get_matching_blocks(self) -> list[difflib.Match]:
        """The blocks, as `difflib` gives them."""
        old, new = self._old, self._new
        pairs: list[tuple[int, int]] = []
        a = b = 0
        for anchor in [*_anchors(old, new), (len(old), len(new))]:
            pairs += _between(old, new, (a, anchor[0]), (b, anchor[1]))
            pairs.append(anchor)
            a, b = anchor[0] + 1, anchor[1] + 1
        blocks: list[difflib.Match] = []
        for a, b in pairs[:-1]:
            last = blocks[-1] if blocks else None
            if last and (last.a + last.size, last.b + last.size) == (a, b):
                blocks[-1] = difflib.Match(last.a, last.b, last.size + 1)
            else:
                blocks.append(difflib.Match(a, b, 1))
        return [*blocks, difflib.Match(len(old), len(new), 0)]


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """The places of lines that stand once in both, as many of them as stand in the same order."""
    counts = Counter(old), Counter(new)
    places = {line: at for at, line in enumerate(new)}
    pairs = [(at, places[line]) for at, line in enumerate(old) if counts[0][line] == 1 == counts[1][line]]
    # The longest rising sequence: `ends` are the places in `new` at which the best ones of each length end.
    ends: list[int] = []
    best: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(best[length - 1] if length else -1)
        ends[length : length + 1], best[length : length + 1] = [place], [number]
    chain, number = [], best[-1] if best else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]


def _between(
    old: Sequence[str], new: Sequence[str], here: tuple[int, int], there: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """The places of equal lines in two ranges."""
    (a, a_end), (b, b_end) = here, there
    while a < a_end and b < b_end and old[a] == new[b]:
        yield a, b
        a, b = a + 1, b + 1
    same = 0
    while a < a_end - same and b < b_end - same and old[a_end - same - 1] == new[b_end - same - 1]:
        same += 1
    a_end, b_end = a_end - same, b_end - same
    if 0 < (a_end - a) * (b_end - b) <= _SQUARE:
        matcher = difflib.SequenceMatcher(None, old[a:a_end], new[b:b_end], autojunk=False)
        for block in matcher.get_matching_blocks():
            yield from ((a + block.a + each, b + block.b + each) for each in range(block.size))
    yield from ((a_end + each, b_end + each) for each in range(same))


_SQUARE = 40_000
"""Lines times lines that are compared each with each."""


def _lines(body: bytes) -> list[str]:
    try:
        value = shorten.everything(shorten.parse(body))
    except json_body.InvalidJson:
        return shorten.text(body.decode("utf-8", "replace")).splitlines()
    return printable(json.dumps(value, ensure_ascii=False, indent=2)).splitlines()


def printable(value: str) -> str:
    """`value` with lone surrogates written as escapes: terminals and pages can't show them."""
    return value.encode("utf-8", "backslashreplace").decode()
