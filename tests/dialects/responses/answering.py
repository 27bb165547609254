"""What the tests of the answer half share: the note of a request, and what clients get of chat answers."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hunyuan_fix.dialects.responses import answer as whole_answers
from hunyuan_fix.dialects.responses import errors
from hunyuan_fix.dialects.responses.stream import Writer
from hunyuan_fix.exchange import Response
from tests.dialects.responses import event_order

NOTE: dict[str, Any] = {
    "model": "gpt-hy3",
    "client": "",
    "stream": True,
    "input_tokens": 1000,
    "tools": {},
    "echo": {},
    "reasoning": {"summary": False, "encrypted": False},
    "id": "resp_1",
}
CODEX = {
    **NOTE,
    "client": "codex",
    "reasoning": {"summary": True, "encrypted": True},
    "tools": {
        "apply_patch": {"kind": "custom", "name": "apply_patch"},
        "exec": {"kind": "custom", "name": "exec"},
        "mcp__odd__add": {"kind": "function", "name": "add", "namespace": "mcp__odd"},
        "tool_search": {"kind": "tool_search", "name": "tool_search"},
    },
}
COUNTED = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 57,
}
"""The usage of the chat answers, in OpenAI's words for responses."""
PATCH = "*** Begin Patch\n*** Add File: a\n+b\n*** End Patch"


def response(chat: Mapping[str, Any], **note: Any) -> dict[str, Any]:
    """The response for a whole chat answer, held against its type."""
    made = whole_answers.response(copy.deepcopy(dict(chat)), {**copy.deepcopy(NOTE), **note})
    result: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    event_order.check_response(result, result["status"])
    return result


def written(chunks: Iterable[Mapping[str, Any]], *, finished: bool = True, **note: Any) -> bytes:
    """The bytes of a stream."""
    writer = Writer({**copy.deepcopy(NOTE), **note})
    sent = [piece for each in chunks for piece in writer.feed(copy.deepcopy(dict(each)))]
    return b"".join([*sent, *(writer.finish() if finished else [])])


def streamed(*chunks: Mapping[str, Any], **note: Any) -> dict[str, Any]:
    """The response that a client puts together from a stream, which is held against the order of events."""
    return event_order.response_in(written(chunks, **note))


def failed(*chunks: Mapping[str, Any], **note: Any) -> dict[str, Any]:
    """The error with which a stream fails."""
    found = event_order.read(written(chunks, **note))
    assert found.names[-1] == "response.failed" and found.error is not None
    return found.error


def names(data: bytes) -> list[str]:
    """The names of the events, without what they all begin with."""
    return [name.removeprefix("response.") for name, _ in event_order.events(data)]


def items(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The output without ids and statuses, which other tests look at."""
    return [{key: item[key] for key in item if key not in ("id", "status")} for item in made["output"]]


def said(text: str, **beside: Any) -> dict[str, Any]:
    """A message item, as `items` gives it."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **beside}
    return {"type": "message", "role": "assistant", "content": [part]}


def refused(status: int, body: Any = b"", headers: Mapping[str, str] | None = None, **note: Any) -> Response:
    """An error for the client. `body`: bytes, or an OpenAI error object's fields."""
    if isinstance(body, dict):
        body = json.dumps({"error": body}).encode()
    return errors.error(Response(status, dict(headers or {}), body), {**NOTE, **note})


def error_of(made: Response) -> dict[str, Any]:
    """The error object in an answer, which is in OpenAI's shape."""
    error: dict[str, Any] = json.loads(made.body)["error"]
    assert error.keys() >= {"message", "type", "param", "code"}
    assert made.headers["content-type"] == "application/json"
    return error
