"""Long strings made short for a person: file data by kind and size, texts by their beginning and end."""

from __future__ import annotations

import re
from typing import Any

from ..exchange import JsonObject
from ..texts.terminal import say
from ..wire import json_body

TEXT_LIMIT = 2000
"""Characters of a text that are shown whole."""

DEPTH = 100
"""Levels of nested JSON that are shown. Deeper ones could exceed Python's recursion limit."""

_KEPT = 400
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(;[\w=.+-]+)*,", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]{200,}")


def parse(data: bytes) -> Any:
    """The JSON value in `data`, levels below `DEPTH` replaced by "…". Raises `json_body.InvalidJson`."""
    return _shallow(json_body.parse(data), DEPTH)


def parse_object(data: bytes) -> JsonObject | None:
    """`parse` for a JSON object; `None` where `data` holds anything else."""
    value = json_body.parse_object(data)
    return None if value is None else _shallow(value, DEPTH)


def _shallow(value: Any, levels: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return "…"
    if isinstance(value, dict):
        return {key: _shallow(item, levels - 1) for key, item in value.items()}
    return [_shallow(item, levels - 1) for item in value]


def size(count: float) -> str:
    """A number of bytes for a person: `412 kB`."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def text(value: str) -> str:
    """A string without its file data, and without its middle where it is long."""
    head = _DATA_URL.match(value)
    if head:
        return f"{head.group()}… {size((len(value) - head.end()) * 3 // 4)}"
    if len(value) > TEXT_LIMIT and _BASE64.match(value):
        return f"{value[:20]}… {say('{size} of base64', size=size(len(value) * 3 // 4))}"
    if len(value) > TEXT_LIMIT:
        left_out = say("{count:,} characters", count=len(value) - 2 * _KEPT)
        return f"{value[:_KEPT]}… {left_out} …{value[-_KEPT:]}"
    return value


def everything(value: Any) -> Any:
    """A JSON value with every string in it shortened."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {key: everything(item) for key, item in value.items()}
    if isinstance(value, list):
        return [everything(item) for item in value]
    return value
