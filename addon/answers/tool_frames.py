"""Repairs the frames of tool calls in one choice, so that any client puts the calls together rightly.

The client gets each call under an index of its own (0, 1, 2 …), with id, type and name in its first frame and in no
other: clients overwrite what is repeated, or append it (openai-python joins ids). A first frame is held back while it
lacks an id, a name or the rest of a name that a later frame may bring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

from ..exchange import Change, JsonObject
from ..wire import call_ids, rule_names
from . import arguments
from .tool_placing import Call, Placing, ToolNames

type Note = Callable[[Change], None]
"""Takes each change that a repair makes."""

MAX_HELD = 4096
"""Characters of a call's name and arguments with which its first frame is held back no longer."""

_FRAMES = "each tool call has its own index and id, one name, and text as arguments"
_NAMES = "the tool has the client's name for it again"


class ToolFrames:
    """The tool calls of one choice. Takes their frames in order.

    `number` is the choice's index and `origin()` a text that differs from answer to answer: a call without an id gets
    one that is made from both. `repair` and `whole` raise `TooMany` past `MAX_CALLS` calls.
    """

    def __init__(self, names: ToolNames, number: int = 0, origin: Callable[[], str] = str) -> None:
        self._names = names
        self._number = number
        self._placing = Placing(names)
        self._calls = self._placing.calls
        self._taken = set(names.call_ids)
        """Ids that no further call may have."""
        self._incomplete: set[int] = set()
        self._blank: set[int] = set()
        self._held: Call | None = None
        self._added_to: Call | None = None
        self._origin = origin

    @property
    def any(self) -> bool:
        """Whether there are calls."""
        return bool(self._calls)

    @property
    def complete(self) -> bool:
        """Whether there are calls, and each has a name and whole arguments."""
        return bool(self._calls) and not self._incomplete

    @property
    def blank(self) -> bool:
        """Whether a call has no arguments so far."""
        return bool(self._blank)

    @property
    def held(self) -> list[JsonObject]:
        """The first frame that is held back, in the form in which it would be sent now; an empty list if none is."""
        return [self._head(self._held)] if self._held else []

    def repair(self, delta: JsonObject, at: str, note: Note) -> bool:
        """Repair the frames of a delta in place; whether it was changed. `at` is its JSON Pointer."""
        frames = delta.get("tool_calls")
        if not isinstance(frames, list) or not frames:
            return False
        self._placing.delta += 1
        sent: list[Any] = []
        changed = False
        for place, frame in enumerate(frames):
            if not isinstance(frame, dict):
                sent.append(frame)
                continue
            pointer = f"{at}/tool_calls/{place}"
            new = self._frames_for(frame, pointer, note)
            changed = changed or _differ(new, frame)
            sent += new
        if changed and sent:
            delta["tool_calls"] = sent
        elif changed:
            del delta["tool_calls"]
        return changed

    def adder_for_all_like(self, frame: JsonObject) -> Callable[[str], bool] | None:
        """What replaces `repair` for frames that differ from `frame`, the last one, in their arguments alone.

        It is called with the arguments of such a frame, and returns false if the frame needs `repair` after all. `None`
        if all such frames need it.
        """
        call = self._added_to
        return partial(self._add, call) if call is not None and call is self._placing.call_of_all_like(frame) else None

    def _add(self, call: Call, text: str) -> bool:
        """Add the next piece of a call's arguments; false if the rules of `tool_placing` have to tell whose it is."""
        written = call.text
        if written.complete or not text:
            return False
        written.feed(text)
        if written.complete and call.name:
            self._incomplete.discard(call.index)
        return True

    def end(self, delta: JsonObject | None, *, cut: bool, at: str, note: Note) -> list[JsonObject]:
        """End the calls, and return the frames that the client lacks, which go before the choice's last `delta`.

        A call without arguments gets `{}`, in `delta` if that has a frame of the call. It gets none if the answer was
        `cut` off: then the arguments are not empty but missing.
        """
        here = {} if delta is None else {frame["index"]: frame for frame in _dicts(delta.get("tool_calls"))}
        missing: list[JsonObject] = []
        for index in () if cut else sorted(self._blank):
            call = self._calls[index]
            self._take(call, arguments.NONE)
            if call.head is not None:
                call.head["function"]["arguments"] = arguments.NONE
            elif index in here:
                function = here[index].get("function")
                rest = function if isinstance(function, dict) else {}
                here[index]["function"] = {**rest, "arguments": arguments.NONE}
            else:
                missing.append({"index": index, "function": {"arguments": arguments.NONE}})
            note(Change(rule_names.TOOL_FRAMES, f"{at}/tool_calls", _FRAMES))
        return missing + self._release(at, note)

    def whole(self, frames: list[Any], at: str, note: Note, *, cut: bool) -> list[Any]:
        """Repair the tool calls of a whole answer: each once, with an id, a type and its arguments as text.

        OpenAI's whole answers have no `index`; if there is one, it becomes the call's place in the list.
        """
        self._placing.delta += 1
        calls: list[Any] = []
        parts: dict[int, list[str]] = {}
        for place, frame in enumerate(frames):
            if not isinstance(frame, dict):
                calls.append(frame)
                continue
            known = len(self._calls)
            call, text, _ = self._placing.place(frame)
            if call is None or len(self._calls) == known:
                note(Change(rule_names.TOOL_FRAMES, f"{at}/tool_calls/{place}", _FRAMES))
            else:
                calls.append((call, frame, f"{at}/tool_calls/{place}"))
            if call is not None:
                self._take(call, text)
                parts.setdefault(call.index, []).append(text)
        for number, entry in enumerate(calls):
            if isinstance(entry, tuple):
                call, frame, pointer = entry
                if not cut and not call.text.begun:
                    self._take(call, arguments.NONE)
                    parts[call.index] = [arguments.NONE]
                calls[number] = self._whole(call, frame, "".join(parts[call.index]), pointer, note)
        return calls

    def _whole(self, call: Call, frame: JsonObject, text: str, at: str, note: Note) -> JsonObject:
        given = frame.get("function")
        function = {**(given if isinstance(given, dict) else {}), "arguments": text}
        if call.name:
            function["name"] = call.name
        call.id = self._id(call)
        self._taken.add(call.id)
        new = {**frame, "id": call.id, "type": frame.get("type") or "function", "function": function}
        if "index" in new:
            new["index"] = call.index
        if new != frame or type(frame.get("index", 0)) is not int:
            note(Change(rule_names.TOOL_FRAMES, at, _FRAMES))
        if self._names.back(call.name) != call.name:
            note(Change(rule_names.TOOL_NAMES, f"{at}/function/name", _NAMES))
            function["name"] = self._names.back(call.name)
        return new

    def _frames_for(self, frame: JsonObject, at: str, note: Note) -> list[JsonObject]:
        """The frames to send for `frame`: none while it is held back, two if it begins a call while another is held."""
        self._added_to = None
        known = len(self._calls)
        call, text, piece = self._placing.place(frame)
        if call is None:
            note(Change(rule_names.TOOL_FRAMES, at, _FRAMES))
            return []
        # Calls begin in their order: openai-python appends a call whose index is new to the end of its list.
        released = self._release(at, note) if len(self._calls) > known else []
        self._take(call, text)
        if call.sent:
            # This frame is sent with its part of the name; the same part in another frame may be a repetition.
            self._added_to = None if piece else call
            later = _later(call, frame, text, piece)
            if _differ(later, frame):
                note(Change(rule_names.TOOL_FRAMES, at, _FRAMES))
            return released + later
        call.first = call.first or frame
        call.head = _joined(call, frame, text)
        self._held = call
        return released + (self._release(at, note) if self._is_ready(call) else [])

    def _is_ready(self, call: Call) -> bool:
        """Whether a call's first frame has all that later frames may bring, or is too large to be held back."""
        if call.head and len(call.name) + len(call.head["function"]["arguments"]) > MAX_HELD:
            return True
        whole = self._names.is_name(call.name) or not self._names.may_continue(call.name)
        return bool(call.name) and (call.text.begun or (bool(call.id) and whole))

    def _release(self, at: str, note: Note) -> list[JsonObject]:
        call = self._held
        if call is None:
            return []
        head = self._head(call)
        if self._names.back(call.name) != call.name:
            note(Change(rule_names.TOOL_NAMES, f"{at}/function/name", _NAMES))
        if call.first is not None and _differ([head], self._named_back(call.first)):
            note(Change(rule_names.TOOL_FRAMES, at, _FRAMES))
        call.id, call.first, call.head, call.sent, self._held = head["id"], None, None, True, None
        self._taken.add(call.id)
        return [head]

    def _named_back(self, frame: JsonObject) -> JsonObject:
        """`frame` with the client's name for its tool, else unchanged."""
        function = frame.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return frame
        return {**frame, "function": {**function, "name": self._names.back(function["name"])}}

    def _head(self, call: Call) -> JsonObject:
        """The first frame of a call for the client. Its keys keep the endpoint's order."""
        head = {**(call.head or {}), "index": call.index, "id": self._id(call)}
        head["type"] = head.get("type") or "function"
        head["function"] = {**head["function"]}
        if call.name:
            head["function"]["name"] = self._names.back(call.name)
        return head

    def _id(self, call: Call) -> str:
        """The id of the call, made here if the endpoint sent none, or one that another call has."""
        if call.id:
            return call_ids.unused(call.id, self._taken)
        made = hashlib.sha256(f"{self._origin()}/{self._number}/{call.index}".encode("utf-8", "replace"))
        return f"call_{made.hexdigest()[:24]}"

    def _take(self, call: Call, text: str) -> None:
        call.text.feed(text)
        if call.text.begun:
            self._blank.discard(call.index)
        else:
            self._blank.add(call.index)
        if call.is_complete:
            self._incomplete.discard(call.index)
        else:
            self._incomplete.add(call.index)


