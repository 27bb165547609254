"""Which models a key has, as far as lists of models have passed: errors name those that are like a misspelt one."""

from __future__ import annotations

from collections import OrderedDict

from ..wire import json_body
from ..wire.content_coding import CodingError, TooLarge, unpack

LARGEST = 1 << 20
"""Bytes of a list that are read."""
_MOST_LISTS = 100
_MOST_IDS = 2000
_LONGEST_ID = 100
"""Characters."""


class SeenModels:
    """The last list that each caller has got of each endpoint; the lists used last are kept."""

    def __init__(self) -> None:
        self._lists: OrderedDict[tuple[str, bytes], tuple[str, ...]] = OrderedDict()

    def saw(self, base_url: str, caller: bytes, body: bytes, encoding: str = "") -> None:
        """Keep the ids in `body`, a list of models for `caller`, a digest. What can't be read is passed over."""
        try:
            listed = json_body.parse_object(unpack(body, encoding, LARGEST))
        except (CodingError, TooLarge):
            return
        items = (listed or {}).get("data")
        ids = [item.get("id") for item in (items if isinstance(items, list) else ()) if isinstance(item, dict)]
        known = tuple(name for name in ids if isinstance(name, str) and 0 < len(name) <= _LONGEST_ID)[:_MOST_IDS]
        if not known or not caller:
            return
        self._lists[base_url, caller] = known
        self._lists.move_to_end((base_url, caller))
        if len(self._lists) > _MOST_LISTS:
            self._lists.popitem(last=False)

    def of(self, base_url: str, caller: bytes) -> tuple[str, ...]:
        """The ids that `caller` has seen at the endpoint; empty where no list has passed."""
        return self._lists.get((base_url, caller), ())
