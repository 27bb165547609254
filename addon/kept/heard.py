"""What an answer says and what was thought for it, heard as it passes: chat, and the formats that endpoints speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Final, Protocol

from ..dialects import spoken
from ..dialects.anthropic import upstream_answers
from ..exchange import JsonObject
from ..wire import json_body
from . import histories, turns
from .turns import Call

CHAT_FIELDS: Final[tuple[str, ...]] = ("reasoning_content", "reasoning_details", "reasoning")
"""The fields of a chat message that have its reasoning as text, as Moonshot's own client looks for them
(docs/facts/kimi.md#reasoning-memory)."""


_A_PLACE: Final = 200
"""Characters that a choice, a call, a block or an item counts beside what it says."""
BLOCKS: Final = upstream_answers.THINKING_BLOCKS
"""The field of a chat message with the blocks of an upstream that speaks Messages."""


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """A turn of the assistant's, complete or as far as it came."""

    text: bytes
    """As it is digested."""
    calls: list[Call]
    thought: str | None
    """`None`: there was no reasoning."""
    field: str = ""
    """The field of a chat message that it was in."""
    blocks: Sequence[JsonObject] = ()
    """Where the format has them: the items of reasoning in a response; the blocks of thinking in an Anthropic message,
    each with `at`: how many other blocks stood before it."""


class Hearing(Protocol):
    """Hears one answer: its events, or all of it at once."""

    id: str
    """The answer's; `""`: it has none."""

    @property
    def size(self) -> int:
        """Characters that were heard."""

    def event(self, event: JsonObject) -> None:
        """A chat chunk, or an event of the answer's format."""

    def whole(self, answer: JsonObject) -> None:
        """A whole answer."""

    def turns(self) -> list[HeardTurn]:
        """What was heard so far: a turn for each choice. Empty where it is too much to be kept."""


class _Bounded:
    """Counts characters against a `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.id = ""
        self.size = 0
        """Characters that were heard, and what holds them."""

    def _name(self, answer: object) -> None:
        """Take the id of an answer, or of what tells its id."""
        given = answer.get("id") if isinstance(answer, dict) else None
        self.id = self.id or (given if isinstance(given, str) else "")

    def _take(self, piece: str) -> bool:
        """Whether there is room for a piece."""
        self.size += len(piece)
        return self.size <= self._limit

    def _begin(self) -> bool:
        """Whether there is room for another choice, call, block or item."""
        self.size += _A_PLACE
        return self.size <= self._limit

    @property
    def _is_too_much(self) -> bool:
        return self.size > self._limit


@dataclass(slots=True)
class _Frames:
    """A call, from its frames."""

    id: object = None
    name: str = ""
    arguments: StringIO = field(default_factory=StringIO)


@dataclass(slots=True)
class _Choice:
    text: StringIO = field(default_factory=StringIO)
    thoughts: dict[str, StringIO] = field(default_factory=dict)
    """By the field."""
    calls: dict[int, _Frames] = field(default_factory=dict)
    """By the index."""
    last: _Frames | None = None
    blocks: list[JsonObject] = field(default_factory=list)
    """Those that an upstream of another format has beside the text of its thoughts."""


class HeardChat(_Bounded):
    """A chat answer, as its client gets it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._choices: dict[object, _Choice] = {}

    def event(self, event: JsonObject) -> None:
        """A chunk."""
        self._name(event)
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if isinstance(delta, dict):
                self._hear(choice.get("index") or 0, delta)

    def whole(self, answer: JsonObject) -> None:
        """An answer with messages."""
        self._name(answer)
        choices = answer.get("choices")
        for place, choice in enumerate(choices if isinstance(choices, list) else ()):
            message = choice.get("message") if isinstance(choice, dict) else None
            if isinstance(message, dict):
                self._hear(place, message)

    def turns(self) -> list[HeardTurn]:
        """A turn for each choice."""
        return [] if self._is_too_much else [self._turn(choice) for choice in self._choices.values()]

    def _turn(self, choice: _Choice) -> HeardTurn:
        said = [turns.call_of(frames.name, frames.arguments.getvalue(), frames.id) for frames in choice.calls.values()]
        thoughts = {name: choice.thoughts[name].getvalue() for name in CHAT_FIELDS if name in choice.thoughts}
        name = next((name for name, said in thoughts.items() if said), next(iter(thoughts), ""))
        thought = thoughts.get(name)
        in_text, text = histories.parted(choice.text.getvalue())
        if in_text and not thought:
            name, thought = "", in_text
        return HeardTurn(text, [call for call in said if call is not None], thought, name, choice.blocks)

    def _hear(self, index: object, delta: JsonObject) -> None:
        if not isinstance(index, int | str):
            return
        choice = self._choices.get(index)
        if choice is None:
            if not self._begin():
                return
            choice = self._choices[index] = _Choice()
        for name in CHAT_FIELDS:
            thought = delta.get(name)
            if isinstance(thought, str) and self._take(thought):
                choice.thoughts.setdefault(name, StringIO()).write(thought)
        blocks = delta.get(BLOCKS)
        for block in blocks if isinstance(blocks, list) else ():
            if histories.is_thinking(block) and self._take(json_body.serialise(block).decode()):
                choice.blocks.append(block)
        for name in ("content", "refusal"):
            text = spoken.text_of(delta.get(name))
            if text and self._take(text):
                choice.text.write(text)
        for frame in spoken.calls_of(delta):
            self._hear_call(choice, frame)

    def _hear_call(self, choice: _Choice, frame: JsonObject) -> None:
        """A frame, or a whole call. `answers.tool_frames` has numbered those of a stream."""
        name, piece = spoken.function_of(frame)
        number = frame.get("index")
        frames: _Frames | None
        if isinstance(number, int):
            frames = choice.calls.get(number)
        else:
            number = len(choice.calls)
            frames = None if name else choice.last
        if frames is None:
            if not self._begin() or not self._take(name):
                return
            frames = choice.calls[number] = _Frames()
        choice.last = frames
        frames.id = frames.id or frame.get("id")
        frames.name = frames.name or name
        if self._take(piece):
            frames.arguments.write(piece)


class HeardMessage(_Bounded):
    """An Anthropic message, as its endpoint sends it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._blocks: dict[int, JsonObject] = {}
        """As they began."""
        self._pieces: dict[tuple[int, str], StringIO] = {}
        """What came of their fields since then."""

    def event(self, event: JsonObject) -> None:
        """An event of a block, or the first one, which has the id; others say nothing."""
        self._name(event.get("message"))
        index = event.get("index")
        if not isinstance(index, int):
            return
        if event.get("type") == "content_block_start" and isinstance(event.get("content_block"), dict):
            given = event["content_block"]
            if self._begin() and self._take(json_body.serialise(given).decode()):
                self._blocks[index] = dict(given)
        elif event.get("type") == "content_block_delta" and isinstance(event.get("delta"), dict):
            for key, name in _PIECES.items():
                piece = event["delta"].get(key)
                if index in self._blocks and isinstance(piece, str) and self._take(piece):
                    self._pieces.setdefault((index, name), StringIO()).write(piece)

    def whole(self, answer: JsonObject) -> None:
        """A message."""
        self._name(answer)
        content = answer.get("content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            self.event({"type": "content_block_start", "index": index, "content_block": block})

    def turns(self) -> list[HeardTurn]:
        """The message, as a turn."""
        if self._is_too_much or not self._blocks:
            return []
        content = [self._whole(index, block) for index, block in self._blocks.items()]
        blocks: list[JsonObject] = []
        for index, block in zip(self._blocks, content, strict=True):
            if histories.is_thinking(block):
                blocks.append({**block, "at": index - len(blocks)})
        texts = [block["thinking"] for block in blocks if isinstance(block.get("thinking"), str)]
        thought = "".join(texts) if blocks else None
        calls = histories.calls_of_blocks(content)
        return [HeardTurn(histories.text_in(content), calls, thought, blocks=blocks)]

    def _whole(self, index: int, block: JsonObject) -> JsonObject:
        """A block with what came of it."""
        made = dict(block)
        for name in _PIECES.values():
            pieces = self._pieces.get((index, name))
            if pieces is not None:
                begun = made.get(name)  # an empty text, or an empty object for the input
                made[name] = (begun if isinstance(begun, str) else "") + pieces.getvalue()
        return made


_PIECES: Final = {
    "text": "text",
    "thinking": "thinking",
    "signature": "signature",
    "partial_json": "input",
}
"""The fields of a delta with a piece, and those of the block that they belong to."""


class HeardResponse(_Bounded):
    """A response of the Responses API: its items, once they are done."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._items: dict[int, JsonObject] = {}

    def event(self, event: JsonObject) -> None:
        """An event with an item that is done, or with the whole response; others say nothing that these don't."""
        item, index, response = event.get("item"), event.get("output_index"), event.get("response")
        if event.get("type") == "response.output_item.done" and isinstance(index, int):
            self._hear(index, item)
        elif event.get("type") in ("response.completed", "response.incomplete") and isinstance(response, dict):
            self.whole(response)

    def whole(self, answer: JsonObject) -> None:
        """A response."""
        self._name(answer)
        output = answer.get("output")
        for index, item in enumerate(output if isinstance(output, list) else ()):
            self._hear(index, item)

    def turns(self) -> list[HeardTurn]:
        """All items, as one turn."""
        if self._is_too_much or not self._items:
            return []
        items = list(self._items.values())
        said = [histories.text_in(item.get("content")) for item in items if item.get("type") == "message"]
        calls = [call for item in items if (call := histories.call_of_item(item)) is not None]
        blocks = [item for item in items if item.get("type") == "reasoning"]
        thought = "".join(map(histories.thought_in_item, blocks)) if blocks else None
        return [HeardTurn(b"".join(said), calls, thought, blocks=blocks)]

    def _hear(self, index: int, item: object) -> None:
        if index in self._items or not isinstance(item, dict):
            return
        if self._begin() and self._take(json_body.serialise(item).decode()):
            self._items[index] = item
