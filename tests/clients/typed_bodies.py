"""Values made of an SDK's types: one of each kind. For the clients' own Python."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Iterator
from typing import Any

import typing_extensions

DEPTH = 5
UNIONS = (typing.Union, types.UnionType)
SAID = frozenset({"content", "context", "stderr", "stdout", "system", "text", "title"})
"""Fields whose text a model is to read, but for citations: it is `word1x` there."""
PLAIN: dict[Any, Any] = {str: "id1", int: 2000, float: 0.5, bool: True, object: {}, Any: {}, type(None): None}


def variants(hint: Any, *, whole: bool, depth: int) -> Iterator[Any]:
    """A value for each kind of `hint`; nothing where the types go on without an end."""
    origin, arguments = typing_extensions.get_origin(hint), typing_extensions.get_args(hint)
    if hint in PLAIN:
        yield PLAIN[hint]
    elif isinstance(hint, typing.TypeVar | typing.ForwardRef):
        return
    elif origin in UNIONS:
        for argument in arguments:
            yield from variants(argument, whole=whole, depth=depth)
    elif origin in (typing_extensions.Literal, typing.Literal):
        yield arguments[0]
    elif origin in (typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.Annotated):
        yield from variants(arguments[0], whole=whole, depth=depth)
    elif typing_extensions.is_typeddict(hint):
        yield from objects(hint, whole=whole, depth=depth)
    elif origin in (dict, collections.abc.Mapping):
        yield {}
    elif origin is not None and issubclass(origin, collections.abc.Iterable):
        for value in variants(arguments[0], whole=whole, depth=depth):
            yield [value]
    elif getattr(hint, "__name__", "") == "SequenceNotStr":
        yield [PLAIN[str]]


def objects(hint: Any, *, whole: bool, depth: int) -> Iterator[dict[str, Any]]:
    """An object for each kind of each of its fields, the others being the first of theirs."""
    if not depth:
        return
    fields = typing_extensions.get_type_hints(hint, include_extras=True)
    # `__required_keys__` doesn't have what the SDKs' modules, whose annotations are texts, say is required.
    marks: tuple[Any, ...] = (typing_extensions.Required, typing.Required)
    required = {name for name, field in fields.items() if typing_extensions.get_origin(field) in marks}
    kinds = {
        name: list(variants(field, whole=whole, depth=depth - 1))
        for name, field in fields.items()
        if whole or name in required
    }
    kinds = {name: values for name, values in kinds.items() if values}
    if required - kinds.keys():
        return
    for name in SAID & kinds.keys() if "Citation" not in hint.__name__ else ():
        kinds[name] = ["word1x" if value == PLAIN[str] else value for value in kinds[name]]
    first = {name: values[0] for name, values in kinds.items()}
    yield first
    for name, values in kinds.items():
        for value in values[1:]:
            yield first | {name: value}
