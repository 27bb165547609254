"""Which call of an answer's choice a frame of a tool call belongs to.

Providers number frames wrongly, change a call's index, leave out ids, repeat ids and names in every frame, or send a
name in pieces (apache/maka#1976, agno-agi/agno#8880, dirac-run/dirac#215, NVIDIA-NeMo/Switchyard#785). So:

1. A frame with an id that is known belongs to that call; one with a new id and a name starts a call.
2. A name without an id starts a call, unless it repeats or completes the name of a call without arguments so far.
3. A frame without id and name goes on with the call that its index points to, if there is one, else with the one that
   is being streamed. A call whose arguments are whole gets no more of them while another one waits for its own.
4. A frame that brings a whole call once more is dropped. Other arguments under the id of a whole call are another call.
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
"""Ids and indexes that are kept in mind: some providers make a new id for each frame."""


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
    """Its first frame, unchanged, until the client has it."""
    head: JsonObject | None = None
    """The same with what later frames added to it."""
    sent: bool = False
    """Its first frame is with the client."""
    text: ArgumentsText = field(default_factory=ArgumentsText)

    @property
    def is_complete(self) -> bool:
        """Whether a client can run it."""
        return bool(self.name) and self.text.complete


class Placing:
    """The calls of one choice. Frames come in order."""

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self.calls: list[Call] = []
        self.delta = 0
        """The number of the delta whose frames are being placed."""
        self._by_id: dict[str, Call] = {}
        self._by_index: dict[int | str, Call] = {}
        self._last: Call | None = None

    def place(self, frame: JsonObject) -> tuple[Call | None, str, str]:
        """The call of a frame (`None`: it only repeats a whole one), its arguments, and what it adds to the name.

        Raises `TooMany` past `MAX_CALLS` calls.
        """
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
        if identity and len(self._by_id) < MAX_MARKS:
            self._by_id[identity] = call
        if key is not None and len(self._by_index) < MAX_MARKS:
            self._by_index[key] = call
        piece = name if name and (not call.name or (name != call.name and self._continues(call, name))) else ""
        call.name += piece
        call.delta = self.delta
        self._last = call
        return call, text, piece

    def goes_on(self, frame: JsonObject) -> Call | None:
        """The call that a frame like `frame` goes on with, which was placed last, if all that it brings is more text.

        `None` where that may depend on the text, or on what a further frame like it changes here.
        """
        call, function = self._last, frame.get("function")
        if call is None or not call.text.begun or not isinstance(function, dict):
            return None
        if not isinstance(function.get("arguments"), str):
            return None
        identity, key, name = _identity(frame.get("id")), _key(frame.get("index")), function.get("name")
        known = self._by_id.get(identity) is call if identity else key is None or self._by_index.get(key) is call
        return call if known and (not isinstance(name, str) or name in ("", call.name)) else None

    def _begun(self, identity: str) -> Call:
        if len(self.calls) >= MAX_CALLS:
            raise TooMany
        # An id that another call has already would make one of the two.
        fresh = identity not in self._by_id
        call = Call(len(self.calls), self.delta, id=identity if fresh else "", given=bool(identity) and fresh)
        self.calls.append(call)
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
        if target.text.complete or target.delta == self.delta:
            return False
        if not target.given:
            return not name or name == target.name
        return not name and bool(text.strip())

    def _takes_name(self, target: Call, name: str, *, unseen: bool) -> bool:
        """Whether a name without an id is, or completes, that of a call that began already."""
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
    """An index as it is compared: `0`, `0.0` and `"0"` are the same one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else value or None
    return value if isinstance(value, int) else None
