"""The interface of a store: values by key, each with the time that it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """A value and the time that it still lasts."""

    value: bytes
    lasts: float | None = None
    """Seconds left; `None`: for good."""


class StoreError(Exception):
    """An operation of a store failed. The text says why, and holds neither a value nor a secret."""


class Store(Protocol):
    """Values by key. Keys are printable ASCII. Every method but `aclose` may raise `StoreError`."""

    name: str
    """For the log and for counts: `memory`, `sqlite`, `redis`."""

    async def get(self, key: str) -> Item | None:
        """The value of `key`, which becomes the most recently used; `None`: there is none, or it has expired."""

    async def put(self, key: str, value: bytes, lasts: float | None = None) -> None:
        """Keep `value` for `lasts` seconds (above 0; `None`: for good), replacing what `key` had. A bounded store may
        drop it."""

    async def delete(self, key: str) -> None:
        """Forget `key`, if there is one."""

    async def scan(self, prefix: str, limit: int) -> list[tuple[str, Item]]:
        """Up to `limit` keys that start with `prefix`, for display: the latest used first where that is known."""

    async def clear(self, prefix: str) -> int:
        """Forget all keys that start with `prefix`. Returns their number, in which expired ones may be counted."""

    async def aclose(self) -> None:
        """Close files and connections. Nothing else may be called after it."""
