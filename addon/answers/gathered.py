"""A streamed answer as the whole one that it would have been: chat, and the formats that endpoints speak. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any, Final, Protocol

from ..exchange import JsonObject
from ..wire import json_body, rule_names

_A_PLACE: Final = 200
"""Characters that a field, a choice, a call or a block counts beside what it says."""
_TEXTS: Final = frozenset({"content", "refusal", "reasoning_content", "reasoning", "arguments", "input", "transcript"})
"""Fields of a delta that come in pieces; of any other text the last one counts."""
_OF_CHUNKS: Final = frozenset({"choices", "object", "usage"})


class Gathered(Protocol):
    """Hears the events of one stream."""

    def event(self, event: JsonObject) -> None:
        """A chat chunk, or an event of the answer's format."""

    def whole(self) -> JsonObject | None:
        """The answer; `None`: it isn't complete, it failed, or it is larger than the limit."""


class _Bounded:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._failed = False

    def _take(self, size: int) -> bool:
        """Whether there is room for so many characters."""
        self._size += size + _A_PLACE
        return self._size <= self._limit

    @property
    def _is_lost(self) -> bool:
        return self._failed or self._size > self._limit


class GatheredChat(_Bounded):
    """Chat chunks."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._head: JsonObject = {}
        self._usage: JsonObject | None = None
        self._choices: dict[int, JsonObject] = {}

    def event(self, event: JsonObject) -> None:
        """A chunk."""
        if event.get("error"):
            self._failed = True
        if self._is_lost:
            return
        for name, value in event.items():
            if name not in _OF_CHUNKS and name not in self._head and value is not None and self._take(_size(value)):
                self._head[name] = value
        if isinstance(event.get("usage"), dict):
            self._usage = event["usage"]
        choices = event.get("choices")
        for given in choices if isinstance(choices, list) else ():
            index = given.get("index") or 0 if isinstance(given, dict) else None
            if type(index) is not int:
                continue
            choice = self._choices.setdefault(index, {"index": index, "message": {}, "finish_reason": None})
            for name, value in given.items():
                if name == "delta" and isinstance(value, dict):
                    self._merge(choice["message"], value)
                elif name not in ("index", "delta", "message") and value is not None:
                    self._merge(choice, {name: value})

    def whole(self) -> JsonObject | None:
        """The answer, with the fields of OpenAI's in their order."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        if self._is_lost or not choices or any(choice["finish_reason"] is None for choice in choices):
            return None
        made = {"object": "chat.completion", **self._head, "choices": [_finished(choice) for choice in choices]}
        for choice in made["choices"]:
            choice["message"] = {"role": "assistant", "content": None, **choice["message"]}
        return made if self._usage is None else {**made, "usage": self._usage}

    def _merge(self, into: JsonObject, delta: Mapping[str, Any]) -> None:
        """Add a delta to what came before: texts are joined, calls found by their index, other lists grow."""
        for name, value in delta.items():
            if value is None or not self._take(_size(value)):
                continue
            before = into.get(name)
            if isinstance(value, str) and name in _TEXTS:
                if before is None:
                    before = into[name] = StringIO()
                if isinstance(before, StringIO):
                    before.write(value)
            elif isinstance(value, list) and name == "tool_calls":
                self._merge_calls(into.setdefault(name, {}), value)
            elif isinstance(value, list) and isinstance(before, list):
                before.extend(value)
            elif isinstance(value, list):
                into[name] = [*value]
            elif isinstance(value, dict) and (isinstance(before, dict) or before is None):
                self._merge(into.setdefault(name, {}), value)
            else:
                into[name] = value

    def _merge_calls(self, into: dict[int, JsonObject], frames: list[Any]) -> None:
        for frame in frames:
            if isinstance(frame, dict):
                number = frame.get("index")
                number = number if type(number) is int else len(into)
                self._merge(into.setdefault(number, {}), {k: v for k, v in frame.items() if k != "index"})


