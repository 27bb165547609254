"""Decides which tool call of a choice a frame belongs to.

Providers number frames wrongly, change a call's index, leave out ids, repeat ids and names in every frame, or send a
name in pieces (apache/maka#1976, agno-agi/agno#8880, dirac-run/dirac#215, NVIDIA-NeMo/Switchyard#785). So:

1. A frame with a known id belongs to the call with that id. A frame with a new id and a name starts a call.
2. A frame with a name and no id starts a call, unless the name repeats or completes that of a call without arguments.
3. A frame without id and name belongs to the call with its index, or to the call of the last frame if no call has the
   index. If it brings arguments and its call has whole ones already, but the call of the last frame hasn't, it belongs
   to that one.
4. A frame that repeats a whole call is dropped. A frame with the id of a whole call and other arguments starts a call.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from ..exchange import AnswerPlan, JsonObject
from . import arguments
from .arguments import ArgumentsText

MAX_CALLS = 1024
"""Calls of one choice. Real answers have fewer than a hundred."""

MAX_MARKS = 4 * MAX_CALLS
"""Ids, and indexes, that are remembered for a choice: some providers make a new id for each frame."""


class TooMany(Exception):
    """An answer has more choices or tool calls than are kept track of."""


class ToolNames:
    """The names of a request's tools: those that the endpoint got, and the client's for them."""

    def __init__(self, plan: AnswerPlan) -> None:
        self._back = plan.tool_names
        self._sent = sorted({*plan.tools, *plan.tool_names})
        self.call_ids = plan.call_ids
        """The ids of earlier calls."""

    def back(self, name: str) -> str:
        """The client's name for the tool that the endpoint calls `name`."""
        return self._back.get(name, name)

    def may_continue(self, name: str) -> bool:
        """Whether the name of a tool begins with `name` and is longer."""
        place = bisect_right(self._sent, name)
        return place < len(self._sent) and self._sent[place].startswith(name)

    def is_name(self, name: str) -> bool:
        """Whether a tool is called `name`."""
        place = bisect_right(self._sent, name)
        return place > 0 and self._sent[place - 1] == name

    @property
    def known(self) -> bool:
        """Whether the names of the request's tools are known."""
        return bool(self._sent)


@dataclass(slots=True, eq=False)
class Call:
    """A tool call. `index` is the client's, `id` is empty until there is one, `name` is the endpoint's so far."""

    index: int
    delta: int
    """The number of the last delta with a frame of the call."""
    id: str = ""
    given: bool = False
    """Whether the endpoint sent the id."""
    name: str = ""
    first: JsonObject | None = None
    """The first frame as the endpoint sent it, while it is held back."""
    head: JsonObject | None = None
    """The first frame with what later frames added, while it is held back."""
    sent: bool = False
    """Whether the first frame was sent to the client."""
    text: ArgumentsText = field(default_factory=ArgumentsText)

    @property
    def is_complete(self) -> bool:
        """Whether it has a name and whole arguments, so that a client can run it."""
        return bool(self.name) and self.text.complete


class Placing:
    """The calls of one choice, found by id and by index. Takes frames in order."""

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self.calls: list[Call] = []
        self.delta = 0
        """The number of the delta whose frames are being placed."""
        self._by_id: dict[str, Call] = {}
        self._by_index: dict[int | str, Call] = {}
        self._last: Call | None = None

    def place(self, frame: JsonObject) -> tuple[Call | None, str, str]:
        """The call that a frame belongs to, the frame's arguments as text, and the part of the name that it adds.

        The call is `None` if the frame only repeats a whole call. Raises `TooMany` past `MAX_CALLS` calls.
        """
        function = frame.get("function")
        function = function if isinstance(function, dict) else {}
        said = function.get("name")
        name = said if isinstance(said, str) else ""
        identity, key = _identity(frame.get("id")), _key(frame.get("index"))
        text = arguments.text_of(function.get("arguments"))
        call = self._call_of(identity, key, name, text)
        if call is None:
            call = self._begun(identity)
        elif call.text.complete and call.text.equals(text):
            return None, "", ""
        elif identity and not call.id and identity not in self._by_id:
            call.id, call.given = identity, True
        if identity and len(self._by_id) < MAX_MARKS:
            self._by_id[identity] = call
        if key is not None and len(self._by_index) < MAX_MARKS:
            self._by_index[key] = call
        piece = name if name and (not call.name or (name != call.name and self._continues(call, name))) else ""
        call.name += piece
        call.delta = self.delta
        self._last = call
        return call, text, piece

    def call_of_all_like(self, frame: JsonObject) -> Call | None:
        """The call of the last frame, `frame`, if all frames that differ from it in their arguments alone belong to it.

        `None` if their arguments, or what such a frame changes here, may decide that.
        """
        call, function = self._last, frame.get("function")
        if call is None or not call.text.begun or not isinstance(function, dict):
            return None
        if not isinstance(function.get("arguments"), str):
            return None
        identity, key = _identity(frame.get("id")), _key(frame.get("index"))
        known = self._by_id.get(identity) is call if identity else key is None or self._by_index.get(key) is call
        return call if known else None

    def _begun(self, identity: str) -> Call:
        if len(self.calls) >= MAX_CALLS:
            raise TooMany
        # With the id of another call, the client would take both for one.
        fresh = identity not in self._by_id
        call = Call(len(self.calls), self.delta, id=identity if fresh else "", given=bool(identity) and fresh)
        self.calls.append(call)
        return call

    def _call_of(self, identity: str, key: int | str | None, name: str, text: str) -> Call | None:
        """The call that a frame belongs to, `None` if it starts one: rules 1 to 4 of this module."""
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
            # The id is another call's, but a new index tells that this is a first frame.
            starts_another = unseen and bool(known.name) and (known.text.complete or not known.text.begun)
            return None if starts_another else known
        return None if known.text.complete and not known.text.equals(text) else known

    def _takes_new_id(self, target: Call, name: str, text: str) -> bool:
        """Whether a frame with an unknown id belongs to `target`: the id comes late, or changes from frame to frame."""
        if target.text.complete or target.delta == self.delta:
            return False
        if not target.given:
            return not name or name == target.name
        return not name and bool(text.strip())

    def _takes_name(self, target: Call, name: str, *, unseen: bool) -> bool:
        """Whether a frame with a name and no id belongs to `target`: it repeats or completes the name."""
        if not target.name:
            return True
        if target.delta == self.delta:
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


def _identity(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _key(value: object) -> int | str | None:
    """An index in the form in which indexes are compared: 0 for `0`, `0.0` and `"0"`; `None` if it is no index."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else value or None
    return value if isinstance(value, int) else None
