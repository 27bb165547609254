"""Overlays: what was learnt of a model or of a native format, as keys of their tables, laid over what is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from . import Model, Native, Thinking

type Overlay = Mapping[str, Any]
"""Keys of a model's row, or of a table `[native.NAME]`; in those also `refused_betas` and `refused_cache_control`."""

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


def over(model: Model, overlay: Overlay) -> Model:
    """`model` with the keys of `overlay`. `refused` and `values` add to what is known, `thinking` is laid over it."""
    changed = dict(overlay)
    if "refused" in changed:
        changed["refused"] = model.refused | frozenset(changed["refused"])
    if "values" in changed:
        changed["values"] = {**model.values, **changed["values"]}
    if "thinking" in changed:
        given = {key: _KINDS.get(key, lambda value: value)(value) for key, value in changed["thinking"].items()}
        known = model.thinking or Thinking(default=True)
        changed["thinking"] = dataclasses.replace(known, **given)
    return dataclasses.replace(model, **changed) if changed else model


_KINDS = {"efforts": tuple, "fields": frozenset, "tool_choices": frozenset}


def native_over(native: Native, overlay: Overlay) -> Native:
    """`native` with the keys of `overlay`. What is refused adds to what is known to be."""
    if not overlay:
        return native
    changed = {key: _NATIVE_KINDS[key](value) for key, value in overlay.items() if key in _NATIVE_KINDS}
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


_NATIVE_KINDS = {"models": tuple, "adaptive_thinking": bool, "roles": frozenset, "tools": frozenset}
