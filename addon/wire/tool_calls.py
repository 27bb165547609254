"""Tool calls in answers: frames as OpenAI sends them, the client's own names, the deprecated `function_call`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from addon.exchange import Change, JsonObject
from addon.wire import rule_names

type Note = Callable[[Change], None]
"""Where a repair reports what it changed."""


def of(holder: JsonObject) -> list[JsonObject]:
    """The tool calls of a message or a delta."""
    calls = holder.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def name_back(holder: JsonObject, names: Mapping[str, str], at: str, note: Note) -> bool:
    """Give the tools in a message or a delta the names that the client knows; whether one was changed."""
    changed = False
    for place, call in enumerate(of(holder)):
        function = call.get("function")
        if not isinstance(function, dict):
            continue
        name = function.get("name")
        if isinstance(name, str) and name in names:
            function["name"] = names[name]
            pointer = f"{at}/tool_calls/{place}/function/name"
            note(Change(rule_names.TOOL_NAMES, pointer, "the tool has the client's name for it again"))
            changed = True
    return changed


def to_function_call(message: JsonObject, at: str, note: Note) -> None:
    """Answer a client that speaks `functions`: the first tool call as `function_call`, which has room for one."""
    calls = of(message)
    if calls:
        del message["tool_calls"]
        message["function_call"] = _joined(calls[:1])
        _note_function_call(len(calls) - 1, at, note)


class FunctionCallFrames:
    """`to_function_call` for the deltas of one choice. Works on frames that have their `index`."""

    def __init__(self) -> None:
        self._first: int | None = None

    def repair(self, delta: JsonObject, at: str, note: Note) -> bool:
        """Whether the delta was changed."""
        calls = of(delta)
        if not calls:
            return False
        if self._first is None:
            self._first = calls[0]["index"]
        first = [call for call in calls if call["index"] == self._first]
        del delta["tool_calls"]
        if first:
            delta["function_call"] = _joined(first)
        _note_function_call(len(calls) - len(first), at, note)
        return True


class ToolFrames:
    """The tool-call deltas of one choice, as OpenAI sends them.

    Only a call's first frame has `id`, `type` and a name: the endpoint repeats id and type and sends an empty name
    (hunyuan.md section 6), with which clients overwrite or lengthen what they have; openai-python's own
    accumulator joins a repeated id to the first. A missing `index` is given by id; a frame without an id goes
    on with the last call, unless it has a name: that starts a call.
    """

    def __init__(self) -> None:
        self._ids: dict[int, object] = {}
        self._last: int | None = None

    def repair(self, delta: JsonObject, at: str, note: Note) -> bool:
        """Whether the delta was changed."""
        changed = False
        for place, call in enumerate(of(delta)):
            pointer = f"{at}/tool_calls/{place}"
            changed = self._number(call, pointer, note) or changed
            changed = self._trim(call, pointer, note) or changed
        return changed

    def _number(self, call: JsonObject, at: str, note: Note) -> bool:
        if isinstance(call.get("index"), int):
            return False
        call["index"] = self._index(call)
        note(Change(rule_names.TOOL_FRAMES, f"{at}/index", "the frame says which call it belongs to"))
        return True

    def _index(self, call: JsonObject) -> int:
        identity = call.get("id")
        if identity:
            known = (index for index, known in self._ids.items() if known == identity)
            return next(known, self._next())
        return self._next() if self._last is None or _name(call) else self._last

    def _next(self) -> int:
        return max(self._ids, default=-1) + 1

    def _trim(self, call: JsonObject, at: str, note: Note) -> bool:
        index, identity = call["index"], call.get("id")
        self._last = index
        # Another id under a known index is another call, wrongly numbered: its first frame stays whole.
        if index not in self._ids or (identity and self._ids[index] and identity != self._ids[index]):
            self._ids[index] = identity
            return False
        repeated = [key for key in ("id", "type") if key in call and (key == "type" or self._ids[index])]
        for key in repeated:
            del call[key]
        self._ids[index] = self._ids[index] or identity
        function = call.get("function")
        nameless = isinstance(function, dict) and "name" in function and not function["name"]
        if nameless:
            del call["function"]["name"]
        if repeated or nameless:
            note(Change(rule_names.TOOL_FRAMES, at, "only a call's first frame has an id, a type and a name"))
        return bool(repeated or nameless)


def _name(call: JsonObject) -> object:
    function = call.get("function")
    return function.get("name") if isinstance(function, dict) else None


def _joined(frames: Sequence[JsonObject]) -> JsonObject:
    """One call's frames (or the whole call) as one `function_call`."""
    functions = [frame["function"] for frame in frames if isinstance(frame.get("function"), dict)]
    joined: JsonObject = dict(functions[0]) if functions else {}
    for function in functions[1:]:
        joined["arguments"] = f"{joined.get('arguments') or ''}{function.get('arguments') or ''}"
    return joined


def _note_function_call(dropped: int, at: str, note: Note) -> None:
    why = "the client speaks `functions`: the tool call is a `function_call`"
    if dropped:
        why += ", which has no room for further calls"
    note(Change(rule_names.FUNCTION_CALL, f"{at}/tool_calls", why))
