"""Faster versions of functions of mitmproxy's, which do work that their values don't need.

- `MessageData.__post_init__` builds an error's text for every field of a message, right ones too: 80 µs a request.
- `_Option.current` makes a deep copy of a text or number, also for each chunk of a stream.
- `Headers` looks a name up through seven calls, and raises an exception where there is none, some 50 times a request.
  A new `Headers` is updated by nothing in 4 µs, and one field more compares the names of all others by two calls each.
- `parse_authority` encodes and decodes a host's name several times; a request has its `Host` read four times.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import cache, lru_cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from mitmproxy.http import Headers, MessageData
from mitmproxy.net.http import url
from mitmproxy.optmanager import _Option, unset
from mitmproxy.utils.strutils import always_bytes

_REMEMBERED = 256
"""Names of headers, and authorities, that are read once: a proxy meets the same few over and over."""
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


def header(self: Headers, name: str | bytes) -> str:
    """In place of `Headers.__getitem__`: the values of `name`, joined by commas. Raises `KeyError` without any."""
    if type(self) is not Headers:  # a subclass may have its own ways
        return _header(self, name)
    if not (values := _values(self, name)):
        raise KeyError(name)
    return ", ".join(values)


def header_or(self: Headers, name: str | bytes, default: Any = None) -> Any:
    """In place of `Headers.get`: the values of `name`, joined by commas, or `default`."""
    if type(self) is not Headers:
        return _header_or(self, name, default)
    return ", ".join(values) if (values := _values(self, name)) else default


def has_header(self: Headers, name: Any) -> bool:
    """In place of `Headers.__contains__`: whether there is a field `name`."""
    return bool(_values(self, name)) if type(self) is Headers else _has_header(self, name)


def all_headers(self: Headers, name: str | bytes) -> list[str]:
    """In place of `Headers.get_all`: the value of each field `name`."""
    return _values(self, name) if type(self) is Headers else _all_headers(self, name)


def set_headers(self: Headers, name: str | bytes, values: Iterable[str | bytes]) -> None:
    """In place of `Headers.set_all`: as mitmproxy's, but a name that isn't there yet is added without further ado."""
    if type(self) is not Headers or type(name) is not str or _values(self, name):
        _set_headers(self, name, values)
        return
    field = name.encode("utf-8", "surrogateescape")
    self.fields += tuple([(field, always_bytes(value, "utf-8", "surrogateescape")) for value in values])


def make_headers(self: Headers, fields: Any = (), **headers: Any) -> None:
    """In place of `Headers.__init__`: as mitmproxy's, without an update where there are no `headers`."""
    if headers or type(self) is not Headers:
        _make_headers(self, fields, **headers)
        return
    self.fields = tuple(map(tuple, fields))
    for name, value in self.fields:
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            raise TypeError("Header fields must be bytes.")


_header: Callable[[Headers, Any], str] = Headers.__getitem__
_header_or, _has_header, _all_headers = Headers.get, Headers.__contains__, Headers.get_all
_set_headers: Callable[..., None] = Headers.set_all
_make_headers: Callable[..., None] = Headers.__init__


def _values(headers: Headers, name: str | bytes) -> list[str]:
    """The values of the fields `name`, in any case."""
    key, length = _known_key(name) if type(name) is str else _key(name)
    return [
        value.decode("utf-8", "surrogateescape")
        for field, value in headers.fields
        if len(field) == length and field.lower() == key
    ]


def _key(name: str | bytes) -> tuple[bytes, int]:
    """`name` as fields are compared with it, and its length."""
    key = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else always_bytes(name)
    return key.lower(), len(key)


_known_key = lru_cache(_REMEMBERED)(_key)

_parse_authority: Callable[[Any, bool], tuple[str, int | None]] = url.parse_authority


@lru_cache(_REMEMBERED)
def authority(authority: str | bytes, check: bool) -> tuple[str, int | None]:
    """In place of `parse_authority`: host and port. Raises `ValueError` where they aren't valid and `check` is true."""
    return _parse_authority(authority, check)
