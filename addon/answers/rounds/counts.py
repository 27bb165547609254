"""The usage of several rounds as one: each of them is billed, its input too."""

from __future__ import annotations

import math
from typing import Any

from ...exchange import MOST_TOKENS, JsonObject


def added(one: JsonObject | None, other: JsonObject | None) -> JsonObject:
    """The sum of two `usage` objects of one endpoint, field by field; what only one has is as it says."""
    if not one or not other:
        return {**(one or other or {})}
    return {key: _sum(one.get(key), other.get(key)) for key in (*one, *(key for key in other if key not in one))}


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return added(one, other)
    if _is_count(one):
        return one + other if _is_count(other) else one
    return one if other is None else other


def _is_count(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value < MOST_TOKENS