def _joined(call: Call, frame: JsonObject, text: str) -> JsonObject:
    """The first frame of a call, with what a later `frame` adds to it while it is held back."""
    function = frame.get("function")
    new, function = dict(frame), dict(function) if isinstance(function, dict) else {}
    if call.head is not None:
        new, function = {**frame, **call.head}, {**function, **call.head["function"]}
        text = call.head["function"]["arguments"] + text
    if call.name:
        function["name"] = call.name
    return {**new, "function": {**function, "arguments": text}}


def _later(call: Call, frame: JsonObject, text: str, piece: str) -> list[JsonObject]:
    """The frame to send for a frame after the first, in a list; none if it only repeats what the client has."""
    new = {key: value for key, value in frame.items() if key not in ("id", "type")}
    new["index"] = call.index
    function = frame.get("function")
    if isinstance(function, dict):
        kept = dict(function)
        if not piece:
            kept.pop("name", None)
        if "arguments" in kept:
            kept["arguments"] = text
        new["function"] = kept
    repeats = new.keys() <= {"index", "function"} and new.get("function") in (None, {}, {"arguments": ""})
    return [] if repeats and _differ([new], frame) else [new]


def _differ(new: list[JsonObject], frame: JsonObject) -> bool:
    """Whether anything but `frame` is sent for it. An index must be an int, too: `0.0` and `False` equal 0."""
    return new != [frame] or type(frame.get("index")) is not int


def _dicts(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
