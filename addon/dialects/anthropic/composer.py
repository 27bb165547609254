"""The content of an answer: which blocks it has, in which order. Whole answers and streams are both made by it.

A message's blocks come one after the other, while a chat answer may go on with any of its texts and calls at any time.
So only the first unfinished block is given out; what belongs to later ones waits. Arguments wait for the end of their
call, since they must be one JSON object for the client: the Python SDK ends a stream with an exception over others, and
Anthropic's API itself sends an input's values only once they are whole (docs/facts/anthropic.md#streams).

While they wait, the client gets the brace with which every input begins, and now and then a space, which JSON allows
behind it. SDKs hide pings from their callers: without a piece of content a long input would look like a stalled stream.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from ...exchange import JsonObject
from ...rules import arguments, ids
from . import ending, spoken
from .stops import StopSequences
from .thinking import signature

type Kind = Literal["text", "thinking", "tool_use"]

MAX_HELD: Final = 16 << 20
"""Characters that may wait in one stream, all together. The longest answers have a tenth of it."""

_A_BLOCK: Final = 200
"""What a block that waits counts beside its characters."""
_SAMPLE: Final = 64
_BRACE: Final = "{"
_GROWS_BY: Final = 64
"""Characters of arguments that wait before the client sees again that they grow: a second of a slow model."""


class Sink(Protocol):
    """Where blocks go: one after the other, each begun, given in pieces and ended."""

    def begin(self, block: JsonObject) -> None:
        """The next block, as it is before it has any content."""

    def add(self, piece: str) -> None:
        """The next piece of its text or of its thinking, or the JSON text of its input."""

    def end(self, signed: str) -> None:
        """The end of it; `signed` is the signature of a thinking block, else ""."""


class TooMuchHeld(Exception):
    """More waits than `MAX_HELD`."""


@dataclass(slots=True, eq=False)
class _Block:
    kind: Kind
    held: list[str] = field(default_factory=list)
    """The pieces that were not given out."""
    size: int = 0
    """Characters of the arguments of a call."""
    id: object = None
    name: str = ""
    begun: bool = False
    shown: int = 0
    """Characters of the arguments when the client last saw that they grow; 0: it has nothing of them."""
    complete_at: int = 0
    """How long the arguments have to be before another look at whether they are complete."""


class Composer:
    """Makes blocks of what a chat answer says, and gives them to `sink`, for the client whose request left `note`.

    `origin` is the message's id, of which ids are made for calls without one. `feed` raises `TooMuchHeld` where more
    than `limit` characters wait.
    """

    def __init__(self, note: JsonObject, sink: Sink, origin: str, limit: float = math.inf) -> None:
        self._sink, self._origin, self._limit = sink, origin, limit
        names, mode = note.get("tool_names"), note.get("thinking")
        self._names: JsonObject = names if isinstance(names, dict) else {}
        self._thinks, self._omits = mode in ("shown", "omitted"), mode == "omitted"
        self._stops = StopSequences(note)
        self._blocks: deque[_Block] = deque()
        """The unfinished blocks: the first one is given out as it comes, the others wait."""
        self._calls: dict[object, _Block] = {}
        self._last_call: _Block | None = None
        self._call_ids: set[str] = set()
        self._thought = False
        self._blank_reasoning: list[str] = []
        self._blank_text: list[str] = []
        self._sample = ""
        """The first characters of the text, which tell its language."""
        self.written = 0
        """Characters that the model wrote."""
        self.held = 0
        """Characters that have waited."""
        self.has_calls = False

    @property
    def direct(self) -> Kind | None:
        """The kind of block whose pieces are given out as they are, by whoever has them; `None`: all need `feed`."""
        kind = self._blocks[0].kind if self._blocks else None  # behind an open text or thought nothing waits
        if kind == "text" and not self._stops.wanted and len(self._sample) == _SAMPLE:
            return "text"
        return "thinking" if kind == "thinking" and not self._omits else None

    def feed(self, delta: JsonObject) -> None:
        """Add a delta, or a whole message: its reasoning, its text and its calls, in this order."""
        if self._stops.found is not None:
            return
        reasoning = spoken.reasoning_of(delta)
        if reasoning is not None:
            self._think(reasoning)
        for name in ("content", "refusal"):
            text = spoken.text_of(delta.get(name))
            if text:
                self.written += len(text)
                self._text(self._stops.feed(text))
        if self._stops.found is None:
            for call in spoken.calls_of(delta):
                self._call(call)
        self._give_out()

    def end(self, choice: JsonObject) -> tuple[str, str | None]:
        """Give out what is left; return `stop_reason` and `stop_sequence`. `choice` says why the answer ends."""
        reason = choice.get("finish_reason")
        self._text(self._stops.end())
        if ending.is_filtered(reason):
            self._append("text", ("\n\n" if self._ends_with("text") else "") + ending.notice(self._sample))
        self._give_out(everything=True)
        stopped_at = self._stops.found or ending.told_stop(choice, self._stops.wanted)
        return ending.stop(reason, calls=self.has_calls, stopped_at=stopped_at)

    # What is said, on its way into a block

    def _think(self, reasoning: str) -> None:
        """Reasoning. Without anything but white space it is a block only before calls: only there does an endpoint that
        gets it back tell it from none (docs/facts/anthropic.md#answers)."""
        self.written += len(reasoning)
        if not self._thinks:
            return
        if self._ends_with("thinking"):
            self._append("thinking", reasoning)
        elif reasoning and not reasoning.isspace():
            self._text(self._stops.end())
            self._append("thinking", "".join([*self._blank_reasoning, reasoning]))
            self._blank_reasoning.clear()
            self._thought = True
        elif reasoning or not self._blank_reasoning:
            self._hold(len(reasoning))
            self._blank_reasoning.append(reasoning)

    def _text(self, text: str) -> None:
        """Text. It begins a block only with something beside white space: no client may send back a blank one."""
        if not text:
            return
        if self._ends_with("text"):
            self._append("text", text)
        elif text.isspace():
            self._hold(len(text))
            self._blank_text.append(text)
        else:
            self._append("text", "".join([*self._blank_text, text]))
            self._blank_text.clear()

    def _call(self, frame: JsonObject) -> None:
        """A frame of a call. `answers.tool_frames` has numbered them and made each call one."""
        name, piece = spoken.function_of(frame)
        block = self._call_of(frame.get("index"), frame.get("id"), name)
        if block is None:
            self._text(self._stops.end())
            if self._blank_reasoning and not self._thought:
                self._append("thinking", "".join(self._blank_reasoning))
                self._thought = True
            block = _Block("tool_use")
            self._blocks.append(block)
            self._hold(_A_BLOCK)
        self._last_call = block
        for key in (frame.get("index"), frame.get("id")):
            if isinstance(key, int | str):
                self._calls[key] = block
        block.name = block.name or name
        block.id = block.id or frame.get("id")
        # Of a call that was given out the arguments were one object: what comes behind that is none of them.
        block.held.append(piece)
        block.size += len(piece)
        self.written += len(piece)
        self._hold(len(piece))

    def _call_of(self, index: object, identity: object, name: str) -> _Block | None:
        """The call that a frame belongs to; `None` if it begins one."""
        if isinstance(index, int):
            return self._calls.get(index)
        if isinstance(identity, str) and identity:
            return self._calls.get(identity)
        return None if name else self._last_call

    def _ends_with(self, kind: Kind) -> bool:
        return bool(self._blocks) and self._blocks[-1].kind == kind

    def _append(self, kind: Kind, piece: str) -> None:
        if not self._ends_with(kind):
            self._blocks.append(_Block(kind))
            self._hold(_A_BLOCK)
        if piece:
            self._blocks[-1].held.append(piece)
        if len(self._blocks) > 1 or (kind == "thinking" and self._omits):
            self._hold(len(piece))
        if kind == "text" and len(self._sample) < _SAMPLE:
            self._sample = (self._sample + piece)[:_SAMPLE]

    def _hold(self, size: int) -> None:
        self.held += size
        if self.held > self._limit:
            raise TooMuchHeld

    # Out of a block, to the client

    def _give_out(self, *, everything: bool = False) -> None:
        """Give out the first block as far as it goes, and all others that its end lets follow. `everything`: the answer
        is over, so each block is."""
        while self._blocks:
            block = self._blocks[0]
            over = everything or (len(self._blocks) > 1 and self._is_over(block))
            if not block.begun:
                if block.kind == "tool_use" and not block.name and not over:
                    return
                self._begin(block)
            if block.held and (block.kind == "text" or (block.kind == "thinking" and not self._omits)):
                self._sink.add("".join(block.held))
                block.held.clear()
            if not over:
                self._show_growth(block)
                return
            self._end(block)
            self._blocks.popleft()

    def _is_over(self, block: _Block) -> bool:
        """Whether a block that is followed by another has its last piece."""
        if block.kind != "tool_use":
            return True
        if block.size < block.complete_at:
            return False
        text = "".join(block.held)
        block.held = [text]
        block.complete_at = 2 * block.size + 1  # so all looks at one call take linear time
        return arguments.is_object(text)

    def _begin(self, block: _Block) -> None:
        block.begun = True
        if block.kind == "text":
            self._sink.begin({"type": "text", "text": ""})
        elif block.kind == "thinking":
            self._sink.begin({"type": "thinking", "thinking": "", "signature": ""})
        else:
            self.has_calls = True
            name = self._names.get(block.name, block.name)
            self._sink.begin({"type": "tool_use", "id": self._call_id(block.id), "name": name, "input": {}})

    def _end(self, block: _Block) -> None:
        text = "".join(block.held)
        block.held.clear()
        if block.kind == "thinking":
            self._sink.end(signature(text, omitted=self._omits))
            return
        if block.kind == "tool_use":
            made = arguments.as_object(text)
            self._sink.add(made.lstrip()[len(_BRACE) :] if block.shown else made)
        self._sink.end("")

    def _show_growth(self, block: _Block) -> None:
        if block.kind == "tool_use" and block.size - block.shown >= _GROWS_BY:
            self._sink.add(" " if block.shown else _BRACE)
            block.shown = block.size

    def _call_id(self, given: object) -> str:
        """The id of the next call: no two calls share one. Claude Code loses one of two results with the same id."""
        number = len(self._call_ids)
        wanted = made = ids.as_text(given) or f"toolu_{self._origin.removeprefix('msg_')}_{number}"
        while made in self._call_ids:
            made, number = f"{wanted}_{number}", number + 1
        self._call_ids.add(made)
        return made
