"""Answers of Tencent Cloud's own API as chat's, and as OpenAI's embeddings.

The envelope `Response` is taken off where it is there: one official answer has none, and events of a stream never have.
A stream has no `[DONE]`; each event repeats the usage, which grows, and its finish reason is "" until the last one.
The pieces of a tool call belong together by `Id`. `note` holds the state of a stream under `stream`, as plain data.

With `include_usage` in `note` the usage is a chunk of its own without choices, as OpenAI sends it to clients that ask;
else it stands in the chunk with the finish reason.
"""

from __future__ import annotations

import time
import uuid
from typing import Any, Final

from ...exchange import MOST_TOKENS, JsonObject
from . import errors, fields

_REASONS: Final = {"sensitive": "content_filter", "tool_calls": "tool_calls", "length": "length"}
"""The native reason for the end -> chat's; of any other chat says `stop`."""
_MOST_CHOICES: Final = 128
"""Choices of one answer: more are left out. The API gives one."""
_MOST_CALLS: Final = 1024
"""Calls of one answer that are told apart."""
_PREFIX: Final = "chatcmpl-"


def answer(body: JsonObject, note: JsonObject) -> JsonObject:
    """The answer `body` as a chat answer or OpenAI's embeddings, an error as OpenAI's. Any other is unchanged."""
    if (error := errors.given(body)) is not None:
        return {"error": error}
    inside = body.get("Response")
    inside = inside if isinstance(inside, dict) else body
    if isinstance(inside.get("Data"), list):
        return _embeddings(inside, note)
    choices = inside.get("Choices")
    if not isinstance(choices, list):
        return body
    head = _head(inside, note)
    made: JsonObject = {
        **head,
        "object": "chat.completion",
        "choices": [
            _whole(choice, place, head["id"]) for place, choice in enumerate(choices) if isinstance(choice, dict)
        ],
        **_extras(inside),
    }
    if used := _usage(inside.get("Usage")):
        made["usage"] = used
    if isinstance(inside.get("RequestId"), str):
        made["request_id"] = inside["RequestId"]
    return made


def goes_on(raw: bytes) -> bool:
    """Whether the bytes of whole events tell that none ends the answer, or is an error. `True` is certain."""
    found, place = raw.find, raw.find(b'"FinishReason"')
    while place >= 0:
        if raw[place + 14 : place + 17] != b':""':
            return False
        place = found(b'"FinishReason"', place + 17)
    return found(b"Error") < 0 and found(b'"error"') < 0 and found(b"\\u00") < 0 and found(b"[DONE]") < 0


def events(event: JsonObject, note: JsonObject) -> list[JsonObject]:
    """The chat chunks for one event of a stream, perhaps none."""
    state: JsonObject | None = note.get("stream")
    if state is None:
        state = note["stream"] = {"calls": {}, "open": [], "over": False}
    if state["over"]:
        return []
    # 1. An error ends the stream.
    if event.get("ErrorMsg") or "Error" in event or "Response" in event:
        if (error := errors.given(event)) is not None:
            state["over"] = True
            return [{"error": error}]
        inside = event.get("Response")
        event = inside if isinstance(inside, dict) else event
    choices = event.get("Choices")
    if not isinstance(choices, list) or not choices:
        return []
    head = state.get("head") or _begun(event, note, state)
    # 2. What each choice says.
    chunks: list[JsonObject] = []
    for place, choice in enumerate(choices):
        if isinstance(choice, dict):
            _add(choice, place, head, state, chunks)
    if chunks and not _EXTRAS.isdisjoint(event):
        chunks[-1].update(_extras(event, note=state["over"]))
    # 3. The end, with what was used.
    if state["over"] and chunks and (used := _usage(event.get("Usage"))):
        if note.get("include_usage") is True:
            chunks.append({**head, "choices": [], "usage": used})
        else:
            chunks[-1]["usage"] = used
    return chunks


def _begun(event: JsonObject, note: JsonObject, state: JsonObject) -> JsonObject:
    head = state["head"] = {**_head(event, note), "object": "chat.completion.chunk"}
    return head


def _add(choice: JsonObject, place: int, head: JsonObject, state: JsonObject, chunks: list[JsonObject]) -> None:
    """Add the chunks for one choice of an event to `chunks`."""
    index = _index(choice, place)
    delta = choice.get("Delta")
    said = _delta(delta, index, state) if isinstance(delta, dict) else {}
    if index not in state["open"]:
        if len(state["open"]) >= _MOST_CHOICES:
            return
        state["open"].append(index)
        chunks.append(_chunk(head, index, {"role": "assistant", "content": ""}, None))
    if said:
        chunks.append(_chunk(head, index, said, None))
    reason = choice.get("FinishReason")
    if isinstance(reason, str) and reason:
        meant = _REASONS.get(reason, "stop")
        if meant == "stop" and any(owner == index for owner, _ in state["calls"].values()):
            meant = "tool_calls"  # agents run no tool after `stop`
        chunks.append(_chunk(head, index, {}, meant))
        state["ended"] = state.get("ended", 0) + 1
        state["over"] = state["ended"] >= len(state["open"])


def _chunk(head: JsonObject, index: int, delta: JsonObject, reason: str | None) -> JsonObject:
    return {**head, "choices": [{"index": index, "delta": delta, "finish_reason": reason}]}


