"""Values that outlive a request: in memory, then SQLite, then Redis, behind one small interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..config import values as read
from ..config.option import option
from ..config.values import StorePlaces
from .chain import Chain
from .level import LevelCounts
from .memory import Memory
from .store import Item, Store, StoreError

__all__ = [
    "NOWHERE",
    "Chain",
    "Item",
    "LevelCounts",
    "Memory",
    "Placed",
    "Store",
    "StoreError",
    "StoreSettings",
    "open_levels",
]


@dataclass(frozen=True)
class StoreSettings:
    """Where image descriptions are kept, and how many bytes of them on disk."""

    store: StorePlaces = option(
        "sqlite",
        "Where image descriptions are kept beside memory: memory (nowhere), sqlite (the user's data folder), "
        "sqlite:PATH, redis://HOST:PORT/DB or redis+sentinel://HOST:PORT,HOST:PORT/NAME/DB (also for the limits of "
        "several workers); "
        "sqlite and redis together, "
        "comma separated.",
        read.store,
    )
    store_max_bytes: int = option(
        "256m", "Size of the SQLite store; the least recently used entry goes first.", read.size
    )


def open_levels(places: StorePlaces, max_bytes: int) -> list[Store]:
    """The stores below the memory, the nearest first. None uses the disk or the network before its first operation.

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


type Place = tuple[StorePlaces, int]
"""Where the levels below a memory are, and the bytes of the file."""
NOWHERE: Final[Place] = (StorePlaces(), 0)


@dataclass(slots=True)
class Placed:
    """A chain, and where its levels are."""

    chain: Chain
    place: Place = NOWHERE

    def opened(self, place: Place) -> Callable[[], None]:
        """Open the levels at `place`, where that is another. Returns what puts them in use. Raises `OptionError`."""
        if place == self.place:
            return lambda: None
        levels = open_levels(*place)

        def use() -> None:
            self.chain.replace(levels)
            self.place = place

        return use
