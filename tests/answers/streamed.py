"""Streams for the tests of `hunyuan_fix.wire`: what an endpoint sends, and what a client makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from openai.lib.streaming._deltas import accumulate_delta

from hunyuan_fix.answers.event_shape import Shape
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.exchange import AnswerPlan
from hunyuan_fix.wire import sse

HEAD = {"id": "939fbdb8dbb9b4c5944cbbe687c977c2", "object": "chat.completion.chunk", "created": 1, "model": "m"}
DONE = b"data: [DONE]\n\n"


def chunk(delta: object = None, finish: str | None = None, index: int = 0, **fields: object) -> bytes:
    """One chunk as the legacy endpoint writes it (docs/facts/hunyuan.md#streams)."""
    choice = {"index": index, "delta": {} if delta is None else delta, "finish_reason": finish}
    value = {**HEAD, "choices": [choice], "note": "以上内容为AI生成", **fields}
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def content(text: str, finish: str | None = None, index: int = 0) -> bytes:
    """A chunk with text."""
    return chunk({"role": "assistant", "content": text}, finish, index)


def tool_frames(*frames: dict[str, Any]) -> bytes:
    """A chunk with tool-call frames."""
    return chunk({"role": "assistant", "tool_calls": list(frames)})


def frame(
    index: object = None, id: object = None, name: object = None, arguments: object = "", **fields: object
) -> dict[str, Any]:
    """A tool-call frame; `None` is left out. One with an id is whole: it has a type."""
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    found = {"id": id, "index": index, "type": "function" if id else None} | fields
    return {key: value for key, value in found.items() if value is not None} | {"function": function}


def usage(**fields: object) -> bytes:
    """The last data chunk of a stream with `include_usage`."""
    return b"data: " + json.dumps({**HEAD, "choices": [], "usage": {"total_tokens": 7}, **fields}).encode() + b"\n\n"


def run(plan: AnswerPlan, chunks: Iterable[bytes], *, end: bool = True) -> tuple[bytes, ChatStream]:
    """Send `chunks` through; what the client gets."""
    stream = ChatStream(plan)
    sent = [piece for data in chunks for piece in stream.feed(data)]
    if end:
        sent += stream.finish()
    assert b"" not in sent
    return b"".join(sent), stream


def read_everything(patch: pytest.MonkeyPatch) -> None:
    """Let a stream read all its events: none is recognised by its bytes."""
    patch.setattr(Shape, "sent_for", lambda shape, event: None)
    patch.setattr(ChatStream, "_passes", lambda stream, data: False)


def values(sent: bytes) -> list[Any]:
    """The JSON values of a stream's events, without [DONE]."""
    events = list(sse.Parser().feed(sent))
    return [json.loads(event.data) for event in events if event.data not in (None, b"[DONE]") and event.data]


def deltas(sent: bytes, index: int = 0) -> list[Any]:
    """One choice's deltas."""
    return [
        choice["delta"] for value in values(sent) for choice in value.get("choices", ()) if choice["index"] == index
    ]


def text(sent: bytes, index: int = 0) -> str:
    """One choice's whole text."""
    return "".join(delta.get("content") or "" for delta in deltas(sent, index))


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """`data` in pieces, cut at `places`."""
    marks = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(marks)]


def by_index(sent: bytes, index: int = 0) -> dict[int, dict[str, str]]:
    """A choice's tool calls as a client makes them that goes by `index` and takes what comes last."""
    calls: dict[int, dict[str, str]] = {}
    for delta in deltas(sent, index):
        for part in delta.get("tool_calls") or ():
            call = calls.setdefault(part["index"], {"arguments": ""})
            function = part.get("function", {})
            call |= {key: part[key] for key in ("id", "type") if key in part}
            call |= {"name": function["name"]} if "name" in function else {}
            call["arguments"] += function.get("arguments", "")
    return calls


def by_openai(sent: bytes, index: int = 0) -> dict[int, dict[str, str]]:
    """The same as openai-python's own accumulator makes them, which joins texts that come again."""
    snapshot: dict[object, object] = {}
    for delta in deltas(sent, index):
        snapshot = accumulate_delta(snapshot, delta)
    found: Any = snapshot.get("tool_calls", [])
    return {call["index"]: {key: call[key] for key in ("id", "type")} | call["function"] for call in found}