def _delta(delta: JsonObject, index: int, state: JsonObject) -> JsonObject:
    """What a delta brings, without what is empty."""
    said: JsonObject = {}
    text = delta.get("ReasoningContent")
    if text and isinstance(text, str):
        said["reasoning_content"] = text
    text = delta.get("Content")
    if text and isinstance(text, str):
        said["content"] = text
    calls = delta.get("ToolCalls")
    if calls and isinstance(calls, list):
        frames = [_frame(call, index, state) for call in calls if isinstance(call, dict)]
        if frames:
            said["tool_calls"] = frames
    return said


def _frame(call: JsonObject, index: int, state: JsonObject) -> JsonObject:
    """A frame of a tool call: its id, type and name at its first sight only.

    A piece belongs to the call of its `Id`; without one to that of its `Index`; without both to the last call, unless
    it has a name: then it begins one.
    """
    known: dict[str, list[int]] = state["calls"]
    function = call.get("Function")
    function = function if isinstance(function, dict) else {}
    name, arguments, id_ = function.get("Name"), function.get("Arguments"), call.get("Id")
    name = name if isinstance(name, str) else ""
    if isinstance(id_, str) and id_:
        key = f"{index}/id/{id_}"
    elif isinstance(call.get("Index"), int):
        key = f"{index}/index/{call['Index']}"
    elif name or not known:
        key = f"{index}/number/{len(known)}"
    else:
        key = next(reversed(known))
    first = key not in known
    if first and len(known) < _MOST_CALLS:
        known[key] = [index, sum(owner == index for owner, _ in known.values())]
    number = known.get(key, [index, _MOST_CALLS])[1]
    frame: JsonObject = {"index": number, "function": {"arguments": _arguments(arguments)}}
    if first:
        if isinstance(id_, str) and id_:
            frame["id"] = id_
        frame["type"] = "function"
        frame["function"] = {"name": name, **frame["function"]}
    return frame


def _whole(choice: JsonObject, place: int, id_: str) -> JsonObject:
    given = choice.get("Message")
    given = given if isinstance(given, dict) else {}
    index = _index(choice, place)
    text = given.get("Content")
    message: JsonObject = {"role": "assistant", "content": text if isinstance(text, str) else ""}
    if isinstance(given.get("ReasoningContent"), str) and given["ReasoningContent"]:
        message["reasoning_content"] = given["ReasoningContent"]
    calls = given.get("ToolCalls")
    made = [
        _call(call, f"{id_}/{index}/{number}")
        for number, call in enumerate(calls if isinstance(calls, list) else ())
        if isinstance(call, dict)
    ]
    if made:
        message["tool_calls"] = made
        message["content"] = message["content"] or None
    reason = choice.get("FinishReason")
    meant = _REASONS.get(reason, "stop") if isinstance(reason, str) else "stop"
    return {
        "index": index,
        "message": message,
        "finish_reason": "tool_calls" if made and meant == "stop" else meant,
    }


def _call(call: JsonObject, origin: str) -> JsonObject:
    """A whole tool call. One official answer has calls without an id: it is made from the `origin`."""
    function = call.get("Function")
    function = function if isinstance(function, dict) else {}
    name, id_ = function.get("Name"), call.get("Id")
    made = id_ if isinstance(id_, str) and id_ else f"call_{uuid.uuid5(uuid.NAMESPACE_OID, origin).hex[:24]}"
    named = {"name": name if isinstance(name, str) else "", "arguments": _arguments(function.get("Arguments"))}
    return {"id": made, "type": "function", "function": named}


def _arguments(given: Any) -> str:
    return given if isinstance(given, str) else ""


def _embeddings(inside: JsonObject, note: JsonObject) -> JsonObject:
    data = [
        {"object": "embedding", "index": _index(item, place), "embedding": item.get("Embedding")}
        for place, item in enumerate(inside["Data"])
        if isinstance(item, dict)
    ]
    used = _usage(inside.get("Usage"))
    used.pop("completion_tokens", None)
    return {"object": "list", "data": data, "model": note.get("model", ""), "usage": used}


def _head(inside: JsonObject, note: JsonObject) -> JsonObject:
    id_ = next((given for name in ("Id", "RequestId") if isinstance(given := inside.get(name), str) and given), "")
    id_ = id_ or uuid.uuid4().hex
    created = _count(inside.get("Created"))
    return {
        "id": id_ if id_.startswith(_PREFIX) else _PREFIX + id_,
        "object": "chat.completion",
        "created": int(time.time()) if created is None else created,
        "model": note.get("model", ""),
    }


_NOTE: Final = "note"
_EXTRAS: Final = frozenset(fields.EXTRAS.values())


def _extras(inside: JsonObject, *, note: bool = True) -> JsonObject:
    """What only this vendor's answers say, in the words of its OpenAI-compatible host; nothing that is empty.

    `note`: with the sentence that says who wrote this, which each event of a stream repeats.
    """
    return {
        chat: fields.to_chat(inside[native])
        for chat, native in fields.EXTRAS.items()
        if inside.get(native) not in (None, "", [], {}) and (note or chat != _NOTE)
    }


def _usage(given: object) -> JsonObject:
    """`Usage` in chat's words. The cached tokens are a text in the API's data model, and a number elsewhere."""
    if not isinstance(given, dict):
        return {}
    made: JsonObject = {}
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        count = _count(given.get(fields.pascal(name)))
        if count is not None:
            made[name] = count
    details = given.get("PromptTokensDetails")
    if isinstance(details, dict):
        cached = details.get("CachedTokens")
        if isinstance(cached, str) and cached.isascii() and cached.isdigit() and len(cached) < 17:
            cached = int(cached)
        made["prompt_tokens_details"] = {"cached_tokens": _count(cached) or 0}
    return made


def _index(item: JsonObject, place: int) -> int:
    index = _count(item.get("Index"))
    return place if index is None else index


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS else None
