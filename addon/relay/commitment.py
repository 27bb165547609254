"""The check that an answer passes before it is sent on; until then the call can be tried again. Pure.

A whole answer is good if it is complete, can be unpacked, and has choices or vectors and no error. A streamed answer is
good from its first event on, if that is no error.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..exchange import JsonObject
from ..wire import content_coding, flaws, json_body, sse
from ..wire.content_coding import CodingError, TooLarge
from ..wire.flaws import Flaw
from .reading import Reading


def flaw(body: bytes, encoding: str, limit: int, reading: Reading) -> Flaw | None:
    """The flaw of the whole `body` of an answer, in the content coding `encoding` (`""`: none); `None`: it is good.

    `reading` reads the answers of this try. A body that can't be checked has no flaw: its coding is unknown, or it
    unpacks to more than `limit` bytes.
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
    answer = flaws.of_answer(reading.whole(text))
    return answer if isinstance(answer, Flaw) else None


_OPENING = frozenset(
    [
        *("message_start", "content_block_start", "ping"),
        *("response.created", "response.queued", "response.in_progress"),
        *("response.output_item.added", "response.content_part.added", "response.reasoning_summary_part.added"),
    ]
)
"""Types of events of Messages and Responses that only announce something."""


def says_something(
    event: sse.Event, value: JsonObject | None, chunks: Sequence[JsonObject] | None, reading: Reading
) -> bool:
    """Whether an `event` that opens an answer has a part of it, or its end: more than who speaks.

    Endpoints begin a stream before they know that they can't answer: an error comes after `message_start`, or after a
    chunk with the role alone (BerriAI/litellm#5512).
    """
    if event.opaque or event.data is None or sse.is_done(event.data):
        return True
    if reading.is_native:
        return value is not None and value.get("type") not in _OPENING
    for chunk in chunks or ():
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            delta = choice.get("delta")
            parts = delta.items() if isinstance(delta, dict) else ()
            if choice.get("finish_reason") or any(part and name != "role" for name, part in parts):
                return True
    return False


def opens(event: sse.Event, chunks: Sequence[JsonObject] | None, reading: Reading) -> bool | Flaw:
    """Whether the answer begins with `event`, or the event's flaw. Comments, keep-alives, empty events don't count.

    `chunks`: the chunks that `reading` makes of the event; `None` if the event is no JSON object.
    """
    data = event.data
    if event.opaque:
        return True
    if data is None or not data.strip():
        return False
    if sse.is_done(data):
        return True
    if chunks is None:
        return flaws.UNREADABLE_EVENT
    for chunk in chunks:
        text = data if reading.is_house else json_body.serialise(chunk)
        if flaw := flaws.of_error(chunk, text, flaws.ERROR_EVENT):
            return flaw
    return bool(chunks)
