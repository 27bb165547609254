"""What `doctor --live` asks an endpoint, and in which order. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .api_probes import APIS
from .chat_probes import CHAT
from .probing import Answer, Call, Probe, Row, Subject

MAX_CALLS = 12
"""No examination makes more."""

PROBES: tuple[Probe, ...] = (*CHAT, *APIS)
"""The first one says whether the others make sense: none is made if it isn't answered."""


def examine(subject: Subject, ask: Callable[[Call], Answer]) -> Iterator[tuple[Answer, Sequence[Row]]]:
    """Make the probes for `subject`, at most `MAX_CALLS`: the answer of each, and all rows until then."""
    rows: dict[str, Row] = {}
    calls = 0
    for probe in PROBES:
        open_ = probe.settles in rows and rows[probe.settles].verdict == "unknown"
        if calls == MAX_CALLS or not probe.applies(subject) or (probe.settles and not open_):
            continue
        answer = ask(probe.call(subject))
        calls += 1
        rows |= {row.what: row for row in probe.rows(subject, answer)}
        yield answer, [*rows.values()]


def merged(tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Several tables in one, key by key."""
    whole: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            inner = whole.get(key)
            whole[key] = merged([inner, value]) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return whole
