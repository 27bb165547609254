"""Rounds of an answer, as an endpoint streams them, and what a client reads of the stream that it gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hunyuan_fix.wire import json_body, sse

DONE = b"data: [DONE]\n\n"


def event(**chunk: Any) -> bytes:
    return sse.event(json_body.serialise(chunk))


def choice(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": reason, **more}


def stream(
    pieces: list[str],
    reason: str = "length",
    number: int = 1,
    *,
    thought: str = "",
    usage: dict[str, Any] | None = None,
) -> bytes:
    """One round. Its last piece comes with the finish reason."""
    head = {"id": f"id-{number}", "object": "chat.completion.chunk", "created": number, "model": f"m{number}"}
    events = [event(**head, choices=[choice({"role": "assistant", "content": ""})])]
    if thought:
        events.append(event(**head, choices=[choice({"reasoning_content": thought})]))
    events += [event(**head, choices=[choice({"content": piece})]) for piece in pieces[:-1]]
    events.append(event(**head, choices=[choice({"content": pieces[-1]} if pieces else {}, reason)]))
    if usage is not None:
        events.append(event(**head, choices=[], usage=usage))
    return b"".join([*events, DONE])


@dataclass(slots=True)
class Client:
    """What a client makes of a stream."""

    text: str = ""
    thoughts: str = ""
    reasons: list[str] = field(default_factory=list)
    ids: set[Any] = field(default_factory=set)
    usages: list[Any] = field(default_factory=list)
    calls: list[Any] = field(default_factory=list)
    done: int = 0
    comments: int = 0


def read(data: bytes) -> Client:
    client = Client()
    for found in sse.Parser().feed(data):
        if found.data is None:
            client.comments += 1
        elif sse.is_done(found.data):
            client.done += 1
        else:
            assert not client.done, "nothing comes behind the end"
            chunk = json_body.parse_object(found.data)
            assert chunk is not None
            client.ids.add((chunk.get("id"), chunk.get("created"), chunk.get("model")))
            if chunk.get("usage"):
                client.usages.append(chunk["usage"])
            for one in chunk.get("choices", ()):
                assert not client.reasons or not one["delta"].get("content"), "no text behind the finish reason"
                client.text += one["delta"].get("content") or ""
                client.thoughts += one["delta"].get("reasoning_content") or ""
                client.calls += one["delta"].get("tool_calls") or []
                client.reasons += [one["finish_reason"]] if one["finish_reason"] else []
                client.usages += [one["usage"]] if one.get("usage") else []
    return client
