"""The blocks of a message, of whole answers and of streams.

Arguments wait for the end of their call, since they must be one JSON object for the client: the Python SDK ends a
stream with an exception over others, and Anthropic's API itself sends an input's values only once they are whole
(docs/facts/anthropic.md#streams).

While they wait, the client gets the brace with which every input begins, and now and then a space, which JSON allows
behind it. SDKs hide pings from their callers: without a piece of content a long input would look like a stalled stream.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

from ...exchange import JsonObject
from ...rules import arguments
from .. import composer
from ..composer import Block, Kind
from . import ending
from .stops import StopSequences
from .thinking import signature

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


class Composer(composer.Composer):
    """Gives the blocks of a message to `sink`, for the client whose request left `note`.

    `origin` is the message's id. `feed` raises `TooMuchHeld` where more than `limit` characters wait.
    """

    def __init__(self, note: JsonObject, sink: Sink, origin: str, limit: float = math.inf) -> None:
        super().__init__(origin.removeprefix("msg_"), "toolu", limit)
        self._sink = sink
        names, mode = note.get("tool_names"), note.get("thinking")
        self._names: JsonObject = names if isinstance(names, dict) else {}
        self._thinks, self._omits = mode in ("shown", "omitted"), mode == "omitted"
        self._stops = StopSequences(note)
        self.has_calls = False

    @property
    def direct(self) -> Kind | None:
        """As in every format, but text is looked through for stop sequences, and thinking may be omitted."""
        kind = super().direct
        if (kind == "text" and self._stops.wanted) or (kind == "reasoning" and self._omits):
            return None
        return kind

    def feed(self, delta: JsonObject) -> None:
        """Add a delta, or a whole message. Nothing is said after a stop sequence."""
        if self._stops.found is None:
            super().feed(delta)

    def end(self, choice: JsonObject) -> tuple[str, str | None]:
        """Give out what is left; return `stop_reason` and `stop_sequence`. `choice` says why the answer ends."""
        reason = choice.get("finish_reason")
        self.finish(reason)
        stopped_at = self._stops.found or ending.told_stop(choice, self._stops.wanted)
        return ending.stop(reason, calls=self.has_calls, stopped_at=stopped_at)

    def _reason(self, reasoning: str) -> None:
        if self._thinks:
            super()._reason(reasoning)

    def _say(self, kind: Kind, text: str) -> None:
        super()._say("text", self._stops.feed(text))

    def _call(self, frame: JsonObject) -> None:
        if self._stops.found is None:
            super()._call(frame)

    def _text_is_over(self) -> None:
        super()._say("text", self._stops.end())

    def _keeps(self, kind: Kind) -> bool:
        return kind == "reasoning" and self._omits

    def _begin(self, block: Block) -> None:
        if block.kind == "text":
            self._sink.begin({"type": "text", "text": ""})
        elif block.kind == "reasoning":
            self._sink.begin({"type": "thinking", "thinking": "", "signature": ""})
        else:
            self.has_calls = True
            name = self._names.get(block.name, block.name)
            self._sink.begin({"type": "tool_use", "id": self._call_id(block.id), "name": name, "input": {}})

    def _more(self, block: Block) -> None:
        if block.kind != "call":
            self._give(block)
        elif block.size - block.shown >= _GROWS_BY:
            self._sink.add(" " if block.shown else _BRACE)
            block.shown = block.size

    def _end(self, block: Block) -> None:
        if block.kind != "call":
            self._give(block)
        text = "".join(block.held)
        block.held.clear()
        if block.kind == "reasoning":
            self._sink.end(signature(text, omitted=self._omits))
            return
        if block.kind == "call":
            made = arguments.as_object(text)
            self._sink.add(made.lstrip()[len(_BRACE) :] if block.shown else made)
        self._sink.end("")

    def _give(self, block: Block) -> None:
        if block.held and not self._keeps(block.kind):
            self._sink.add("".join(block.held))
            block.held.clear()
