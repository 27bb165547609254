"""Reads and writes JSON: with orjson, or with the standard library where orjson would lose or refuse something.

The cost of a text is bounded by its bytes, and by its values, which calls in C count.
"""

from __future__ import annotations

import gc
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final, NoReturn

import orjson

from ..exchange import JsonObject

MAX_DEPTH = 1024
"""How deep lists and objects may nest: orjson's own limit, held for the standard library too."""

MAX_VALUES = 500_000
"""Opening brackets, commas and colons outside of strings. orjson holds the GIL: this many take about 50 ms."""

MAX_HALVES = 100_000
"""Surrogates in a text in which one lacks its other half: each of them is handled in Python."""

BOM = b"\xef\xbb\xbf"

_STEP = 1 << 20
"""Bytes that one call handles: between two calls other threads can run."""

_COUNTED = b"[{,:"
_SIGNS = bytes.maketrans(b"123456789[{:", b"000000000,,,")
"""For `bytes.translate`: every digit is 0, and all that `structure` counts is a comma."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_UNREAD: Final = object()
_AT_ONCE = 1_200_000
"""Bytes that are read before their values are counted: with a value every third byte that takes less than twice what
`MAX_VALUES` take, below 100 ms."""
_FEW = MAX_VALUES // 3
"""Values that surely have no more than `MAX_VALUES` brackets, commas and colons: each has one of each at most."""
_LARGE = 2.0**63
"""A float of this size or more may be an integer that orjson couldn't keep."""
_LONG_INTEGER = b"0" * 19
"""From 19 digits on (2**63 has 19) orjson may read an integer as a float."""


_LEADING = rb"\\u[dD][89abAB][0-9a-fA-F]{2}|\xed[\xa0-\xaf][\x80-\xbf]"
_TRAILING = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}|\xed[\xb0-\xbf][\x80-\xbf]"
_HALVES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?:%b)?|\xed[\xa0-\xaf][\x80-\xbf](?:%b)?|%b" % (_TRAILING, _TRAILING, _TRAILING)
)
"""Surrogates, as escapes or as raw bytes (CESU-8), in pairs where both halves are there."""


class InvalidJson(ValueError):
    """Not JSON, or JSON that can't be kept exactly. Its text never quotes the data."""


class TooManyValues(InvalidJson):
    """More values or surrogates than the bound, which its text names."""


@dataclass(frozen=True, slots=True)
class Read:
    """A parsed JSON text. `data` is the text as a strict reader accepts it; `fixes` says what was changed in it."""

    value: Any
    data: bytes
    fixes: tuple[str, ...] = ()
    structure: int = field(default=0, compare=False)
    """An upper bound of the number of its values: twice that number, or its opening brackets, commas and colons, also
    those in strings."""


def parse(data: bytes) -> Any:
    """The value of one JSON text in UTF-8; raises as `read`."""
    if len(data) <= MAX_VALUES:  # so it can't hold more values
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            return read(data, MAX_VALUES).value
        if _LONG_INTEGER not in data.translate(_SIGNS):
            return value
    return read(data, MAX_VALUES).value


def parse_object(data: bytes) -> JsonObject | None:
    """The JSON object in `data`, `None` where it holds anything else."""
    try:
        value = parse(data)
    except InvalidJson:
        return None
    return value if isinstance(value, dict) else None


def read(data: bytes, at_once: int = _AT_ONCE) -> Read:
    """Read one JSON text in UTF-8, and fix its characters where a strict reader would refuse them.

    A byte order mark is removed. Halves of a character (`"\\ud83d"`) become the character if both are there, else
    U+FFFD, also in keys; bytes that aren't UTF-8 become U+FFFD. Integers past 64 bits are kept.
    Up to `at_once` bytes are parsed before their values are counted.
    Raises `TooManyValues` past `MAX_VALUES` or `MAX_HALVES`, and `InvalidJson` for anything else that isn't JSON: also
    for NaN, Infinity, numbers past a float's range and nesting beyond `MAX_DEPTH`.
    """
    fixes = []
    if data.startswith(BOM):
        data = data[len(BOM) :]
        fixes.append("the byte order mark went")
    # 1. A large text: its values are counted before it is parsed.
    glance = _glance(data) if len(data) > at_once else None
    if glance and glance[0] > MAX_VALUES:
        _check_values(data)
    # 2. A text with few values and no large number, as most bodies are.
    parsed: Any = _UNREAD
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        pass  # its error holds the whole text
    else:
        values = _counted(parsed)
        if values is not None:
            return Read(parsed, data, tuple(fixes), 2 * values)
    # 3. Anything else.
    structure, has_long_number = glance or _glance(data)
    if not glance and structure > MAX_VALUES:
        _check_values(data)
    try:
        return Read(_value(data, has_long_number, parsed), data, tuple(fixes), structure)
    except TooManyValues:
        raise
    except InvalidJson:
        whole = _with_whole_characters(data)
        if whole == data:
            raise
    fixes.append("halves of characters, or bytes that are no UTF-8, became U+FFFD or the character that was meant")
    return Read(_value(whole, has_long_number), whole, tuple(fixes), structure)


