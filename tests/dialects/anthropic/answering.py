"""What the tests of the answer half share: chat answers, whole and in chunks, and what clients get of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hunyuan_fix.dialects.anthropic import Anthropic
from hunyuan_fix.exchange import Response
from tests.dialects.anthropic import event_order
from tests.dialects.chat_answers import USAGE

NOTE: dict[str, Any] = {
    "model": "claude-hy3",
    "client": "",
    "stream": True,
    "thinking": "shown",
    "stop_sequences": [],
    "tool_names": {},
    "input_tokens": 1000,
    "changes": [],
}
CLAUDE_CODE = {**NOTE, "client": "claude-code", "thinking": "omitted"}
COUNTED = {
    "input_tokens": 30,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 20,
    "output_tokens": 7,
}
"""`USAGE` in Anthropic's words."""


def call(name: str = "ls", arguments: Any = "{}", call_id: str = "call_1", **beside: Any) -> dict[str, Any]:
    """A tool call of a whole chat answer."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **beside}


def answer(finish: str | None = "stop", usage: Any = USAGE, **message: Any) -> dict[str, Any]:
    """A whole chat answer."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "hy3", "choices": [choice]} | (
        {} if usage is None else {"usage": usage}
    )


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """A chunk of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "hy3", "choices": [choice]}


def frame(index: int, arguments: str = "", **first: str) -> dict[str, Any]:
    """A chunk with a frame of a call; `first` has the `id` and the `name`, in the first of them."""
    function = {"arguments": arguments, **({"name": first["name"]} if "name" in first else {})}
    given = {"id": first["id"], "type": "function"} if "id" in first else {}
    return chunk(tool_calls=[{"index": index, **given, "function": function}])


USED: dict[str, Any] = {"id": "chatcmpl-1", "choices": [], "usage": USAGE}
"""The chunk with the usage, the last of a stream."""


def message(chat: Mapping[str, Any], **note: Any) -> dict[str, Any]:
    """The message for a whole chat answer."""
    made = Anthropic().answer(dict(chat), {**NOTE, **note})
    result: dict[str, Any] = json.loads(json.dumps(made))
    return result


def written(chunks: Iterable[Mapping[str, Any]], *, finished: bool = True, **note: Any) -> bytes:
    """The bytes of a stream."""
    writer = Anthropic().stream({**NOTE, **note})
    sent = [piece for each in chunks for piece in writer.feed(dict(each))]
    return b"".join([*sent, *(writer.finish() if finished else [])])


def streamed(*chunks: Mapping[str, Any], **note: Any) -> dict[str, Any]:
    """The message that a client puts together from a stream, which is held against the order of events."""
    return event_order.message_in(written(chunks, **note))


def refused(status: int, body: Any = b"", headers: Mapping[str, str] | None = None, **note: Any) -> Response:
    """An error for the client. `body`: bytes, or an OpenAI error object's fields."""
    if isinstance(body, dict):
        body = json.dumps({"error": body}).encode()
    return Anthropic().error(Response(status, dict(headers or {}), body), {**NOTE, **note})


def error_of(response: Response) -> dict[str, Any]:
    """The error object in an answer, which is in Anthropic's shape."""
    body = json.loads(response.body)
    assert body["type"] == "error" and body.keys() <= {"type", "error", "request_id"}
    assert body["error"]["type"] in event_order.ERROR_TYPES
    assert response.headers["content-type"] == "application/json"
    result: dict[str, Any] = body["error"]
    return result
