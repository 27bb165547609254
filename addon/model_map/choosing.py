"""The row that counts for a request: the first that fits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .row import Row


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is asked for by a row's conditions. `""`: it doesn't say, and fits no pattern."""

    client: str = ""
    program: str = ""
    path: str = ""
    tag: str = ""
    kind: str = "main"
    model: tuple[str, ...] = ()
    """The model's name, as it was sent and without a mark of the window."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for a request, and by what."""

    asked: Asked = field(default_factory=Asked)
    row: Row | None = None


def chosen(rows: Sequence[Row], asked: Asked) -> Chosen:
    """The first of `rows` that is for the request."""
    return Chosen(asked, next((row for row in rows if _is_for(row, asked)), None))


def _is_for(row: Row, asked: Asked) -> bool:
    if asked.kind == "embeddings" and not row.is_for_embeddings:
        return False  # vectors of another model fit into no index: nobody means that by the way
    for condition, patterns in row.when.items():
        said = getattr(asked, condition)
        values = said if isinstance(said, tuple) else (said,)
        if not any(value and pattern.fits(value) for value in values for pattern in patterns):
            return False
    return True