class GatheredMessage(_Bounded):
    """The events of an Anthropic message."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._message: JsonObject | None = None
        self._blocks: dict[int, JsonObject] = {}
        self._pieces: dict[tuple[int, str], StringIO] = {}
        self._is_over = False

    def event(self, event: JsonObject) -> None:
        """An event."""
        kind, index = event.get("type"), event.get("index")
        delta = event.get("delta")
        if kind == "error" or event.get("error"):
            self._failed = True
        elif kind == "message_start" and isinstance(event.get("message"), dict):
            self._message = dict(event["message"]) if self._take(_size(event["message"])) else None
        elif kind == "content_block_start" and type(index) is int and isinstance(event.get("content_block"), dict):
            if self._take(_size(event["content_block"])):
                self._blocks[index] = dict(event["content_block"])
        elif kind == "content_block_delta" and isinstance(delta, dict) and index in self._blocks:
            self._add(index, delta)
        elif kind == "message_delta" and self._message is not None:
            self._message.update(delta if isinstance(delta, dict) else {})
            if isinstance(event.get("usage"), dict):
                self._message["usage"] = {**(self._message.get("usage") or {}), **event["usage"]}
        elif kind == "message_stop":
            self._is_over = True

    def _add(self, index: int, delta: JsonObject) -> None:
        for name, field in _PIECES.items():
            piece = delta.get(name)
            if isinstance(piece, str) and self._take(len(piece)):
                self._pieces.setdefault((index, field), StringIO()).write(piece)
        if isinstance(delta.get("citation"), dict) and self._take(_size(delta["citation"])):
            cited = self._blocks[index].get("citations")
            self._blocks[index]["citations"] = [*(cited if isinstance(cited, list) else ()), delta["citation"]]

    def whole(self) -> JsonObject | None:
        """The message."""
        if self._is_lost or self._message is None or not (self._is_over and self._message.get("stop_reason")):
            return None
        content = []
        for index, block in sorted(self._blocks.items()):
            for name in _PIECES.values():
                pieces = self._pieces.get((index, name))
                if pieces is None:
                    continue
                begun = block.get(name)
                text = (begun if isinstance(begun, str) else "") + pieces.getvalue()
                if name == "input":
                    given = json_body.parse_object(text.encode("utf-8", "surrogatepass")) if text else {}
                    if given is None:
                        return None  # no client could run that call
                    block[name] = given
                else:
                    block[name] = text
            content.append(block)
        return {**self._message, "content": content}


_PIECES: Final = {"text": "text", "thinking": "thinking", "signature": "signature", "partial_json": "input"}
"""The fields of a delta with a piece, and those of the block that they belong to."""


class GatheredResponse(_Bounded):
    """The events of a response of the Responses API: the last one has all of it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._response: JsonObject | None = None
        self._items: dict[int, JsonObject] = {}

    def event(self, event: JsonObject) -> None:
        """An event."""
        kind, response, index, item = (event.get(name) for name in ("type", "response", "output_index", "item"))
        if kind in ("error", "response.failed") or event.get("error"):
            self._failed = True
        elif kind == "response.output_item.done" and type(index) is int and isinstance(item, dict):
            if self._take(_size(item)):
                self._items[index] = item
        elif (
            kind in ("response.completed", "response.incomplete")
            and isinstance(response, dict)
            and self._take(_size(response))
        ):
            self._response = response

    def whole(self) -> JsonObject | None:
        """The response, with the items that came before where it has none of its own."""
        if self._is_lost or self._response is None:
            return None
        return {**self._response, "output": self._response.get("output") or [i for _, i in sorted(self._items.items())]}


_GATHERING: Final[Mapping[str, type[GatheredChat | GatheredMessage | GatheredResponse]]] = {
    rule_names.ANTHROPIC_NATIVE: GatheredMessage,
    rule_names.RESPONSES_NATIVE: GatheredResponse,
}


def gathering(form: str, limit: int) -> Gathered:
    """What hears a stream of at most `limit` characters in `form`: the name of a native dialect, else chat."""
    return _GATHERING.get(form, GatheredChat)(limit)


def _finished(value: Any) -> Any:
    """What was gathered, with its texts joined and its calls in their order."""
    if isinstance(value, StringIO):
        return value.getvalue()
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if value and all(type(key) is int for key in value):
            return [_finished(value[key]) for key in sorted(value)]
        return {name: _finished(item) for name, item in value.items()}
    return value


def _size(value: object) -> int:
    """Characters of a value, about."""
    return len(value) if isinstance(value, str) else len(json_body.serialise(value))
