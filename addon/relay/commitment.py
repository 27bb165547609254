"""When an answer may be passed on: the check that stands between a failure and the client. Pure.

A whole answer counts when all of it is there, its content coding unpacks and it is a JSON object without an error; a
streamed one from its first event that is none (issue 4 point 3). Until then the call can still be tried again.
"""

from __future__ import annotations

from dataclasses import dataclass

from addon import content_coding
from addon.content_coding import CodingError, TooLarge
from addon.wire import json_body, sse


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why something that came with a status of success is no answer."""

    what: str
    """For log and counts: one of a few fixed texts."""
    error: bytes | None = None
    """The JSON text of the endpoint's error, where that is what came."""


NO_JSON = Flaw("no JSON")
DAMAGED = Flaw("damaged content coding")
EMPTY_STREAM = Flaw("empty stream")
UNREADABLE_EVENT = Flaw("unreadable event")
TOO_LARGE = Flaw("answer too large")

_ERROR_ANSWER = "error in a success"
_ERROR_EVENT = "error event first"


def flaw(body: bytes, encoding: str, limit: int) -> Flaw | None:
    """What is wrong with the whole `body` of an answer, which may be in the content coding `encoding`.

    What can't be looked at has no flaw: a coding that isn't known, or more than `limit` bytes once unpacked.
    """
    try:
        content_coding.unpacker(encoding)
    except CodingError:
        return None
    try:
        text = content_coding.unpack(body, encoding, limit)
    except TooLarge:
        return None
    except CodingError:
        return DAMAGED
    try:
        answer = json_body.parse(text)
    except json_body.InvalidJson:
        return NO_JSON
    if not isinstance(answer, dict):
        return NO_JSON
    return Flaw(_ERROR_ANSWER, text) if answer.get("error") else None


def opens(event: sse.Event) -> bool | Flaw:
    """Whether `event` is the one with which a stream has begun: not so comments, keep-alives and empty events."""
    data = event.data
    if event.opaque:
        return True
    if data is None or not data.strip():
        return False
    if is_done(data):
        return True
    try:
        chunk = json_body.parse(data)
    except json_body.InvalidJson:
        return UNREADABLE_EVENT
    if not isinstance(chunk, dict):
        return UNREADABLE_EVENT
    return Flaw(_ERROR_EVENT, data) if chunk.get("error") else True


def is_done(data: bytes) -> bool:
    """Whether the data of an event is OpenAI's mark of a stream's end."""
    return data.strip() == b"[DONE]"
