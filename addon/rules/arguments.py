"""Arguments of past tool calls become the JSON text of an object.

A call that `max_tokens` cut makes every later request of its session fail, since each repeats it: endpoints answer 400
to arguments that are no JSON object (esengine/DeepSeek-Reasonix#3953; hy3: itmisx/deepx-code#200).
"""

from __future__ import annotations

import re

import orjson

from ..wire import json_body
from .content import is_blank_text

KEPT_AS = "arguments"
"""The key of the text that is kept where it is no object."""

_NONE = "{}"
_BYTE_ORDER_MARK = "\ufeff"
_MAX_VALUES = 1_000_000
"""How many values a text may hold to be read: a million empty lists take 60 MB."""
_LONE_HALF = re.compile(
    r"((?<!\\)(?:\\\\)*)"  # whole escapes of backslashes: what follows is an escape of its own
    r"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""A JSON escape of half a surrogate pair, or of a pair (group 2), which stays."""


def as_object(given: object) -> str:
    """The JSON text of an object for a call's arguments, given as text or as any other JSON value.

    The text of an object stays as it is, one that was encoded more than once is decoded, nothing (null, blank) is `{}`.
    Any other text is kept under the key `KEPT_AS`. Halves of surrogate pairs become U+FFFD.
    """
    if given is None:
        return _NONE
    text = given if isinstance(given, str) else json_body.serialise(given).decode()
    if is_object(text):
        return text
    text = _whole_characters(text)
    inner: object = text
    # Each encoding doubles the backslashes before a quote, so a text can hold few of them.
    while isinstance(inner, str):
        inner = inner.lstrip(_BYTE_ORDER_MARK)
        if is_blank_text(inner):
            return _NONE
        value = _read(inner)
        if isinstance(value, dict):
            return inner
        if value is None:
            return _NONE
        inner = value
    return json_body.serialise({KEPT_AS: text}).decode()


class _NotJson:
    """What was read of a text that is no JSON."""


def is_object(text: str) -> bool:
    """Whether `text` is the JSON text of an object."""
    return isinstance(_read(text), dict)


def _read(text: str) -> object:
    if len(text) > _MAX_VALUES and sum(map(text.count, "[{,")) > _MAX_VALUES:
        return _NotJson
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _NotJson


def _whole_characters(text: str) -> str:
    """`text` with U+FFFD for halves of surrogate pairs, as characters and as JSON escapes."""
    paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _LONE_HALF.sub(lambda found: found[0] if found[2] else found[1] + "\ufffd", paired)
