"""Tool calls as they come, in one answer's choice: which call a frame belongs to, and what a client still needs of it.

Providers number frames wrongly, change a call's index, leave out ids, repeat ids and names in every frame, or send a
name in pieces (apache/maka#1976, agno-agi/agno#8880, dirac-run/dirac#215, NVIDIA-NeMo/Switchyard#785). So:

1. A frame with an id that is known belongs to that call; one with a new id and a name starts a call.
2. A name without an id starts a call, unless it repeats or completes the name of a call without arguments so far.
3. A frame without id and name goes on with the call that its index points to, if there is one, else with the one that
   is being streamed. A call whose arguments are whole gets no more of them while another one waits for its own.
4. A frame that brings a whole call once more is dropped. Other arguments under the id of a whole call are another call.

A client gets each call under an index of its own (0, 1, 2 …), its id, type and name in its first frame and in no other:
clients overwrite or lengthen what they have with what is repeated (openai-python joins ids). The first frame waits for
what it lacks: an id or a name that comes late, the rest of a name.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from addon.exchange import AnswerPlan, Change, JsonObject
from addon.wire import arguments, rule_names
from addon.wire.arguments import ArgumentsText

type Note = Callable[[Change], None]
"""Where a repair reports what it changed."""

MAX_CALLS = 1024
"""Calls of one choice. Real answers have fewer than a hundred."""

MAX_HELD = 4096
"""Characters of a name or of arguments for which a call's first frame waits."""

_FRAMES = "each tool call has its own index and id, one name, and text as arguments"
_NAMES = "the tool has the client's name for it again"


class TooMany(Exception):
    """More choices or tool calls than are kept track of."""


class ToolNames:
    """The names of the tools that a request offered, as they were sent."""

    def __init__(self, plan: AnswerPlan) -> None:
        self._back = plan.tool_names
        self._sent = sorted({*plan.tools, *plan.tool_names})

    def back(self, name: str) -> str:
        """The client's own name for the tool `name`."""
        return self._back.get(name, name)

    def may_continue(self, name: str) -> bool:
        """Whether a tool's name is `name` and more."""
        place = bisect_right(self._sent, name)
        return place < len(self._sent) and self._sent[place].startswith(name)

    def is_name(self, name: str) -> bool:
        """Whether a tool is called `name`."""
        place = bisect_right(self._sent, name)
        return place > 0 and self._sent[place - 1] == name

    @property
    def known(self) -> bool:
        """Whether it is known which tools there are."""
        return bool(self._sent)


@dataclass(slots=True, eq=False)
class Call:
    """One call. `index` is the client's, `id` is empty until one is known or made, `name` is the endpoint's."""

    index: int
    delta: int
    """The number of the delta with its latest frame."""
    id: str = ""
    given: bool = False
    """The endpoint gave the id."""
    name: str = ""
    first: JsonObject | None = None
    """Its first frame as it came, until the client has it."""
    head: JsonObject | None = None
    """The same with what later frames added to it."""
    sent: bool = False
    """Its first frame is with the client."""
    text: ArgumentsText = field(default_factory=ArgumentsText)

    @property
    def is_complete(self) -> bool:
        """Whether a client can run it."""
        return bool(self.name) and self.text.complete


