"""When an answer may be passed on: the check that stands between a failure and the client. Pure.

A whole answer counts when all of it is there, its content coding unpacks and it has choices or vectors and no error; a
streamed one from its first event that is none. Until then the call can still be tried again.
"""

from __future__ import annotations

from ..wire import content_coding, flaws, json_body, sse
from ..wire.content_coding import CodingError, TooLarge
from ..wire.flaws import Flaw


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
        return flaws.DAMAGED
    answer = flaws.of_answer(text)
    return answer if isinstance(answer, Flaw) else None


def opens(event: sse.Event) -> bool | Flaw:
    """Whether `event` is the one with which a stream has begun: not so comments, keep-alives and empty events."""
    data = event.data
    if event.opaque:
        return True
    if data is None or not data.strip():
        return False
    if sse.is_done(data):
        return True
    chunk = json_body.parse_object(data)
    if chunk is None:
        return flaws.UNREADABLE_EVENT
    return flaws.of_error(chunk, data, flaws.ERROR_EVENT) or True
