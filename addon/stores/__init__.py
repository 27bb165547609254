"""Where what outlives a request is kept: memory, then SQLite, then Redis, behind one small interface."""

from __future__ import annotations

from ..config.values import StorePlaces
from .chain import Chain
from .level import LevelCounts
from .memory import Memory
from .redis import Redis
from .sqlite import Sqlite
from .store import Item, Store, StoreError

__all__ = ["Chain", "Item", "LevelCounts", "Memory", "Redis", "Sqlite", "Store", "StoreError", "open_levels"]


def open_levels(places: StorePlaces, max_bytes: int) -> list[Store]:
    """The stores below the memory, the nearest first. Neither disk nor network is touched before one is used.

    `max_bytes` is the size of the SQLite file. Raises `OptionError` if Redis is asked for and its package is missing.
    """
    levels: list[Store] = []
    if places.sqlite is not None:
        levels.append(Sqlite(places.sqlite, max_bytes))
    if places.redis is not None:
        levels.append(Redis(places.redis))
    return levels
