"""Overlays: what was learnt of a model or of a native format, as keys of their tables, laid over what is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .types import Native

type Overlay = Mapping[str, Any]
"""Keys of a model's row (`profiles.over`), or of a table `[native.NAME]` (`native_over`)."""

_SETS = frozenset({"refused", "refused_blocks", "refused_block_fields", "refused_betas", "refused_cache_control"})
"""Keys whose values add up."""
_CACHE_CONTROL = frozenset({"type", "ttl", "scope"})
"""The fields that `cache_control` has."""


def merged(under: Overlay, above: Overlay) -> dict[str, Any]:
    """Both overlays as one. Lists of what is refused and objects add up; of all else the value of `above` counts."""
    both = {**under, **above}
    for key in under.keys() & above.keys():
        if key in _SETS:
            both[key] = sorted({*under[key], *above[key]})
        elif isinstance(under[key], Mapping) and isinstance(above[key], Mapping):
            both[key] = {**under[key], **above[key]}
    return both


def native_over(native: Native, overlay: Overlay) -> Native:
    """`native` with the keys of `overlay`: those of its table, `refused_betas` and `refused_cache_control`.

    What is refused adds to what is known to be.
    """
    if not overlay:
        return native
    changed = {key: _KINDS[key](value) for key, value in overlay.items() if key in _KINDS}
    if "refused" in overlay:
        changed["refused"] = (*native.refused, *(path for path in overlay["refused"] if path not in native.refused))
    for key in ("refused_blocks", "refused_block_fields"):
        if key in overlay:
            changed[key] = getattr(native, key) | frozenset(overlay[key])
    if "refused_betas" in overlay:
        changed["betas"] = native.betas - frozenset(overlay["refused_betas"])
    if "refused_cache_control" in overlay:
        known = _CACHE_CONTROL if native.cache_control is None else native.cache_control
        changed["cache_control"] = known - frozenset(overlay["refused_cache_control"])
    return dataclasses.replace(native, **changed)


_KINDS = {"models": tuple, "adaptive_thinking": bool, "roles": frozenset, "tools": frozenset, "betas": frozenset}
