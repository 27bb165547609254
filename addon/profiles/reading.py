"""Tables of a data file -> the dataclasses of `types`. What a table may hold follows from their fields and annotations.

A key that no field has, a value of another type or a word that isn't accepted raises `ProfileError` with its place.
"""

from __future__ import annotations

import dataclasses
import types as python_types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

from ..did_you_mean import suggestion
from .types import KEY

REMOVED: Final = False
"""The value of a key whose inherited table a file takes away: `seed = false` below `[parameters]`."""


class ProfileError(ValueError):
    """A data file that can't be used. The text names the file, the key and what is accepted."""


def read[T](kind: type[T], table: Mapping[str, Any], place: str, **given: Any) -> T:
    """The `kind` of `table`. `given`: fields that aren't in the table. `place`: what errors call the table.

    Raises `ProfileError` for the first key that is unknown, missing or has a value that isn't accepted.
    """
    check(kind, table, place, partial=False)
    return kind(**(_values(kind, table) | given))


def check(kind: type[object], table: object, place: str, *, partial: bool) -> None:
    """Raise `ProfileError` for what `read` would refuse. `partial`: other files may have the keys that are missing."""
    if not isinstance(table, dict):
        raise ProfileError(f"{place}: accepted is a table")
    known = keys(kind)
    for key, given in table.items():
        if key not in known:
            near = suggestion(key, known)
            raise ProfileError(f"{_at(place, key)}: no such key{near or f'; accepted are {", ".join(known)}'}")
        _check(known[key].annotation, given, _at(place, key), partial=partial)
    missing = [key for key in known if key not in table and known[key].required]
    if missing and not partial:
        raise ProfileError(f"{_at(place, missing[0])}: missing; the table needs {', '.join(missing)}")


class Key(NamedTuple):
    """A key of a table: the field that it fills, what may stand there, and whether a table must have it."""

    field: str
    annotation: Any
    required: bool


def keys(kind: type[object]) -> Mapping[str, Key]:
    """The keys of a table that makes a `kind`, by their names."""
    if kind not in _KEYS:
        hints = get_type_hints(kind)
        _KEYS[kind] = {
            key: Key(field.name, hints[field.name], _is_required(field))
            for field in dataclasses.fields(cast(Any, kind))
            if (key := field.metadata.get(KEY, field.name))
        }
    return _KEYS[kind]


_KEYS: dict[type[object], Mapping[str, Key]] = {}


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _at(place: str, key: str) -> str:
    plain = key if key.replace("-", "").replace("_", "").isalnum() else f'"{key}"'
    return f"{place}{plain}" if not place or place.endswith(": ") else f"{place}.{plain}"


def _check(annotation: Any, given: object, place: str, *, partial: bool) -> None:
    annotation, origin, inner = _parts(annotation)
    if given is REMOVED and (dataclasses.is_dataclass(annotation) or (origin is not None and origin is not Literal)):
        if not partial:
            raise ProfileError(f"{place}: false takes away what is below, and nothing is")
    elif dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        check(annotation, given, place, partial=partial)
    elif origin is Literal:
        if given not in inner:
            raise ProfileError(f"{place}: {given!r} is not accepted; accepted are {', '.join(map(repr, inner))}")
    elif origin in (tuple, frozenset):
        if not isinstance(given, list):
            raise ProfileError(f"{place}: accepted is a list")
        for index, item in enumerate(given):
            _check(inner[0], item, f"{place}[{index}]", partial=False)
    elif origin is not None:  # a mapping
        if not isinstance(given, dict):
            raise ProfileError(f"{place}: accepted is a table")
        for key, value in given.items():
            _check(inner[1], value, _at(place, key), partial=partial)
    elif annotation is not Any and not _is(given, annotation):
        raise ProfileError(f"{place}: accepted is {_PLAIN[annotation]}, not {given!r}")


_PLAIN: Mapping[type[object], str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


def _is(given: object, annotation: type[Any]) -> bool:
    if isinstance(given, bool):
        return annotation is bool
    return isinstance(given, int | float if annotation is float else annotation)


@cache  # thousands of values have one of some thirty annotations, and each proxy reads them as it starts
def _parts(annotation: Any) -> tuple[Any, Any, tuple[Any, ...]]:
    """An annotation without `None`, its origin and its arguments."""
    if get_origin(annotation) in (Union, python_types.UnionType):
        annotation = next(inner for inner in get_args(annotation) if inner is not type(None))
    return annotation, get_origin(annotation), get_args(annotation)


def _values(kind: type[object], table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `kind` from a checked `table`."""
    return {key.field: _value(key.annotation, table[name]) for name, key in keys(kind).items() if name in table}


def _value(annotation: Any, given: Any) -> Any:
    """The value of a checked `given`."""
    annotation, origin, inner = _parts(annotation)
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return annotation(**_values(annotation, given))
    if origin in (tuple, frozenset):
        make: Callable[[Any], Any] = origin
        return make(_value(inner[0], item) for item in given)
    if origin is not None and origin is not Literal:
        return {key: _value(inner[1], value) for key, value in given.items()}
    return given


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `under`, key by key in tables; lists and other values are replaced whole.

    A table below that is `false` (`REMOVED`) in `over` goes.
    """
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and value is REMOVED:
            del result[key]
        elif isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result
