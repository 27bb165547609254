"""Ids of tool calls as texts. Clients write them as any JSON value."""

from __future__ import annotations

from ..wire import json_body

NO_ID = ""
"""An id that is absent, null or empty."""


def as_text(given: object) -> str:
    """An id as text, the same for a call and for its answer: `1`, `1.0` and `"1"` are one id, as they are for clients
    whose language has one kind of number."""
    if given is None:
        return NO_ID
    if isinstance(given, str):
        return given
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return json_body.serialise(given).decode()
