"""An answer as it is recorded: with ids that only depend on what was asked, and without the time. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from ..exchange import JsonObject
from ..wire import call_ids

_IDS: Final = frozenset({"id", "call_id", "item_id", "tool_call_id", "tool_use_id", "request_id", "response_id"})
_TIME: Final = 1_735_689_600
"""When each recorded answer was made, in seconds since 1970: the beginning of 2025. 0 is no time."""
_TIMES: Final = frozenset({"created", "created_at", "completed_at"})
_LEFT_OUT: Final = frozenset({"system_fingerprint"})
_STEM: Final = re.compile(r"(?:[A-Za-z]{1,20}[_-]){0,2}")
_LENGTH: Final = 24
_WITHIN: Final = frozenset({"input", "arguments", "parsed"})
"""Fields whose content is the model's own: an `id` in it is no name of an answer."""


def stable(answer: JsonObject, call: str) -> JsonObject:
    """A copy of `answer`, the one to the call that is named `call`: the same each time that it is recorded."""
    names: dict[str, str] = {}

    def renamed(id: str) -> str:
        if not id or call_ids.is_counted(id):
            return id  # some models want the form of their own ids back, and it is the same each time
        if id not in names:
            stem = _STEM.match(id)
            digest = hashlib.sha256(f"{call} {len(names)}".encode()).hexdigest()[:_LENGTH]
            names[id] = f"{stem[0] if stem else ''}{digest}"
        return names[id]

    def copied(value: Any) -> Any:
        if isinstance(value, list):
            return [copied(item) for item in value]
        if not isinstance(value, dict):
            return value
        made: JsonObject = {}
        for name, given in value.items():
            if name in _LEFT_OUT:
                continue
            if name in _IDS and isinstance(given, str):
                made[name] = renamed(given)
            elif name in _TIMES and isinstance(given, int | float):
                made[name] = _TIME
            else:
                made[name] = given if name in _WITHIN else copied(given)
        return made

    return dict(copied(answer))