class ToolFrames:
    """The calls of one choice, frame by frame.

    `number` is the choice's, `origin` names the answer: the ids of calls without one are made from them. Methods that
    take frames raise `TooMany` past `MAX_CALLS` calls.
    """

    def __init__(self, names: ToolNames, number: int = 0, origin: str = "") -> None:
        self._names = names
        self._number = number
        self._calls: list[Call] = []
        self._incomplete: set[int] = set()
        self._blank: set[int] = set()
        self._by_id: dict[str, Call] = {}
        self._by_index: dict[int | str, Call] = {}
        self._last: Call | None = None
        self._held: Call | None = None
        self._delta = 0
        self._origin = origin

    @property
    def any(self) -> bool:
        """Whether there are calls."""
        return bool(self._calls)

    @property
    def complete(self) -> bool:
        """Whether there are calls, and all of them can be run."""
        return bool(self._calls) and not self._incomplete

    @property
    def blank(self) -> bool:
        """Whether a call has no arguments so far."""
        return bool(self._blank)

    @property
    def held(self) -> list[JsonObject]:
        """The first frame that is held back, if one is, as it would be sent now."""
        return [self._head(self._held)] if self._held else []

    def repair(self, delta: JsonObject, at: str, note: Note) -> bool:
        """Make a delta's frames what a client needs; whether it was changed."""
        frames = delta.get("tool_calls")
        if not isinstance(frames, list) or not frames:
            return False
        self._delta += 1
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

    def end(self, delta: JsonObject | None, *, cut: bool, at: str, note: Note) -> list[JsonObject]:
        """The frames that the client still lacks at the choice's end, to be sent before `delta`, its last.

        A call without arguments gets `{}`, in `delta` if it has a frame there. Not where the answer was `cut`: its
        arguments would have come.
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
        """The calls of a whole answer: each once, with its id, its type and its arguments as text.

        An `index`, which OpenAI's whole answers have not, is put right where there is one.
        """
        self._delta += 1
        calls: list[Any] = []
        parts: dict[int, list[str]] = {}
        for place, frame in enumerate(frames):
            if not isinstance(frame, dict):
                calls.append(frame)
                continue
            known = len(self._calls)
            call, text, _ = self._placed(frame)
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
        new = {**frame, "id": self._id(call), "type": frame.get("type") or "function", "function": function}
        if "index" in new:
            new["index"] = call.index
        if new != frame or type(frame.get("index", 0)) is not int:
            note(Change(rule_names.TOOL_FRAMES, at, _FRAMES))
        if self._names.back(call.name) != call.name:
            note(Change(rule_names.TOOL_NAMES, f"{at}/function/name", _NAMES))
            function["name"] = self._names.back(call.name)
        return new

    def _frames_for(self, frame: JsonObject, at: str, note: Note) -> list[JsonObject]:
        """What to send for one frame."""
        known = len(self._calls)
        call, text, piece = self._placed(frame)
        if call is None:
            note(Change(rule_names.TOOL_FRAMES, at, _FRAMES))
            return []
        # In order: openai-python puts an index that it doesn't know at the end of its list.
        released = self._release(at, note) if len(self._calls) > known else []
        self._take(call, text)
        if call.sent:
            later = _later(call, frame, text, piece)
            if _differ(later, frame):
                note(Change(rule_names.TOOL_FRAMES, at, _FRAMES))
            return released + later
        call.first = call.first or frame
        call.head = _joined(call, frame, text)
        self._held = call
        return released + (self._release(at, note) if self._is_ready(call) else [])

    def _is_ready(self, call: Call) -> bool:
        """Whether a call's first frame lacks nothing that may still come."""
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
        call.first, call.head, call.sent, self._held = None, None, True, None
        return [head]

    def _named_back(self, frame: JsonObject) -> JsonObject:
        """`frame` with nothing but the client's name for its tool."""
        function = frame.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return frame
        return {**frame, "function": {**function, "name": self._names.back(function["name"])}}

    def _head(self, call: Call) -> JsonObject:
        """A call's first frame as the client gets it. Keys keep their places."""
        head = {**(call.head or {}), "index": call.index, "id": self._id(call)}
        head["type"] = head.get("type") or "function"
        head["function"] = {**head["function"]}
        if call.name:
            head["function"]["name"] = self._names.back(call.name)
        return head

    def _id(self, call: Call) -> str:
        if not call.id:
            made = hashlib.sha256(f"{self._origin}/{self._number}/{call.index}".encode("utf-8", "replace"))
            call.id = f"call_{made.hexdigest()[:24]}"
        return call.id

    def _take(self, call: Call, text: str) -> None:
        call.text.feed(text)
        if call.text.begun:
            self._blank.discard(call.index)
        if call.is_complete:
            self._incomplete.discard(call.index)
        else:
            self._incomplete.add(call.index)

    def _placed(self, frame: JsonObject) -> tuple[Call | None, str, str]:
        """The call of a frame (`None`: it only repeats a whole one), its arguments, and what it adds to the name."""
        function = frame.get("function")
        function = function if isinstance(function, dict) else {}
        said = function.get("name")
        name = said if isinstance(said, str) else ""
        identity, key = _identity(frame.get("id")), _key(frame.get("index"))
        text = arguments.text_of(function.get("arguments"))
        call = self._goes_on_with(identity, key, name, text)
        if call is None:
            call = self._begun(identity)
        elif call.text.complete and text.strip() and call.text.says(text):
            return None, "", ""
        elif identity and not call.id and identity not in self._by_id:
            call.id, call.given = identity, True
        if identity:
            self._by_id[identity] = call
        if key is not None:
            self._by_index[key] = call
        piece = name if name and (not call.name or (name != call.name and self._continues(call, name))) else ""
        call.name += piece
        call.delta = self._delta
        self._last = call
        return call, text, piece

    def _begun(self, identity: str) -> Call:
        if len(self._calls) >= MAX_CALLS:
            raise TooMany
        # An id that another call has already would make one of the two.
        fresh = identity not in self._by_id
        call = Call(len(self._calls), self._delta, id=identity if fresh else "", given=bool(identity) and fresh)
        self._calls.append(call)
        self._blank.add(call.index)
        self._incomplete.add(call.index)
        return call

    def _goes_on_with(self, identity: str, key: int | str | None, name: str, text: str) -> Call | None:
        """The call that a frame goes on with; `None` where it starts one. The rules of this module's head."""
        pointed = None if key is None else self._by_index.get(key)
        unseen = key is not None and pointed is None
        target = pointed or self._last
        known = self._by_id.get(identity) if identity else None
        if known is not None:
            return self._of_known_id(known, name, text, unseen=unseen)
        if target is None:
            return None
        if identity:
            return target if not unseen and self._takes_new_id(target, name, text) else None
        if not name:
            return self._being_streamed(target, text)
        return target if self._takes_name(target, name, unseen=unseen) else None

    def _of_known_id(self, known: Call, name: str, text: str, *, unseen: bool) -> Call | None:
        if not name:
            return self._being_streamed(known, text)
        if name != known.name and not self._continues(known, name):
            return None
        if not text.strip():
            # A first frame on an index of its own, though its id is taken.
            heads_another = unseen and bool(known.name) and (known.text.complete or not known.text.begun)
            return None if heads_another else known
        return None if known.text.complete and not known.text.says(text) else known

    def _takes_new_id(self, target: Call, name: str, text: str) -> bool:
        """Whether an id that wasn't seen yet is one that comes late, or one that changes from frame to frame."""
        if target.text.complete or target.delta == self._delta:
            return False
        if not target.given:
            return not name or name == target.name
        return not name and bool(text.strip())

    def _takes_name(self, target: Call, name: str, *, unseen: bool) -> bool:
        """Whether a name without an id is, or completes, that of a call that began already."""
        if not target.name:
            return True
        if target.delta == self._delta:
            return False
        if self._continues(target, name):
            return not unseen or (self._names.known and not self._names.is_name(name))
        return name == target.name and not unseen and not target.text.complete

    def _being_streamed(self, call: Call, text: str) -> Call:
        last = self._last
        if text.strip() and call.text.complete and last is not None and not last.text.complete:
            return last
        return call

    def _continues(self, call: Call, name: str) -> bool:
        """Whether `name` is the rest of the call's name, or a part of the rest."""
        if not call.name:
            return True
        if call.text.begun:
            return False
        joined = call.name + name
        if self._names.known:
            return self._names.is_name(joined) or self._names.may_continue(joined)
        return call.given


def _joined(call: Call, frame: JsonObject, text: str) -> JsonObject:
    """A call's first frame, with what a further frame adds to it while it is held."""
    function = frame.get("function")
    new, function = dict(frame), dict(function) if isinstance(function, dict) else {}
    if call.head is not None:
        new, function = {**frame, **call.head}, {**function, **call.head["function"]}
        text = call.head["function"]["arguments"] + text
    if call.name:
        function["name"] = call.name
    return {**new, "function": {**function, "arguments": text}}


def _later(call: Call, frame: JsonObject, text: str, piece: str) -> list[JsonObject]:
    """A frame after a call's first; none where only repetitions were in it."""
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
    says_nothing = new.keys() <= {"index", "function"} and new.get("function") in (None, {}, {"arguments": ""})
    return [] if says_nothing and _differ([new], frame) else [new]


def _differ(new: list[JsonObject], frame: JsonObject) -> bool:
    """Whether a frame became something else. `0.0` and `False` equal 0, but are no index."""
    return new != [frame] or type(frame.get("index")) is not int


def _dicts(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _identity(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _key(value: object) -> int | str | None:
    """An index as it is compared: `0`, `0.0` and `"0"` are the same one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else value or None
    return value if isinstance(value, int) else None
