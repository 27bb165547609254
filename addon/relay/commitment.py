"""When an answer may be passed on: the check that stands between a failure and the client. Pure.

A whole answer counts when it is complete, its content coding unpacks and it has choices or vectors and no error; a
streamed one from its first event that is no error. Until then the call can still be tried again.
"""

from __future__ import annotations

from ..wire import content_coding, flaws, json_body, sse
from ..wire.content_coding import CodingError, TooLarge
from ..wire.flaws import Flaw


def flaw(body: bytes, encoding: str, limit: int) -> Flaw | None:
    """The flaw of the whole `body` of an answer, in the content coding `encoding` (`""`: none); `None`: it is good.

    A body that can't be checked has no flaw: an unknown coding, or more than `limit` bytes once unpacked.
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
    """Whether the stream begins with `event`, or the event's flaw. Comments, keep-alives, empty events don't count."""
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
