"""The faults, by name, in groups that call for the same outcome."""

from __future__ import annotations

import json

from tests.fault_proxy import (
    HTML_502,
    Fault,
    chunked,
    half_close,
    http_answer,
    reset,
    says,
    stall,
    stream_head,
    truncated_gzip,
)

HEAD, BODY, STREAM = 20, 300, 800
"""Bytes of what the simulator answers: within the head, within the body of a whole answer or a description, within a
stream after its first event."""

ERROR = {"error": {"message": "内部错误", "type": "runtime_error", "param": None, "code": "5000"}}
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
_BODY = json.dumps(ANSWER | {"padding": "x" * 500}).encode()


def event(content: str, reason: str | None = None) -> bytes:
    """An event of a stream."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": reason}
    chunk = {"id": "c0ffee", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


ERROR_EVENT = b"data: " + json.dumps(ERROR).encode() + b"\n\n"
DRIPS = {"byte by byte": 1, "7 bytes": 7}
STALLS = {"before anything": 0, "in mid stream": STREAM}
_IN_CHUNKS = stream_head(transfer_encoding="chunked")


BROKEN_ANSWERS = {
    "reset before anything": reset(),
    "reset within the head": reset(HEAD),
    "reset within the body": reset(BODY),
    "half-close within the head": half_close(HEAD),
    "half-close within the body": half_close(BODY),
    "content-length too long": says(http_answer(_BODY, length=len(_BODY) + 10)),
}
"""No whole HTTP answer to a request that isn't streamed."""

STALLED_ANSWERS = {
    "stall before anything": stall(),
    "stall within the head": stall(HEAD),
    "stall within the body": stall(BODY),
}

UNREADABLE_ANSWERS = {
    "content-length too short": says(http_answer(_BODY, length=len(_BODY) - 10)),
    "truncated gzip": says(truncated_gzip(_BODY)),
    "200 with HTML": says(http_answer(b"<html>Please log in</html>", content_type="text/html")),
}
"""HTTP in order, status 200, and nothing that a client could use."""

ERROR_ANSWERS = {
    "HTML page with 502": says(HTML_502),
    "200 with an error": says(http_answer(json.dumps(ERROR).encode())),
    "500 with an error": says(http_answer(json.dumps(ERROR).encode(), status=500)),
}

BROKEN_BEFORE_THE_STREAM = {
    "reset before anything": reset(),
    "reset within the head": reset(HEAD),
    "half-close within the head": half_close(HEAD),
}

BROKEN_BEFORE_THE_FIRST_EVENT = {
    "reset after the head": says(_IN_CHUNKS, ends="reset"),
    "reset within the first event": says(_IN_CHUNKS + chunked(event("hi")[:30], complete=False), ends="reset"),
    "reset after a comment": says(_IN_CHUNKS + chunked(b": ping\n\n", complete=False), ends="reset"),
    "half-close after the head": says(_IN_CHUNKS, ends="half-close"),
}

BROKEN_IN_MID_STREAM = {
    "reset": reset(STREAM),
    "reset within an event": says(_IN_CHUNKS + chunked(event("hi"), event("you")[:30], complete=False), ends="reset"),
    "half-close": half_close(STREAM),
    "close": Fault(after=STREAM, ends="close"),
}

ENDED_IN_MID_STREAM = {
    "after an event": says(_IN_CHUNKS + chunked(event("hi"), event("you"))),
    "within an event": says(_IN_CHUNKS + chunked(event("hi"), event("you")[:30])),
    "without a length": says(stream_head() + event("hi") + event("you")),
}
"""A proper end of the HTTP message, without a finish reason."""
