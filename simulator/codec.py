"""JSON in and out: orjson for speed, the standard library for what orjson refuses and Go's decoder takes.

Lone surrogates and integers past 64 bits occur in real clients' bodies and are no reason for a refusal.
"""

import json
from typing import Any, NoReturn

import orjson


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def decode(raw: bytes) -> Any:
    """The JSON value of `raw`; raises ValueError for anything that isn't JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            return json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def encode(value: object) -> bytes:
    """`value` as compact JSON in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, or an integer past 64 bits
        return json.dumps(value, separators=(",", ":")).encode("ascii")
