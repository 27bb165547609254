"""The Responses API in the shapes of chat, as far as a person reads it: requests, whole answers, streams.

For views only: what the endpoint was sent is the dialect's translation (`dialects.responses`), which a flow shows too.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ..exchange import JsonObject
from . import shorten

ENDS: Final = frozenset(["response.completed", "response.incomplete", "response.failed"])
"""The types of a stream's last event."""
_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input", "tool_search_call": "arguments"}
"""For each type of item that calls a tool: the field with what the tool gets."""
_PIECES: Final = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "content",
    "response.reasoning_text.delta": "reasoning_content",
    "response.reasoning_summary_text.delta": "reasoning_content",
}
"""For each type of event that brings a piece of text: the field of a chat delta for it."""
_OF_CHAT: Final = frozenset(["tool_calls", "reasoning_content"])
"""Fields of messages in the shape of chat, which some clients send as items."""
_CALL_PIECES: Final = frozenset(["response.function_call_arguments.delta", "response.custom_tool_call_input.delta"])


def is_answer(body: JsonObject) -> bool:
    """Whether a whole answer is a response, or the history that takes the place of a long one."""
    return body.get("object") in ("response", "response.compaction") and isinstance(body.get("output"), list)


def is_event(event: JsonObject) -> bool:
    """Whether an event of a stream is of this format."""
    return isinstance(event.get("type"), str) and event["type"].startswith("response.")


def is_request(body: JsonObject) -> bool:
    """Whether there is anything to read in a request."""
    return isinstance(body.get("input"), str | list)


def is_end(event: JsonObject) -> bool:
    """Whether it is the last event of its stream."""
    return event.get("type") in ENDS


def as_chat(body: JsonObject) -> JsonObject:
    """A request, with its items as messages: a call joins the assistant's words before it."""
    messages: list[Any] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    given = body["input"]
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        if not isinstance(item, dict):
            messages.append(item)
            continue
        said = _message(item)
        last = messages[-1] if messages else None
        if said["role"] == "assistant" and isinstance(last, dict) and last.get("role") == "assistant":
            _join(last, said)
        else:
            messages.append(said)
    rest = {key: value for key, value in body.items() if key not in ("input", "instructions")}
    return rest | {"messages": list(map(_whole, messages))}


def as_completion(response: JsonObject) -> JsonObject:
    """A whole answer."""
    said: JsonObject = {"role": "assistant"}
    texts: list[str] = []
    for item in response["output"]:
        if not isinstance(item, dict):
            continue
        message = _message(item)
        text = "".join(_text(part) for part in _contents(message.pop("content", None)))
        if text:
            # A compacted history begins with the user's own messages.
            texts.append(text if message["role"] == "assistant" else f"({message['role']}) {text}")
        _join(said, message)
    said["content"] = "\n\n".join(texts)
    chat = {"choices": [{"index": 0, "message": _whole(said), "finish_reason": _reason(response)}]}
    return chat | {"usage": response.get("usage"), "error": response.get("error")}


def as_chunk(event: JsonObject) -> JsonObject:
    """An event of a stream."""
    kind, index = event["type"], event.get("output_index")
    said: JsonObject = {}
    if kind in ENDS:
        response = _object(event.get("response"))
        choice = {"index": 0, "delta": {}, "finish_reason": _reason(response)}
        return {"choices": [choice], "usage": response.get("usage"), "error": response.get("error")}
    if kind in _PIECES:
        said = {_PIECES[kind]: event.get("delta")}
    elif kind in _CALL_PIECES:
        said = {"tool_calls": [{"index": index, "function": {"arguments": event.get("delta")}}]}
    elif kind == "response.output_item.added":
        item = _object(event.get("item"))
        if str(item.get("type")) in _CALLS:
            function = {"name": _name(item), "arguments": ""}
            said = {"tool_calls": [{"index": index, "id": item.get("call_id"), "function": function}]}
    elif kind == "response.output_item.done":
        item = _object(event.get("item"))
        if item.get("type") == "tool_search_call":  # It comes without deltas.
            said = {"tool_calls": [{"index": index, "function": {"arguments": item.get("arguments")}}]}
    return {"choices": [{"index": 0, "delta": said}] if said else []}


def _message(item: JsonObject) -> JsonObject:
    """The message for one item."""
    kind = item.get("type", "message")
    if kind == "message":
        own = {key: value for key, value in item.items() if key not in _OF_CHAT}
        if calls := _list(item.get("tool_calls")):
            own["tool_calls"] = [*calls]
        if isinstance(item.get("reasoning_content"), str):
            own["reasoning_content"] = [item["reasoning_content"]]
        return {**own, "role": item.get("role", "?"), "content": _parts(item.get("content"))}
    if kind == "reasoning":
        texts = [_text(part) for part in (*_list(item.get("summary")), *_list(item.get("content")))]
        return {"role": "assistant", "reasoning_content": ["\n".join(texts) or "(sealed)"]}
    if isinstance(kind, str) and kind in _CALLS:
        function = {"name": _name(item), "arguments": item.get(_CALLS[kind])}
        return {"role": "assistant", "tool_calls": [{"id": item.get("call_id"), "function": function}]}
    if isinstance(kind, str) and kind.endswith("_output") and "output" in item:
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": _parts(item["output"])}
    if item.get("encrypted_content"):
        return {"role": str(kind), "content": "(sealed)"}
    return {"role": str(item.get("role") or kind), "content": [{k: v for k, v in item.items() if k != "role"}]}


def _name(item: JsonObject) -> str:
    """The name of the tool that an item calls, with its namespace."""
    name = item.get("name") or item.get("type")
    return f"{item['namespace']}.{name}" if item.get("namespace") else str(name)


def _join(said: JsonObject, more: JsonObject) -> None:
    """Add what the assistant says in `more`, a message of `_message`, to what it said before: its lists may grow."""
    if more.get("reasoning_content"):
        said.setdefault("reasoning_content", []).extend(more["reasoning_content"])
    if more.get("content"):
        said["content"] = _contents(said.get("content"))
        said["content"] += _contents(more["content"])
    if more.get("tool_calls"):
        said.setdefault("tool_calls", []).extend(more["tool_calls"])


def _whole(message: Any) -> Any:
    """A message with its reasoning, which is a list until all of it is there, as one text."""
    if not isinstance(message, dict) or "reasoning_content" not in message:
        return message
    return {**message, "reasoning_content": "".join(message["reasoning_content"])}


def _parts(content: Any) -> Any:
    return [_part(part) for part in content] if isinstance(content, list) else content


def _part(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") == "input_image" and isinstance(part.get("image_url"), str):
        return {"image_url": {"url": part["image_url"]}}
    if isinstance(part, dict) and isinstance(part.get("refusal"), str):
        return {"text": part["refusal"]}
    return part


def _contents(content: Any) -> list[Any]:
    """The parts of any content."""
    return content if isinstance(content, list) else [content] if content else []


def _text(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else json.dumps(shorten.everything(part), ensure_ascii=False)


def _reason(response: JsonObject) -> Any:
    """Why the answer ended: what was incomplete, else its status."""
    return _object(response.get("incomplete_details")).get("reason") or response.get("status")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
