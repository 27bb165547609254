"""The names of a request's tools; tool calls as `function_call`, for clients that use the deprecated `functions`."""

from __future__ import annotations

from collections.abc import Sequence

from ..exchange import Change, JsonObject
from ..wire import call_ids, rule_names
from .tool_frames import Note


def offered(body: JsonObject) -> list[str]:
    """The names of the tools in the body of a request."""
    tools = body.get("tools")
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    names = [function.get("name") for function in functions if isinstance(function, dict)]
    return [name for name in names if isinstance(name, str) and name]


def ids_in(body: JsonObject) -> list[str]:
    """The ids of the calls in the messages of a request, the last of them."""
    messages = body.get("messages")
    called = [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []
    ids = [call.get("id") for message in called if "tool_calls" in message for call in of(message)]
    return [id for id in ids[-call_ids.MOST :] if isinstance(id, str) and id]


def of(holder: JsonObject) -> list[JsonObject]:
    """The tool calls of a message, or the frames of a delta; entries that are no objects are left out."""
    calls = holder.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def to_function_call(message: JsonObject, at: str, note: Note) -> None:
    """Replace the tool calls of a message by `function_call`, in place. It has room for one: the first."""
    calls = of(message)
    if calls:
        del message["tool_calls"]
        message["function_call"] = _joined(calls[:1])
        _note_function_call(len(calls) - 1, at, note)


def to_function_call_frames(delta: JsonObject, at: str, note: Note) -> bool:
    """Replace the frames of a delta by `function_call`, with those of call 0; whether there were any.

    `ToolFrames.repair` comes first: it gives the frames their indexes.
    """
    calls = of(delta)
    if not calls:
        return False
    first = [call for call in calls if call["index"] == 0]
    del delta["tool_calls"]
    if first:
        delta["function_call"] = _joined(first)
    _note_function_call(len(calls) - len(first), at, note)
    return True


def _joined(frames: Sequence[JsonObject]) -> JsonObject:
    """The frames of one call, or a list of one whole call, as a `function_call`."""
    functions = [frame["function"] for frame in frames if isinstance(frame.get("function"), dict)]
    joined: JsonObject = dict(functions[0]) if functions else {}
    if len(functions) > 1:
        joined["arguments"] = "".join(function.get("arguments") or "" for function in functions)
    return joined


def _note_function_call(dropped: int, at: str, note: Note) -> None:
    why = "the client speaks `functions`: the tool call is a `function_call`"
    if dropped:
        why += ", which has no room for further calls"
    note(Change(rule_names.FUNCTION_CALL, f"{at}/tool_calls", why))
