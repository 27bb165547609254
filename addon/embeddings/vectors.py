"""Vectors, kept by text: what embeddings requests asked for before.

A vector is that of a text by a model at an endpoint, with the parameters of its request. It is kept for the caller that
it was made for: found by another, it would answer who has no key for it.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

from cachetools import LRUCache

from ..exchange import JsonObject
from ..stores import Chain, Memory
from ..stores.kept import Kept
from ..wire import json_body

type Vector = list[float] | str
"""As the endpoint gives it: numbers, or base64."""

MOST: Final = 20_000
MOST_BYTES: Final = 32 << 20
"""Vectors in memory."""
_TOGETHER: Final = 250
"""Texts that are looked up at a time: more would keep others waiting at the store."""
_DIGEST: Final = 16
_MOST_LIMITS: Final = 1000
_NUMBERS, _TEXT, _OTHER = b"d", b"s", b"j"
"""The first byte of a kept vector: what follows are numbers (little-endian, 64 bits), text, or JSON."""
_NOT_ASKED_FOR: Final = frozenset({"input", "user"})
"""Parameters that say nothing of the vectors."""


class VectorCodec:
    """A vector in a store. Numbers take 8 bytes each and come back the same."""

    prefix = "vector:"

    def dump(self, value: Vector) -> bytes:
        """See `Codec`."""
        if isinstance(value, str):
            return _TEXT + value.encode("utf-8", "surrogatepass")
        if not all(type(number) is float for number in value):
            return _OTHER + json_body.serialise(value)  # an integer is to stay one
        return _NUMBERS + _little(array("d", value)).tobytes()

    def load(self, data: bytes) -> Vector | None:
        """See `Codec`."""
        kind, written = data[:1], data[1:]
        if kind == _TEXT:
            return written.decode("utf-8", "replace")
        if kind == _NUMBERS and len(written) % 8 == 0:
            return _little(array("d", written)).tolist()
        if kind == _OTHER:
            try:
                found = json_body.parse(written)
            except json_body.InvalidJson:
                return None
            return found if isinstance(found, list) else None
        return None


def _little(numbers: array[float]) -> array[float]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def keys_of(caller: bytes, base_url: str, body: JsonObject, texts: Sequence[str]) -> list[bytes]:
    """The key of each text's vector, for a request with this `body`."""
    asked = {name: body[name] for name in sorted(body) if name not in _NOT_ASKED_FOR}
    common = hashlib.sha256(json_body.serialise([caller.hex(), base_url, asked]))
    keys = []
    for text in texts:
        digest = common.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        keys.append(digest.digest()[:_DIGEST])
    return keys


class KeptVectors:
    """The vectors of all callers. `chain`: where; its bounds and its stores follow the options."""

    def __init__(self, chain: Chain | None = None) -> None:
        self.chain = chain or Chain(Memory(MOST, MOST_BYTES))
        self._vectors: Kept[Vector] = Kept(self.chain, VectorCodec())
        self._limits: LRUCache[tuple[str, str], int] = LRUCache(_MOST_LIMITS)

    async def found(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """The vectors of those `keys` that have one."""
        found: dict[bytes, Vector] = {}
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), _TOGETHER):
            found |= await self._vectors.get_many(wanted[start : start + _TOGETHER])
        return found

    def keep(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors by their keys."""
        for key, vector in vectors.items():
            self._vectors.put(key, vector)

    def limit(self, base_url: str, model: str) -> int | None:
        """The tokens of the longest text that a model at an endpoint takes, as its refusals have taught."""
        known: int | None = self._limits.get((base_url, model))
        return known

    def learn_limit(self, base_url: str, model: str, tokens: int) -> None:
        """A text of about so many tokens was taken, after a longer one was refused."""
        self._limits[base_url, model] = min(tokens, self._limits.get((base_url, model), tokens))
