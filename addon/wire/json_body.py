"""JSON in and out: fast where orjson can, by the standard library where orjson would lose or refuse something."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 1024
"""How deep lists and objects may nest: orjson's own limit, held for the standard library too."""

_ORJSON_INTEGER_LIMIT = 2.0**63
"""Where orjson starts to read integers as floats (below -2**63; above 2**64 - 1)."""


class InvalidJson(ValueError):
    """Not JSON, or JSON that can't be kept exactly. Its text never quotes the data."""


def parse(data: bytes) -> Any:
    """Read one JSON text in UTF-8.

    orjson refuses lone surrogates (`"\\ud800"`) and reads integers past 64 bits as floats, both of which
    clients really send; then the standard library reads the text again, so that nothing is lost.
    Raises `InvalidJson` for anything else that isn't JSON: also for NaN, Infinity, numbers past a float's range,
    a byte order mark, invalid UTF-8, and nesting beyond `MAX_DEPTH`.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _parse_slowly(data)
    return _parse_slowly(data) if _may_be_rounded(value) else value


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


def _parse_slowly(data: bytes) -> Any:
    try:
        # Decoded here: json.loads would guess UTF-16 and UTF-32 from bytes.
        value = json.loads(data.decode(), parse_float=_finite, parse_constant=_refuse)
    except RecursionError:
        raise InvalidJson("nested too deep") from None
    except ValueError:
        # The decoder's error holds the whole text: it must not travel on as the cause.
        raise InvalidJson("not JSON") from None
    if _too_deep(value):
        raise InvalidJson("nested too deep")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number past a float's range")
    return number


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _may_be_rounded(value: object) -> bool:
    """Whether a float in `value` is so large that it may have been an integer in the text."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if type(current) is str:
            continue
        if type(current) is float:
            if abs(current) >= _ORJSON_INTEGER_LIMIT:
                return True
        elif type(current) is dict:
            waiting.extend(current.values())
        elif type(current) is list:
            waiting.extend(current)
    return False


def _too_deep(value: object) -> bool:
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            return True
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
        depth += 1
    return False
