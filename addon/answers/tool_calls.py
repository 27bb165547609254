"""The tools of a request, and tool calls as the deprecated `function_call` for clients that speak `functions`."""

from __future__ import annotations

from collections.abc import Sequence

from ..exchange import Change, JsonObject
from ..wire import rule_names
from .tool_frames import Note


def offered(body: JsonObject) -> list[str]:
    """The names of the tools that a request offers."""
    tools = body.get("tools")
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    names = [function.get("name") for function in functions if isinstance(function, dict)]
    return [name for name in names if isinstance(name, str) and name]


def of(holder: JsonObject) -> list[JsonObject]:
    """The tool calls of a message or a delta."""
    calls = holder.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def to_function_call(message: JsonObject, at: str, note: Note) -> None:
    """Answer a client that speaks `functions`: the first tool call as `function_call`, which has room for one."""
    calls = of(message)
    if calls:
        del message["tool_calls"]
        message["function_call"] = _joined(calls[:1])
        _note_function_call(len(calls) - 1, at, note)


def to_function_call_frames(delta: JsonObject, at: str, note: Note) -> bool:
    """`to_function_call` for a delta whose frames have the indexes that `ToolFrames` gave; whether it was changed."""
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
    """One call's frames (or the whole call) as one `function_call`."""
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
