"""Typed values in the chain of stores. To keep a new kind of value, write a codec."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from .chain import Chain
from .store import Item


class Codec[T](Protocol):
    """How one kind of value is written in a store."""

    @property
    def prefix(self) -> str:
        """The beginning of the keys, with a colon at its end. Each kind has its own."""

    def dump(self, value: T) -> bytes:
        """`value` as bytes."""

    def load(self, data: bytes) -> T | None:
        """The value that `dump` wrote; `None` for other bytes. Must not raise: others may write into a store."""


class Kept[T]:
    """The values of one kind, by key: in memory, then in the stores below it.

    Keys are digests, so that a store that others can read shows no text of a request.
    """

    def __init__(self, chain: Chain, codec: Codec[T]) -> None:
        self._chain = chain
        self._codec = codec

    def at_hand(self, key: bytes) -> T | None:
        """The value of `key` if this process's memory has it."""
        return self._load(self._chain.at_hand(self._name(key)))

    async def get(self, key: bytes) -> T | None:
        """The value of `key`; `None`: there is none, or none that this version can use."""
        return self._load(await self._chain.get(self._name(key)))

    async def fresh(self, key: bytes) -> T | None:
        """The value of `key`, as `get`, also where other processes change or delete it."""
        return self._load(await self._chain.fresh(self._name(key)))

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, T]:
        """The values of those `keys` that have one. All are looked up together: a slow store delays only once."""
        wanted = list(dict.fromkeys(keys))
        found = {key: value for key in wanted if (value := self.at_hand(key)) is not None}
        below = [key for key in wanted if key not in found]
        values = await asyncio.gather(*(self.get(key) for key in below))
        return found | {key: value for key, value in zip(below, values, strict=True) if value is not None}

    def put(self, key: bytes, value: T, lasts: float | None = None) -> None:
        """Keep `value` for `lasts` seconds; `None`: for good. In memory at once, in the stores below it soon."""
        self._chain.put(self._name(key), self._codec.dump(value), lasts)

    def delete(self, key: bytes) -> None:
        """Forget the value of `key`."""
        self._chain.delete(self._name(key))

    def drop(self, key: bytes) -> None:
        """Forget the value of `key` in this process's memory alone: the stores below it may have a newer one."""
        self._chain.drop(self._name(key))

    def clear(self, beginning: bytes = b"") -> int:
        """Forget all values of this kind whose keys begin so, in all stores. Returns how many were in memory."""
        return self._chain.clear(self._name(beginning))

    def listed(self, limit: int) -> list[tuple[str, T | None]]:
        """Up to `limit` keys (in hex) and values in memory, the latest used first; `None`: not readable."""
        return [self._loaded(item) for item in self._chain.memory.held(self._codec.prefix, limit)]

    async def listed_below(self, limit: int) -> dict[str, list[tuple[str, T | None]]]:
        """The same for each store below the memory, by the store's name."""
        found = await self._chain.scan_below(self._codec.prefix, limit)
        return {store: [self._loaded(item) for item in items] for store, items in found.items()}

    def _name(self, key: bytes) -> str:
        return self._codec.prefix + key.hex()

    def _load(self, item: Item | None) -> T | None:
        return None if item is None else self._codec.load(item.value)

    def _loaded(self, listed: tuple[str, Item]) -> tuple[str, T | None]:
        name, item = listed
        return name.removeprefix(self._codec.prefix), self._load(item)
