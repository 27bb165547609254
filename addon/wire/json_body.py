"""JSON in and out: fast where orjson can, by the standard library where orjson would lose or refuse something.

No Python loop walks over values: calls that run in C count in the bytes what a text may cost.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NoReturn

import orjson

from ..exchange import JsonObject

MAX_DEPTH = 1024
"""How deep lists and objects may nest: orjson's own limit, held for the standard library too."""

MAX_VALUES = 500_000
"""Brackets that open, commas and colons outside of strings. orjson holds the GIL: this many take it about 50 ms."""

MAX_HALVES = 100_000
"""Surrogates in a text that has at least one without its other half: each of them is looked at in Python."""

BOM = b"\xef\xbb\xbf"

_STEP = 1 << 20
"""Bytes looked at in one call: between two calls other threads run."""

_COUNTED = b"[{,:"
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER = b"0" * 19
"""From 19 digits on (2**63 has 19) orjson may read an integer as a float."""

_SPARSE = 6
_SPARSE_DIGITS = b"0" * (len(_LONG_INTEGER) // _SPARSE)

_LEADING = rb"\\u[dD][89abAB][0-9a-fA-F]{2}|\xed[\xa0-\xaf][\x80-\xbf]"
_TRAILING = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}|\xed[\xb0-\xbf][\x80-\xbf]"
_HALVES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?:%b)?|\xed[\xa0-\xaf][\x80-\xbf](?:%b)?|%b" % (_TRAILING, _TRAILING, _TRAILING)
)
"""Surrogates, as escapes or as raw bytes (CESU-8), in pairs where both halves are there."""


class InvalidJson(ValueError):
    """Not JSON, or JSON that can't be kept exactly. Its text never quotes the data."""


class TooManyValues(InvalidJson):
    """More values, or more halves of characters, than are read. Its text names the bound."""


@dataclass(frozen=True, slots=True)
class Read:
    """A JSON text that was read. `data` is the text as a strict reader takes it; `fixes` says what was changed."""

    value: Any
    data: bytes
    fixes: tuple[str, ...] = ()


def parse(data: bytes) -> Any:
    """The value of one JSON text in UTF-8; raises as `read`."""
    return read(data).value


def parse_object(data: bytes) -> JsonObject | None:
    """The JSON object in `data`, `None` where it holds anything else."""
    try:
        value = parse(data)
    except InvalidJson:
        return None
    return value if isinstance(value, dict) else None


def read(data: bytes) -> Read:
    """Read one JSON text in UTF-8, and fix its characters where a strict reader would refuse them.

    A byte order mark goes. Halves of a character (`"\\ud83d"`) become the character where both are there, else
    U+FFFD, in keys too; so do bytes that are no UTF-8. Integers past 64 bits are kept.
    Raises `TooManyValues` past `MAX_VALUES` or `MAX_HALVES`, and `InvalidJson` for anything else that isn't JSON: also
    for NaN, Infinity, numbers past a float's range and nesting beyond `MAX_DEPTH`.
    """
    fixes = []
    if data.startswith(BOM):
        data = data[len(BOM) :]
        fixes.append("the byte order mark went")
    if len(data) > MAX_VALUES and structure(data) > MAX_VALUES:
        _check_values(data)
    try:
        return Read(_value(data), data, tuple(fixes))
    except TooManyValues:
        raise
    except InvalidJson:
        whole = _with_whole_characters(data)
        if whole == data:
            raise
    fixes.append("halves of characters, or bytes that are no UTF-8, became U+FFFD or the character that was meant")
    return Read(_value(whole), whole, tuple(fixes))


def structure(data: bytes) -> int:
    """Brackets that open, commas and colons in `data`, those in its strings too: at least the number of its values."""
    pieces = (data[start : start + _STEP] for start in range(0, len(data), _STEP))
    return sum(len(piece) - len(piece.translate(None, _COUNTED)) for piece in pieces)


def serialise(value: object) -> bytes:
    """Write `value` as compact JSON in UTF-8, without a line break in it.

    Only where orjson can't (integers past 64 bits, lone surrogates, deep nesting) the standard library writes; a
    text with lone surrogates is written in ASCII escapes, since UTF-8 has no form for them. Two lone surrogates
    that stand together become one character, which is what they mean in JSON.
    Raises `TypeError` or `ValueError` for what JSON has no form for.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        pass
    try:
        return _dump(value, ascii_only=False).encode()
    except UnicodeEncodeError:
        return _dump(value, ascii_only=True).encode()


def _dump(value: object, *, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":"))


def _value(data: bytes) -> Any:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        # The decoder's error holds the whole text: it must not travel on as the cause.
        if not _has_long_integer(data):
            raise InvalidJson("nested too deep" if _too_deep(data) else "not JSON") from None
    else:
        if not _has_long_integer(data):
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
    """Whether so many digits stand together, outside of strings, that they may be an integer past 64 bits."""
    overlap = len(_LONG_INTEGER) - 1
    # Of 19 bytes in a row at least three are among every sixth: without three digits there, no integer is so long.
    if _SPARSE_DIGITS not in data[::_SPARSE].translate(_ZEROS):
        return False
    if not any(
        _LONG_INTEGER in data[max(0, start - overlap) : start + _STEP].translate(_ZEROS)
        for start in range(0, len(data), _STEP)
    ):
        return False
    before = b""
    for piece in _outside_strings(data):
        digits = before + piece.translate(_ZEROS)
        if _LONG_INTEGER in digits:
            return True
        before = digits[-overlap:]
    return False


def _outside_strings(data: bytes) -> Iterator[bytes]:
    """What of a JSON text stands outside of its strings, each string being one quotation mark, in pieces."""
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
        values += structure(piece)
        if values > MAX_VALUES:
            raise TooManyValues(f"more than {MAX_VALUES} brackets, commas and colons outside of its strings")


def _too_deep(data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    brackets = b"".join(piece.translate(None, _NO_BRACKETS) for piece in _outside_strings(data))
    if len(brackets) > 2 * MAX_VALUES:
        return False  # more of them close than open
    return max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0) > MAX_DEPTH


def _with_whole_characters(data: bytes) -> bytes:
    if 0 in data:
        return data  # UTF-16 and the like: no JSON with other characters either
    # Escaped backslashes out of the way: what is left of backslashes begins an escape.
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
