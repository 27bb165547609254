"""Streamed chat answers as Anthropic's events, in its order (docs/facts/anthropic.md#streams):

message_start
for each block, one open at a time:   content_block_start, content_block_delta …, content_block_stop
message_delta, message_stop           or, at any time, error: nothing follows it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from ...exchange import JsonObject
from ...wire import json_body, proxy_errors
from . import ending, errors, searched, spoken
from .answer import Content
from .composer import MAX_HELD, Composer, Kind, TooMuchHeld

_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_COMMENT: Final = b": keep-alive\n\n"
_PING_EVERY: Final = 512
"""Characters that may wait between two pings: something comes from the model, though nothing for the client yet."""

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


class Writer:
    """A streamed answer as Anthropic's events: chat chunks in, bytes out. No method raises.

    Most chunks bring one more piece of the open block's text: they are written without a look at anything else.
    """

    def __init__(self, note: JsonObject) -> None:
        self._note = note
        self._identity = ""
        self._events = _Events()
        self._searches = searched.searches_in(note)
        self._whole = Content()
        """The blocks of an answer with searches: it is there as a whole, and is put together before it is written."""
        self._composer: Composer | None = None
        """`None` until the first chunk has come, which names the answer."""
        self._direct = ""
        """The field of a delta whose text can be written at once, in the open block; "" if there is none."""
        self.repeats = ""
        """The field of the last chunk whose text was all that it brought: of chunks that differ in nothing else the
        text can go to `more`. "" if the next chunk has to be fed."""
        self._usage: JsonObject | None = None
        self._end: JsonObject = {}
        """The last choice that said why the answer ends."""
        self._written = 0
        """Characters that were written at once, which the composer didn't see."""
        self._pinged = 0
        """How much had waited when something was sent last."""
        self._over = False

    def feed(self, chunk: JsonObject) -> list[bytes]:
        """The events for one chunk."""
        if self._direct:
            text = self._only_text(chunk)
            if text is not None:
                self.repeats = self._direct
                return [self._events.delta(text)]
        self.repeats = ""
        if self._over:
            return []
        try:
            self._take(chunk)
        except TooMuchHeld:
            return self._taken() + self.fail(proxy_errors.STREAM_ANSWER_TOO_LARGE().fields())
        return self._taken()

    def more(self, text: str) -> bytes:
        """The event for a chunk that differs from the last one in its text alone, while `repeats` is set."""
        self._written += len(text)
        return self._events.delta(text)

    def finish(self) -> list[bytes]:
        """The events that end the message."""
        if self._over:
            return []
        composer = self._begun({})
        try:
            stop_reason, stop_sequence = composer.end(self._end)
        except TooMuchHeld:
            return self._taken() + self.fail(proxy_errors.STREAM_ANSWER_TOO_LARGE().fields())
        usage = ending.usage(self._usage, self._note, composer.written + self._written)
        if self._searches:
            usage |= searched.usage(self._searches)
            for block in searched.with_searches(self._whole.blocks, self._searches, self._identity):
                self._events.whole(block)
        delta = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
        self._events.write("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
        self._events.write("message_stop", {"type": "message_stop"})
        self._over, self._direct, self.repeats = True, "", ""
        return self._events.taken()

    def fail(self, error: JsonObject) -> list[bytes]:
        """The event `error`, with which the stream ends."""
        if self._over:
            return []
        self._over, self._direct, self.repeats = True, "", ""
        self._events.write("error", errors.event(error, self._note))
        return self._events.taken()

    def keep_alive(self) -> list[bytes]:
        """A `ping`; before the message has begun a comment, since all clients take that first."""
        if self._over:
            return []
        return [_COMMENT if self._composer is None else _PING]

    def _only_text(self, chunk: JsonObject) -> str | None:
        """The text of a chunk that brings nothing but a further piece of the open block; `None` for any other."""
        choices = chunk.get("choices")
        if type(choices) is not list or not choices:
            return None
        choice = choices[0]
        if type(choice) is not dict or choice.get("finish_reason") or choice.get("index"):
            return None
        delta = choice.get("delta")
        if type(delta) is not dict:
            return None
        text = delta.get(self._direct)
        if type(text) is not str or not text:
            return None
        if len(delta) > 1 and any(delta[key] for key in delta if key not in (self._direct, "role")):
            return None
        usage = chunk.get("usage")
        if usage is not None and type(usage) is dict:
            self._usage = usage or self._usage
        self._written += len(text)
        return text

    def _take(self, chunk: JsonObject) -> None:
        composer = self._begun(chunk)
        choice = spoken.choice_of(chunk)
        self._usage = ending.usage_in(chunk, choice) or self._usage
        if choice is None:
            return
        if choice.get("finish_reason"):
            self._end = {name: choice.get(name) for name in ending.FIELDS}
        delta = choice.get("delta")
        if isinstance(delta, dict):
            composer.feed(delta)
            self._direct = "" if self._searches else _FIELDS[composer.direct]

    def _begun(self, chunk: JsonObject) -> Composer:
        """The composer; with the first chunk, `message_start` is written, too."""
        if self._composer is None:
            identity = self._identity = ending.message_id(chunk.get("id"))
            usage = ending.usage(ending.usage_in(chunk, None), self._note, 0)
            message: JsonObject = {
                "id": identity,
                "type": "message",
                "role": "assistant",
                "model": ending.model(chunk, self._note),
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {**usage, "output_tokens": 1},
            }
            self._events.write("message_start", {"type": "message_start", "message": message})
            sink = self._whole if self._searches else self._events
            self._composer = Composer(self._note, sink, identity, MAX_HELD)
        return self._composer

    def _taken(self) -> list[bytes]:
        """What was written. Where that is nothing, though much waits, a `ping` says that the stream goes on."""
        sent = self._events.taken()
        held = 0 if self._composer is None else self._composer.held
        if not sent and held - self._pinged >= _PING_EVERY:
            sent = [_PING]
        if sent:
            self._pinged = held
        return sent


_FIELDS: Final[Mapping[Kind | None, str]] = {
    None: "",
    "tool_use": "",
    "text": "content",
    "thinking": "reasoning_content",
}
"""The field of a delta in which the text of the open block comes; "" where it can't be written at once."""


class _Events:
    """The events of blocks, as bytes. Only what differs is serialised."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
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
            self._written.append(before + _json_text(signed) + _DELTA_END)
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
        return self._before + _json_text(piece) + _DELTA_END

    def write(self, name: str, data: JsonObject) -> None:
        """Any other event."""
        self._written.append(b"event: %b\ndata: %b\n\n" % (name.encode(), json_body.serialise(data)))

    def taken(self) -> list[bytes]:
        """All that was written since the last call, in one piece."""
        if not self._written:
            return []
        written, self._written = b"".join(self._written), []
        return [written]


def _json_text(text: str) -> bytes:
    """`text` in JSON. Half a character becomes U+FFFD: strict readers refuse it."""
    try:
        return orjson.dumps(text)
    except orjson.JSONEncodeError:
        return orjson.dumps(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
