"""Anthropic's messages in the shapes of chat, as far as a person reads them: requests, whole answers, streams.

For views only: what the endpoint was sent is the dialect's translation (`dialects.anthropic`), which a flow shows too.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ..exchange import JsonObject
from . import shorten

ENDS: Final = frozenset(["message_stop"])
"""The types of a stream's last event."""
_EVENTS: Final = ("message_", "content_block_", "ping", "error")
"""What the types of its events begin with."""


def is_answer(body: JsonObject) -> bool:
    """Whether a whole answer is a message."""
    return body.get("type") == "message" and isinstance(body.get("content"), list)


def is_event(event: JsonObject) -> bool:
    """Whether an event of a stream is of this format."""
    return isinstance(event.get("type"), str) and event["type"].startswith(_EVENTS) and "choices" not in event


def is_request(body: JsonObject) -> bool:
    """Whether there is anything to read in a request."""
    return isinstance(body.get("messages"), list)


def is_end(event: JsonObject) -> bool:
    """Whether it is the last event of its stream."""
    return event.get("type") in ENDS


def as_chat(body: JsonObject) -> JsonObject:
    """A request, with its system text as the first message, and results of tools as messages of their own."""
    messages: list[Any] = []
    if body.get("system"):
        messages.append({"role": "system", "content": body["system"]})
    for message in body["messages"]:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            messages += _messages(message, content)
        else:
            messages.append(message)
    return {key: value for key, value in body.items() if key != "system"} | {"messages": messages}


def as_completion(message: JsonObject) -> JsonObject:
    """A whole answer."""
    (said,) = _messages({"role": "assistant"}, [block for block in message["content"] if _type(block) != "tool_result"])
    said["content"] = "".join(_text(part) for part in said["content"])
    choice = {"index": 0, "message": said, "finish_reason": message.get("stop_reason")}
    return {"choices": [choice], "usage": message.get("usage")}


def as_chunk(event: JsonObject) -> JsonObject:
    """An event of a stream. `error` stays as it is."""
    index, delta = event.get("index"), _object(event.get("delta"))
    said: JsonObject = {}
    chunk: JsonObject = {"choices": []}
    match event.get("type"):
        case "error":
            return {"error": event.get("error")}
        case "message_start":
            chunk["usage"] = _object(event.get("message")).get("usage")
        case "content_block_start":
            block = _object(event.get("content_block"))
            if _type(block) == "tool_use":
                function = {"name": block.get("name"), "arguments": ""}
                said = {"tool_calls": [{"index": index, "id": block.get("id"), "function": function}]}
        case "content_block_delta":
            said = {
                "content": delta.get("text"),
                "reasoning_content": delta.get("thinking"),
                "tool_calls": [{"index": index, "function": {"arguments": delta.get("partial_json")}}]
                if "partial_json" in delta
                else None,
            }
        case "message_delta":
            chunk = {"usage": event.get("usage")}
    if said or "stop_reason" in delta:
        chunk["choices"] = [{"index": 0, "delta": said, "finish_reason": delta.get("stop_reason")}]
    return chunk


def _messages(message: JsonObject, blocks: list[Any]) -> list[JsonObject]:
    """The messages for one with `blocks`: results of tools, then the rest, if there is any."""
    results, parts, calls, reasoning = [], [], [], []
    for block in blocks:
        match _type(block):
            case "tool_result":
                content = block.get("content")
                results.append({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": _parts(content)})
            case "tool_use":
                function = {"name": block.get("name"), "arguments": block.get("input")}
                calls.append({"id": block.get("id"), "function": function})
            case "thinking" if isinstance(block.get("thinking"), str):
                reasoning.append(block["thinking"])
            case _:
                parts.append(_part(block))
    said = {**message, "content": parts, "tool_calls": calls, "reasoning_content": "".join(reasoning)}
    return results if results and not (parts or calls or reasoning) else [*results, said]


def _parts(content: Any) -> Any:
    return [_part(block) for block in content] if isinstance(content, list) else content


def _part(block: Any) -> Any:
    source = _object(block.get("source")) if _type(block) == "image" else {}
    if source.get("type") == "url":
        return {"image_url": {"url": source.get("url")}}
    if source.get("type") == "base64":
        return {"image_url": {"url": f"data:{source.get('media_type')};base64,{source.get('data')}"}}
    return block


def _text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else json.dumps(shorten.everything(part), ensure_ascii=False)


def _type(block: Any) -> Any:
    return block.get("type") if isinstance(block, dict) else None


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