def serialise(value: object, *, sort_keys: bool = False) -> bytes:
    """Write `value` as compact JSON in UTF-8, without a line break in it; `sort_keys`: the same for equal objects.

    Only where orjson can't (integers past 64 bits, lone surrogates, deep nesting) the standard library writes; a
    text with lone surrogates is written in ASCII escapes, since UTF-8 has no form for them. Two lone surrogates
    that stand together become one character, which is what they mean in JSON.
    Raises `TypeError` or `ValueError` for what JSON has no form for.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except orjson.JSONEncodeError:
        pass
    try:
        return _dump(value, sort_keys, ascii_only=False).encode()
    except UnicodeEncodeError:
        return _dump(value, sort_keys, ascii_only=True).encode()


def _dump(value: object, sort_keys: bool, *, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":"), sort_keys=sort_keys)


def _glance(data: bytes) -> tuple[int, bool]:
    """`Read.structure`, and whether so many digits stand together that they may be an integer past 64 bits."""
    structure, has_long_number = 0, False
    for start in range(0, len(data), _STEP):
        piece = data[max(0, start - len(_LONG_INTEGER)) : start + _STEP].translate(_SIGNS)
        structure += piece.count(b",")
        has_long_number = has_long_number or _LONG_INTEGER in piece
    return structure, has_long_number


def _counted(value: Any) -> int | None:
    """The number of values in `value`; `None` if there are more than `_FEW`, or orjson may have rounded an integer."""
    count, level = 1, [value]
    while level:
        if count > _FEW or [item for item in level if type(item) is float and abs(item) >= _LARGE]:
            return None
        # All that a level's lists and objects hold, in one call: a loop over them takes several times as long.
        level = gc.get_referents(*level)
        count += len(level)
    return count


def _value(data: bytes, has_long_number: bool, parsed: Any = _UNREAD) -> Any:
    try:
        value = orjson.loads(data) if parsed is _UNREAD else parsed
    except orjson.JSONDecodeError:
        # The decoder's error holds the whole text: it must not travel on as the cause.
        if not (has_long_number and _has_long_integer(data)):
            raise InvalidJson("nested too deep" if _too_deep(data) else "not JSON") from None
    else:
        if not (has_long_number and _has_long_integer(data)):
            return value
        del value
    return _exact_value(data)


def _exact_value(data: bytes) -> Any:
    """By the standard library, which reads integers of any length."""
    if _too_deep(data):
        raise InvalidJson("nested too deep")
    try:
        # Decoded here: json.loads would guess UTF-16 and UTF-32 from bytes.
        return _DECODER.decode(data.decode())
    except ValueError:
        raise InvalidJson("not JSON") from None


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number past a float's range")
    return number


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)


def _has_long_integer(data: bytes) -> bool:
    """Whether an integer that may be past 64 bits stands outside of strings."""
    before = b""
    for piece in _outside_strings(data):
        digits = before + piece.translate(_SIGNS)
        if _LONG_INTEGER in digits:
            return True
        before = digits[1 - len(_LONG_INTEGER) :]
    return False


def _outside_strings(data: bytes) -> Iterator[bytes]:
    """The parts of a JSON text outside of its strings, in pieces. A quotation mark stands for each string."""
    inside, rest = 0, b""
    for start in range(0, len(data), _STEP):
        piece = rest + data[start : start + _STEP]
        # A backslash and what it escapes stay together.
        rest = b"\\" if (len(piece) - len(piece.rstrip(b"\\"))) % 2 else b""
        piece = piece[: len(piece) - len(rest)]
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b'"'.join([b"", *parts[1::2]] if inside else parts[::2])
        inside ^= (len(parts) - 1) & 1


def _check_values(data: bytes) -> None:
    values = 0
    for piece in _outside_strings(data):
        values += sum(piece.count(mark) for mark in _COUNTED)
        if values > MAX_VALUES:
            raise TooManyValues(f"more than {MAX_VALUES} brackets, commas and colons outside of its strings")


def _too_deep(data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    brackets = b"".join(piece.translate(None, _NO_BRACKETS) for piece in _outside_strings(data))
    if len(brackets) > 2 * MAX_VALUES:
        return False  # more brackets close than open: not JSON
    return max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0) > MAX_DEPTH


def _with_whole_characters(data: bytes) -> bytes:
    if 0 in data:
        return data  # UTF-16 and the like: replacing characters doesn't make it JSON
    # With escaped backslashes replaced, every backslash that is left begins an escape.
    text = data.replace(b"\\\\", b"\0")
    text, halves = _HALVES.subn(_character, text, count=MAX_HALVES + 1)
    if halves > MAX_HALVES:
        raise TooManyValues(f"more than {MAX_HALVES} surrogates, some without their other half")
    return text.replace(b"\0", b"\\\\").decode(errors="replace").encode()


def _character(found: re.Match[bytes]) -> bytes:
    halves = found[0]
    if halves.startswith(b"\\") and halves.count(b"\\") == 2:
        return halves  # a pair of escapes is JSON's own form of the character
    text = b"".join(
        chr(int(half[2:], 16)).encode("utf-8", "surrogatepass") if half.startswith(b"\\") else half
        for half in _HALF.findall(halves)
    ).decode("utf-8", "surrogatepass")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


_HALF = re.compile(_LEADING + rb"|" + _TRAILING)
