"""Counts of the stores as metrics: of all chains together, since these share their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..stores.level import LevelCounts
from . import statistics
from .metrics import Reading


def readings(levels: Iterable[LevelCounts]) -> Iterator[Reading]:
    """The metrics of `levels`; those with one name are one store. It fails if any of them does."""
    stores: dict[str, list[LevelCounts]] = {}
    for level in levels:
        stores.setdefault(level.name, []).append(level)
    for name, found in stores.items():
        yield statistics.STORE_HITS, (name,), sum(level.hits for level in found)
        yield statistics.STORE_MISSES, (name,), sum(level.misses for level in found)
        yield statistics.STORE_FAILURES, (name,), sum(level.failures for level in found)
        yield statistics.STORE_BYPASSED, (name,), sum(level.bypassed for level in found)
        yield statistics.STORE_DROPPED, (name,), sum(level.dropped for level in found)
        yield statistics.STORE_FAILING, (name,), any(level.failing for level in found)
