"""Checks and copies that mitmproxy makes of values which need none: of each message's fields, and of each option read.

`MessageData.__post_init__` puts an error's text together for every field that is right, 80 µs a request;
`_Option.current` makes a deep copy of a text or number, also for each chunk of a stream.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from mitmproxy.http import MessageData
from mitmproxy.optmanager import _Option, unset

_IMMUTABLE = frozenset([str, int, float, bool, bytes, type(None)])

_check_all: Callable[[MessageData], None] | None = getattr(MessageData, "__post_init__", None)
"""mitmproxy's own check; `None` under `python -O`, where there is none."""


def check_types(self: MessageData) -> None:
    """In place of `MessageData.__post_init__`: raise `TypeError` for a field that has not its type."""
    values = vars(self)
    for name, accepted in _accepted(type(self)):
        # A subclass, or what is wrong, is for mitmproxy to judge.
        if type(values.get(name, accepted)) not in accepted:
            if _check_all:
                _check_all(self)
            return


@cache
def _accepted(kind: type[MessageData]) -> tuple[tuple[str, frozenset[object]], ...]:
    """Each field of `kind` with the types that are right beyond doubt."""
    return tuple((field.name, _types(field.type)) for field in fields(kind))


def _types(annotation: object) -> frozenset[object]:
    alternatives = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    types = {one for one in alternatives if isinstance(one, type)}
    return frozenset(types | {int} if float in types else types)


def current(self: _Option) -> Any:
    """In place of `_Option.current`: the option's value, a copy where it could be changed."""
    value = self._default if self.value is unset else self.value
    return value if type(value) in _IMMUTABLE else copy.deepcopy(value)
