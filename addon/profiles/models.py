"""What is known of a model: the row of its family, then those of its profile, the more particular over the others."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from .reading import merged, read
from .types import Family, Model, judged

type Rows = Mapping[str, Mapping[str, Any]]
"""Model id, or pattern -> keys of a model's row."""

_NO_CONTROL: Mapping[str, Any] = {"control": "none"}
_LONGEST = 200
"""Characters of a model's id; of longer ones nothing is known."""
_MAKER = re.compile(r"(?:[a-z]+\.)+(?=[a-z])")
"""What Bedrock puts before an id: `moonshotai.`, `us.moonshotai.`. A dot within an id has a digit before it."""
_PRESET = re.compile(r"(?<=[^/])@.*", re.DOTALL)
"""What OpenRouter lets stand behind an id, slashes in it: `@preset/mine`."""
_MARK = re.compile(r"(\[[^\]]*\]|:[^:]*)\Z")
"""What a client or an endpoint puts behind an id: `[1m]`, `:free`, `:cloud`."""


def plain(model_id: str) -> str:
    """The id in lower case, without what stands before it (`moonshotai/`, `moonshotai.`) and behind it (`:free`)."""
    name = _PRESET.sub("", model_id).rpartition("/")[2]
    name = (_MARK.sub("", name) or name).lower()
    return name[maker.end() :] if (maker := _MAKER.match(name)) else name


def ranked(patterns: Iterable[str]) -> list[str]:
    """`patterns`, the more particular first: with more characters that aren't `*`. Of two that are alike the first."""
    return sorted(patterns, key=lambda pattern: -len(pattern.replace("*", "")))


class Families:
    """Finds the family of a model: the one with the most particular pattern that fits its id."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._owners: dict[str, Family] = {}
        for family in families:
            for pattern in family.ids:
                self._owners.setdefault(pattern, family)
        self._ranked = ranked(self._owners)

    def of(self, model_id: str) -> Family | None:
        """The family of `model_id`, which may have a maker before it and marks behind it; `None` for none."""
        name = plain(model_id)
        return next((self._owners[pattern] for pattern in self._ranked if fnmatchcase(name, pattern)), None)


def row(model_id: str, families: Families, rows: Rows, thinking: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All that is known of `model_id`: its family's keys, over them those of patterns of `rows`, over them its own.

    Of a model of no family its name is judged. A pattern is held against the id in lower case, as it is. `thinking` is
    laid over that of the family (`Profile.thinking`).
    """
    family = families.of(model_id)
    known: dict[str, Any] = dict(family.rows) if family else judged(model_id)
    if thinking and known.get("thinking", _NO_CONTROL).get("control") != "none":
        known["thinking"] = {**known["thinking"], **thinking}
    for pattern in reversed(ranked(filter(is_pattern, rows))):
        if fnmatchcase(model_id.lower(), pattern):
            known = merged(known, rows[pattern])
    return merged(known, rows.get(model_id, {}))


def is_pattern(key: str) -> bool:
    """Whether a key below `[models]` stands for many models."""
    return "*" in key


def model(model_id: str, row: Mapping[str, Any], place: str = "") -> Model:
    """The model of `row`. Raises `ProfileError`, which calls the row `place`."""
    return read(Model, row, place, id=model_id)


def finder(families: Families, rows: Rows, thinking: Mapping[str, Any]) -> Callable[[str], Model]:
    """Model id -> what is known of it (`row`), for ids that aren't among the profile's own."""

    @lru_cache(1024)
    def find(model_id: str) -> Model:
        return model(model_id, row(_MARK.sub("", model_id) or model_id, families, rows, thinking))

    return lambda model_id: Model(model_id) if len(model_id) > _LONGEST else find(model_id)


def over(model: Model, overlay: Mapping[str, Any]) -> Model:
    """`model` with what was learnt of it: keys of a model's row. `refused` and `values` are added to what is known.

    Raises `ProfileError` for what a row can't hold.
    """
    if not overlay:
        return model
    learnt = read(Model, overlay, "", id=model.id)
    changed = {key: getattr(learnt, key) for key in overlay}
    if "refused" in changed:
        changed["refused"] = model.refused | learnt.refused
    if "values" in changed:
        changed["values"] = {**model.values, **learnt.values}
    if "thinking" in changed and learnt.thinking is not None and model.thinking is not None:
        named = {key: getattr(learnt.thinking, key) for key in overlay["thinking"]}
        changed["thinking"] = dataclasses.replace(model.thinking, **named)
    return dataclasses.replace(model, **changed)
