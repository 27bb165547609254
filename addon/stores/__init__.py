"""Values that outlive a request: in memory, then SQLite, then Redis, behind one small interface."""

from __future__ import annotations

from ..config.values import StorePlaces
from .chain import Chain
from .level import LevelCounts
from .memory import Memory
from .store import Item, Store, StoreError

__all__ = ["Chain", "Item", "LevelCounts", "Memory", "Store", "StoreError", "open_levels"]


def open_levels(places: StorePlaces, max_bytes: int) -> list[Store]:
    """The stores below the memory, the nearest first. Neither disk nor network is used before a store is.

    `max_bytes` is the size of the SQLite file. Raises `OptionError` if Redis is asked for and its package is missing.
    """
    levels: list[Store] = []
    if places.sqlite is not None:
        from .sqlite import Sqlite  # noqa: PLC0415 - loaded only where it is asked for

        levels.append(Sqlite(places.sqlite, max_bytes))
    if places.redis is not None:
        from .redis import Redis  # noqa: PLC0415 - loaded only where it is asked for

        levels.append(Redis(places.redis))
    return levels
