"""Streamed chat answers as the events of the Responses API, in its order (docs/facts/responses.md#streams):

response.created, response.in_progress
for each item, one open at a time:   response.output_item.added, its parts and deltas …, response.output_item.done
response.completed, response.incomplete or, at any time, response.failed: nothing follows it

Each has the next `sequence_number`, beginning with 0.
"""

from __future__ import annotations

from typing import Any, Final

from ...exchange import JsonObject
from .. import writer
from ..composer import MAX_HELD, TooMuchHeld
from ..searching import searches_in
from . import answer, compaction, ending, errors, searched
from .composer import Composer, Items, Says

_DELTA: Final = (
    b'event: response.%b.delta\ndata: {"type":"response.%b.delta","item_id":"%b","output_index":%d%b,"sequence_number":'
)
_WITHIN: Final[dict[Says, bytes]] = {
    "output_text": b',"content_index":0,"logprobs":[]',
    "refusal": b',"content_index":0',
    "reasoning_text": b',"content_index":0',
    "reasoning_summary_text": b',"summary_index":0',
}
"""Where in the item the pieces are."""
_PART: Final[dict[Says, JsonObject]] = {
    "output_text": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
    "refusal": {"type": "refusal", "refusal": ""},
    "reasoning_text": {"type": "reasoning_text", "text": ""},
    "reasoning_summary_text": {"type": "summary_text", "text": ""},
}
"""The part of an item that the pieces are the text of, before it has any."""


class Writer(writer.Writer):
    """A streamed answer as events: chat chunks in, bytes out. No method raises."""

    def __init__(self, note: JsonObject) -> None:
        self._events = _Events()
        super().__init__(note, self._events)
        self._searches = searches_in(note)
        self._whole = Items()
        """The items of an answer with searches: it is there as a whole, and is put together before it is written."""
        self._items: Composer | compaction.Composer | None = None
        self._response: JsonObject = {}
        """The response, as it was begun."""

    def finish(self) -> list[bytes]:
        """The events that end the response."""
        if self._over:
            return []
        composer, reason = self._begun({}), self._end.get("finish_reason")
        try:
            composer.finish(reason)
        except TooMuchHeld:
            return self._too_large()
        if self._searches:
            for item in searched.with_searches(self._whole.items, self._searches, self._response["id"]):
                self._events.whole(item)
        output = self._events.items
        made = answer.finished(self._response, self._note, composer, output, reason=reason, usage=self._usage)
        self._events.write(f"response.{made['status']}", {"response": made})
        self._is_over()
        return self._events.taken()

    def fail(self, error: JsonObject) -> list[bytes]:
        """The event `response.failed`, with which the stream ends. An item that is open stays so: it isn't whole."""
        if self._over:
            return []
        self._begun({})
        made = ending.failed(self._response, self._note, self._events.items, errors.failure(error, self._note))
        self._events.write("response.failed", {"response": made})
        self._is_over()
        return self._events.taken()

    def keep_alive(self) -> list[bytes]:
        """`response.in_progress`: Codex's timer goes on over comments (docs/facts/responses.md#streams)."""
        if self._over:
            return []
        if self._items is None:
            self._begun({})
            return self._events.taken()
        return self._keep_alive_pieces()

    def _keep_alive_pieces(self) -> list[bytes]:
        self._events.write("response.in_progress", {"response": self._response})
        return self._events.taken()

    def _may_write_at_once(self) -> bool:
        return not self._searches

    def _begun(self, chunk: JsonObject) -> Composer | compaction.Composer:
        """The composer; with the first chunk, or before it, the response is begun, too."""
        if self._items is None:
            self._response = ending.begun(chunk, self._note)
            for name in ("response.created", "response.in_progress"):
                self._events.write(name, {"response": self._response})
            sink = self._whole if self._searches else self._events
            self._composer = self._items = answer.composer_for(self._note, sink, MAX_HELD)
        return self._items


class _Events(writer.Events):
    """The events of a response, as bytes. `items`: the whole items that were written."""

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._item: JsonObject = {}
        self._says: Says = ""
        self._before = b""
        self.items: list[JsonObject] = []

    def begin(self, item: JsonObject, says: Says) -> None:
        """An item without content: `response.output_item.added`, and its part, if it has one."""
        self._item, self._says = item, says
        index = len(self.items)
        if says:
            name = says.encode()
            self._before = _DELTA % (name, name, item["id"].encode(), index, _WITHIN.get(says, b""))
        self.write("response.output_item.added", {"output_index": index, "item": item})
        if says in _PART:
            self._write_part("added", _PART[says])

    def add(self, piece: str) -> None:
        """A piece of its text: a delta."""
        self._written.append(self.delta(piece))

    def end(self, item: JsonObject) -> None:
        """The whole item: the end of its text, of its part, and `response.output_item.done`."""
        says = self._says
        if says in _PART:
            part = item["summary" if says == "reasoning_summary_text" else "content"][0]
            field = "refusal" if says == "refusal" else "text"
            logprobs = {"logprobs": part["logprobs"]} if says == "output_text" else {}
            self._write_within(f"response.{says}.done", {field: part[field], **logprobs})
            for number, annotation in enumerate(part.get("annotations", ())):
                cited = {"annotation_index": number, "annotation": annotation}
                self._write_within("response.output_text.annotation.added", cited)
            self._write_part("done", part)
        elif says == "function_call_arguments":
            self._write_within(f"response.{says}.done", {"arguments": item["arguments"], "name": item["name"]})
        elif says == "custom_tool_call_input":
            self._write_within(f"response.{says}.done", {"input": item["input"]})
        self.write("response.output_item.done", {"output_index": len(self.items), "item": item})
        self.items.append(item)

    def whole(self, item: JsonObject) -> None:
        """All events of an item that is complete."""
        for says, begun, text in searched.spoken_by(item):
            self.begin(begun, says)
            if text:
                self.add(text)
        if item["type"] == "web_search_call":
            for state in ("in_progress", "searching", "completed"):
                self._write_within(f"response.web_search_call.{state}", {})
        self.end(item)

    def delta(self, piece: str) -> bytes:
        """The event with the next piece of the open item."""
        number = self._number
        self._number = number + 1
        return b'%b%d,"delta":%b}\n\n' % (self._before, number, writer.json_text(piece))

    def write(self, name: str, data: JsonObject) -> None:
        """Any other event."""
        numbered = {"type": name, **data, "sequence_number": self._number}
        self._number += 1
        super().write(name, numbered)

    def _write_part(self, state: str, part: JsonObject) -> None:
        is_summary = self._says == "reasoning_summary_text"
        name = f"response.{'reasoning_summary' if is_summary else 'content'}_part.{state}"
        self._write_within(name, {"part": part})

    def _write_within(self, name: str, data: JsonObject) -> None:
        """An event within the open item."""
        where: dict[str, Any] = {"item_id": self._item["id"], "output_index": len(self.items)}
        if self._says in _PART:
            where["summary_index" if self._says == "reasoning_summary_text" else "content_index"] = 0
        self.write(name, {**where, **data})
