"""A request that is too long, from a Codex that can compact its history: an answer that makes it do so.

Codex compacts where the usage of an answer says that the window is full. An error ends the turn instead, and in a long
session each later one (docs/facts/clients.md#variables-of-agents). So it gets an answer that has no item, says that the
window is full, and that the turn isn't over: Codex compacts, and asks once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from ...exchange import JsonObject, Response
from ...wire import json_body, sse
from .. import ending as counted
from . import ending

_FIRST: Final = (0, 171)
"""The first version that was seen to go on with such an answer."""
_VERSION: Final = re.compile(r"codex[\w-]*/(\d{1,4})\.(\d{1,6})", re.ASCII | re.IGNORECASE)
_TURN_HEADER: Final = "x-codex-turn-metadata"
_FULL: Final = 100_000_000
"""Tokens: more than any window."""


def can_compact(body: JsonObject, headers: Mapping[str, str]) -> bool:
    """Whether the client of the request `body` can compact its history, and that would make this request shorter.

    Not where the request is the one to compact: that one loses its oldest items after an error, and is sent again. Nor
    where the history has no more than what compacting keeps: the user's own messages.
    """
    version = _VERSION.search(headers.get("user-agent", ""))
    if version is None or (int(version[1]), int(version[2])) < _FIRST or body.get("stream") is not True:
        return False
    given = body.get("input")
    return _is_turn(headers.get(_TURN_HEADER, "")) and isinstance(given, list) and any(map(_is_the_models, given))


def answer(note: JsonObject) -> Response:
    """The answer to the request that left `note`: a stream with no item in it. Of its usage only the total is large."""
    begun = ending.begun({}, note)
    ended = ending.ended(begun, note, [], "stop", counted.counts(None, note, 0))
    ended = {**ended, "end_turn": False, "usage": {**ended["usage"], "total_tokens": _FULL}}
    events = (("response.created", begun), ("response.in_progress", begun), ("response.completed", ended))
    written = b"".join(
        b"event: %b\n%b" % (name.encode(), sse.event(json_body.serialise(_event(number, name, response))))
        for number, (name, response) in enumerate(events)
    )
    return Response(200, {"content-type": "text/event-stream"}, written)


def _event(number: int, name: str, response: JsonObject) -> JsonObject:
    return {"type": name, "response": response, "sequence_number": number}


def _is_turn(header: str) -> bool:
    try:
        told: Any = json.loads(header)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("request_kind") == "turn"


def _is_the_models(item: object) -> bool:
    """Whether compacting drops it: a text of the model's, a call, an output."""
    if not isinstance(item, dict):
        return False
    return item.get("role") == "assistant" or str(item.get("type")).endswith(("_call", "_output"))
