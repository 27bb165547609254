"""Streamed chat answers as Anthropic's events, in its order (docs/facts/anthropic.md#streams):

message_start
for each block, one open at a time:   content_block_start, content_block_delta …, content_block_stop
message_delta, message_stop           or, at any time, error: nothing follows it
"""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from ...wire import json_body, sse
from ...wire import usage as usages
from .. import writer
from ..composer import MAX_HELD, TooMuchHeld
from ..ending import model
from ..searching import searches_in
from . import ending, errors, searched
from .answer import Content
from .composer import Composer

_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_COMMENT: Final = sse.COMMENT + b"\n\n"

_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTA_END: Final = b"}}\n\n"
_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_DELTAS: Final = {
    "text": (b"text_delta", b"text"),
    "thinking": (b"thinking_delta", b"thinking"),
    "tool_use": (b"input_json_delta", b"partial_json"),
    "server_tool_use": (b"input_json_delta", b"partial_json"),
}
"""For each type of block: its delta's type, and the field that has the piece."""


_CONTENT: Final = {"text": "text", "thinking": "thinking", "tool_use": "input", "server_tool_use": "input"}
"""For each type of block whose content comes in deltas: the field that has it."""
_LATER: Final[JsonObject] = {"citations": [], "signature": ""}
"""Other fields that come in deltas: what a block begins with instead."""


class Writer(writer.Writer):
    """A streamed answer as Anthropic's events: chat chunks in, bytes out. No method raises."""

    def __init__(self, note: JsonObject) -> None:
        self._events = _Events()
        super().__init__(note, self._events)
        self._identity = ""
        self._searches = searches_in(note)
        self._whole = Content()
        """The blocks of an answer with searches: it is there as a whole, and is put together before it is written."""
        self._message: Composer | None = None

    def finish(self) -> list[bytes]:
        """The events that end the message."""
        if self._over:
            return []
        composer = self._begun({})
        try:
            stop_reason, stop_sequence = composer.end(self._end)
        except TooMuchHeld:
            return self._too_large()
        usage = ending.usage(self._usage, self._note, composer.written)
        if self._searches:
            usage |= searched.usage(self._searches)
            for block in searched.with_searches(self._whole.blocks, self._searches, self._identity):
                self._events.whole(block)
        delta = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
        self._events.write("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
        self._events.write("message_stop", {"type": "message_stop"})
        self._is_over()
        return self._events.taken()

    def fail(self, error: JsonObject) -> list[bytes]:
        """The event `error`, with which the stream ends."""
        if self._over:
            return []
        self._is_over()
        self._events.write("error", errors.event(error, self._note))
        return self._events.taken()

    def keep_alive(self) -> list[bytes]:
        """A `ping`; before the message has begun a comment, since all clients take that first."""
        if self._over:
            return []
        return [_COMMENT if self._composer is None else _PING]

    def _keep_alive_pieces(self) -> list[bytes]:
        return [_PING]

    def _may_write_at_once(self) -> bool:
        return not self._searches

    def _begun(self, chunk: JsonObject) -> Composer:
        """The composer; with the first chunk, which names the answer, `message_start` is written, too."""
        if self._message is None:
            identity = self._identity = ending.message_id(chunk.get("id"))
            used = ending.usage(usages.of_answer(chunk), self._note, 0)
            message: JsonObject = {
                "id": identity,
                "type": "message",
                "role": "assistant",
                "model": model(chunk, self._note),
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {**used, "output_tokens": 1},
            }
            self._events.write("message_start", {"type": "message_start", "message": message})
            sink = self._whole if self._searches else self._events
            self._composer = self._message = Composer(self._note, sink, identity, MAX_HELD)
        return self._message


class _Events(writer.Events):
    """The events of blocks, as bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._index = -1
        self._type = ""
        self._before = b""

    def begin(self, block: JsonObject) -> None:
        """`content_block_start`."""
        self._index += 1
        self._type = block["type"]
        if self._type in _DELTAS:
            self._before = _DELTA % (self._index, *_DELTAS[self._type])
        self.write("content_block_start", {"type": "content_block_start", "index": self._index, "content_block": block})

    def add(self, piece: str) -> None:
        """`content_block_delta`."""
        self._written.append(self.delta(piece))

    def end(self, signed: str) -> None:
        """`content_block_stop`; before it the signature, if there is one."""
        if signed:
            before = _DELTA % (self._index, b"signature_delta", b"signature")
            self._written.append(before + writer.json_text(signed) + _DELTA_END)
        self._written.append(_STOP % self._index)

    def whole(self, block: JsonObject) -> None:
        """All events of a block that is complete."""
        field = _CONTENT.get(block["type"])
        later = {name: empty for name, empty in _LATER.items() if name in block}
        self.begin(block if field is None else {**block, **later, field: {} if field == "input" else ""})
        if field == "input":
            self.add(json_body.serialise(block["input"]).decode())
        elif field is not None:
            self.add(block[field])
        for citation in block.get("citations", ()):
            delta = {"type": "citations_delta", "citation": citation}
            self.write("content_block_delta", {"type": "content_block_delta", "index": self._index, "delta": delta})
        self.end(block.get("signature", ""))

    def delta(self, piece: str) -> bytes:
        """The event with the next piece of the open block."""
        return self._before + writer.json_text(piece) + _DELTA_END
