"""Whether JSON is what its schema says, within bounds: a client writes the schema, and a model the JSON.

`jsonschema` decides, but nothing is fetched for a reference, a pattern has `_PATTERN_SECONDS` for a text, and a check
ends after `_MOST_STEPS`. What can't be checked counts as fitting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

from ...exchange import JsonObject

LARGEST: Final = 128 * 1024
"""Bytes of a schema that is read."""
_MOST_STEPS: Final = 10_000
"""Keywords that are held against a value, and every eighth of the members that they look at."""
_REFERENCE: Final = 4
"""Steps that a reference takes: it costs as much time as so many other keywords."""
_CHARACTERS_OF_A_STEP: Final = 64
"""An error quotes what it is about: its characters are counted, too."""
_PATTERN_SECONDS: Final = 0.02
_LONGEST_PATTERN: Final = 1000
_LONGEST_MESSAGE: Final = 400

type _Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]

_left: ContextVar[list[int]] = ContextVar("steps left")
"""Of the check that is under way, in a list of its own."""


class _Unchecked(Exception):
    """The check takes too long."""


def mismatch(value: object, schema: bytes) -> str | None:
    """What of `value` isn't as the `schema` demands, for the model that wrote it: it may quote the value.

    `None`: it fits, or can't be checked.
    """
    if len(schema) > LARGEST:
        return None
    token = _left.set([_MOST_STEPS])
    try:
        error = next(iter(_validator(json.loads(schema, object_hook=_without_dialect)).iter_errors(value)), None)
    except Exception:
        return None  # no schema, too much work, or a reference to somewhere else
    finally:
        _left.reset(token)
    if error is None:
        return None
    where = "".join(f"/{part}" for part in error.absolute_path)
    return f"{where or 'the whole answer'}: {error.message}"[:_LONGEST_MESSAGE]


def _without_dialect(part: JsonObject) -> JsonObject:
    """A schema without the name of its draft, by which `jsonschema` would take keywords that aren't counted."""
    if isinstance(part.get("$schema"), str):
        del part["$schema"]
    return part


def _validator(schema: object) -> Any:
    # Without a registry of our own, which is empty, it would fetch what a reference names.
    from referencing import Registry  # noqa: PLC0415 - loaded for the first schema

    return _kind()(schema, registry=Registry())


@cache
def _kind() -> Any:
    """The validator of Draft 2020-12 with every keyword counted, and those in our own way that may take long."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - loaded for the first schema

    keywords: dict[str, _Keyword] = dict(Draft202012Validator.VALIDATORS)
    for name in ("unevaluatedProperties", "unevaluatedItems"):  # they go through the schema again for each member
        keywords[name] = _nothing
    keywords |= {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    counted = {
        name: _counted(keyword, _REFERENCE if "Ref" in name or name == "$ref" else 1)
        for name, keyword in keywords.items()
    }
    return validators.create(Draft202012Validator.META_SCHEMA, counted, type_checker=Draft202012Validator.TYPE_CHECKER)


def _counted(keyword: _Keyword, steps: int) -> _Keyword:
    def check(validator: Any, wanted: Any, value: Any, schema: JsonObject) -> Iterator[Any]:
        _spend(steps + _members(wanted) // 8 + _members(value) // 8)
        for error in keyword(validator, wanted, value, schema) or ():  # an older keyword may return nothing
            _spend(len(error.message) // _CHARACTERS_OF_A_STEP)
            yield error

    return check


def _members(value: object) -> int:
    return len(value) if isinstance(value, list | dict) else 0


def _spend(steps: int) -> None:
    left = _left.get()
    left[0] -= steps
    if left[0] < 0:
        raise _Unchecked


def _nothing(validator: Any, wanted: Any, value: Any, schema: JsonObject) -> Iterator[Any]:
    return iter(())


def _pattern(validator: Any, wanted: Any, value: Any, schema: JsonObject) -> Iterator[Any]:
    if isinstance(value, str) and not _matches(wanted, value):
        yield _error(f"{value!r} does not match {wanted!r}")


def _pattern_properties(validator: Any, wanted: Any, value: Any, schema: JsonObject) -> Iterator[Any]:
    if isinstance(value, dict):
        for pattern, demanded in wanted.items():
            for key, member in value.items():
                if _matches(pattern, key):
                    yield from validator.descend(member, demanded, path=key, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, value: Any, schema: JsonObject) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = [key for key in value if key not in named and not any(_matches(pattern, key) for pattern in patterns)]
    if isinstance(wanted, dict):
        for key in others:
            yield from validator.descend(value[key], wanted, path=key)
    elif not wanted and others:
        listed = ", ".join(repr(key) for key in sorted(others)[:10])
        yield _error(f"additional properties are not allowed: {listed}")


def _unique_items(validator: Any, wanted: Any, value: Any, schema: JsonObject) -> Iterator[Any]:
    if wanted and isinstance(value, list):
        _spend(len(value))
        if len({json.dumps(_plain(item), sort_keys=True) for item in value}) < len(value):
            yield _error("its items are not unique")


def _plain(value: Any) -> Any:
    """`value` with whole numbers as integers: 1.0 is 1 in JSON Schema."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _matches(pattern: str, text: str) -> bool:
    """Whether `pattern` is found in `text`. Raises `TimeoutError`."""
    import regex  # noqa: PLC0415 - loaded for the first pattern

    _spend(1 + len(text) // _CHARACTERS_OF_A_STEP)
    if len(pattern) > _LONGEST_PATTERN:
        raise _Unchecked
    return regex.search(pattern, text, timeout=_PATTERN_SECONDS) is not None


def _error(message: str) -> Any:
    from jsonschema import ValidationError  # noqa: PLC0415 - loaded for the first schema

    return ValidationError(message)
