"""The content of an answer: which blocks it has, in which order. Whole answers and streams are both made by it.

Other formats put the blocks of an answer one after the other, while a chat answer may go on with any of its texts and
calls at any time. So only the first unfinished block is given out; what belongs to later ones waits.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from ..exchange import JsonObject
from ..rules import arguments, ids
from . import ending, spoken

type Kind = Literal["text", "refusal", "reasoning", "call"]

MAX_HELD: Final = 16 << 20
"""Characters that may wait in one stream, all together. The longest answers have a tenth of it."""

_A_BLOCK: Final = 200
"""What a block that waits counts beside its characters."""
_SAMPLE: Final = 64


class TooMuchHeld(Exception):
    """More waits than `MAX_HELD`."""


@dataclass(slots=True, eq=False)
class Block:
    """One block of an answer."""

    kind: Kind
    held: list[str] = field(default_factory=list)
    """The pieces that are here: of a call all of its arguments, of others what the format keeps."""
    size: int = 0
    """Characters of the arguments of a call."""
    id: object = None
    name: str = ""
    begun: bool = False
    shown: int = 0
    """How much of a call the client has seen; the format counts it."""
    complete_at: int = 0
    """How long the arguments have to be before another look at whether they are complete."""


class Composer:
    """Makes blocks of what a chat answer says. A format's own composer says what becomes of them.

    `origin`: a text of which ids are made for calls without one. `call_prefix`: how they begin. `feed` raises
    `TooMuchHeld` where more than `limit` characters wait.
    """

    keeps_text = False
    """Whether the format needs the whole text of a block at its end. Then all of it counts as waiting."""

    def __init__(self, origin: str, call_prefix: str, limit: float = math.inf) -> None:
        self._origin, self._call_prefix, self._limit = origin, call_prefix, limit
        self._blocks: deque[Block] = deque()
        """The unfinished blocks: the first one is given out as it comes, the others wait."""
        self._calls: dict[object, Block] = {}
        self._last_call: Block | None = None
        self._call_ids: set[str] = set()
        self._reasoned = False
        self._blank_reasoning: list[str] = []
        self._blank_text: list[str] = []
        self._sample = ""
        """The first characters of the text, which tell its language."""
        self.written = 0
        """Characters that the model wrote."""
        self.held = 0
        """Characters that have waited."""

    # What a format says

    def _begin(self, block: Block) -> None:
        """`block` is the next one. Of a call the name is known, unless it never comes."""
        raise NotImplementedError

    def _more(self, block: Block) -> None:
        """The open `block` has further pieces, perhaps none, and may get more."""
        raise NotImplementedError

    def _end(self, block: Block) -> None:
        """The open `block` has all of its pieces."""
        raise NotImplementedError

    def _keeps(self, _kind: Kind) -> bool:
        """Whether the pieces of a block of this kind wait for its end, even if it is open."""
        return self.keeps_text

    def _text_is_over(self) -> None:
        """Something other than text follows: what the format held back of the text is text."""

    @property
    def direct(self) -> Kind | None:
        """The kind of block whose pieces are given out as they are, by whoever has them; `None`: all need `feed`."""
        kind = self._blocks[0].kind if self._blocks else None  # behind an open text or thought nothing waits
        if kind == "text":
            return kind if len(self._sample) == _SAMPLE else None
        return kind if kind == "reasoning" else None

    def given_out(self, text: str) -> None:
        """`text` is a piece of the open block, which was given out already. `direct` says of which kind it may be."""
        self.written += len(text)

    # What a chat answer says, on its way into a block

    def feed(self, delta: JsonObject) -> None:
        """Add a delta, or a whole message: its reasoning, its text and its calls, in this order."""
        reasoning = spoken.reasoning_of(delta)
        if reasoning is not None:
            self.written += len(reasoning)
            self._reason(reasoning)
        for field_name, kind in _TEXTS.items():
            text = spoken.text_of(delta.get(field_name))
            if text:
                self.written += len(text)
                self._say(kind, text)
        for call in spoken.calls_of(delta):
            self._call(call)
        self._give_out()

    def finish(self, reason: object) -> None:
        """Give out what is left. `reason`: why the answer ends."""
        self._text_is_over()
        if ending.is_filtered(reason):
            self._append("text", ("\n\n" if self._ends_with("text") else "") + ending.notice(self._sample))
        self._give_out(everything=True)

    def _reason(self, reasoning: str) -> None:
        """Reasoning. Without anything but white space it is a block only before calls: only there does an endpoint that
        gets it back tell it from none (docs/facts/anthropic.md#answers)."""
        if self._ends_with("reasoning"):
            self._append("reasoning", reasoning)
        elif reasoning and not reasoning.isspace():
            self._text_is_over()
            self._append("reasoning", "".join([*self._blank_reasoning, reasoning]))
            self._blank_reasoning.clear()
            self._reasoned = True
        elif reasoning or not self._blank_reasoning:
            self._hold(len(reasoning))
            self._blank_reasoning.append(reasoning)

    def _say(self, kind: Kind, text: str) -> None:
        """Text. It begins a block only with something beside white space: no client may send back a blank one."""
        if not text:
            return
        if self._ends_with(kind):
            self._append(kind, text)
        elif text.isspace():
            self._hold(len(text))
            self._blank_text.append(text)
        else:
            self._append(kind, "".join([*self._blank_text, text]))
            self._blank_text.clear()

    def _call(self, frame: JsonObject) -> None:
        """A frame of a call. `answers.tool_frames` has numbered them and made each call one."""
        name, piece = spoken.function_of(frame)
        block = self._call_of(frame.get("index"), frame.get("id"), name)
        if block is None:
            self._text_is_over()
            if self._blank_reasoning and not self._reasoned:
                self._append("reasoning", "".join(self._blank_reasoning))
                self._reasoned = True
            block = Block("call")
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

    def _call_of(self, index: object, identity: object, name: str) -> Block | None:
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
            self._blocks.append(Block(kind))
            self._hold(_A_BLOCK)
        if piece:
            self._blocks[-1].held.append(piece)
        if len(self._blocks) > 1 or self._keeps(kind):
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
                if block.kind == "call" and not block.name and not over:
                    return
                block.begun = True
                self._begin(block)
            if not over:
                self._more(block)
                return
            self._end(block)
            self._blocks.popleft()

    def _is_over(self, block: Block) -> bool:
        """Whether a block that is followed by another has its last piece."""
        if block.kind != "call":
            return True
        if block.size < block.complete_at:
            return False
        block.complete_at = 2 * block.size + 1  # so all looks at one call take linear time
        return arguments.is_object("".join(block.held))

    def _call_id(self, given: object) -> str:
        """The id of the next call: no two calls share one. Clients lose one of two results with the same id."""
        number = len(self._call_ids)
        wanted = made = ids.as_text(given) or f"{self._call_prefix}_{self._origin}_{number}"
        while made in self._call_ids:
            made, number = f"{wanted}_{number}", number + 1
        self._call_ids.add(made)
        return made


_TEXTS: Final[dict[str, Kind]] = {"content": "text", "refusal": "refusal"}
"""The fields of a delta that have text."""
