"""Anthropic's answers as chat answers: all that the model says, why it ends, what it used.

    message_start                              a chunk with the role
    text, thinking, tool_use                   `content`, `reasoning_content`, `tool_calls`, piece by piece
    calls that the vendor ran, other blocks    words in `content`, once they are complete
    signed and redacted thinking               `thinking_blocks`, too: the blocks themselves
    message_delta                              the finish reason and the usage
    ping                                       a chunk without anything, which keeps the connection open
    error                                      `{"error": …}`, OpenAI's error object

A whole answer is read as the stream that it could have been, so both are one implementation. `note` holds the state of
a stream under `stream`. With `include_usage` in it the usage is a chunk of its own without choices, as OpenAI sends it
to clients that ask; else it stands in the chunk with the finish reason, since other clients read `choices[0]` of each.
"""

from __future__ import annotations

import time
from typing import Any, Final

from ...exchange import JsonObject
from ...wire import json_body
from ..composer import MAX_HELD
from ..ending import STOPPED_AT
from ..names import Names
from ..pieces import BLANK_LINE
from ..told import Told
from . import ending, native_answers, upstream_errors
from .content import Reader, as_blocks, kind_of

THINKING_BLOCKS: Final = "thinking_blocks"
"""The field of a chat message, or a delta of one, with thinking blocks as Anthropic has them: LiteLLM's name. A vendor
that verifies signatures takes a thought back in this form only."""
_TEXTS: Final = {
    "text": ("text", "content"),
    "text_delta": ("text", "content"),
    "thinking": ("thinking", "reasoning_content"),
    "thinking_delta": ("thinking", "reasoning_content"),
}
"""Type of a block or of its delta -> its field that has the text, and the field of chat for it."""
_RUN_THERE: Final = frozenset(["server_tool_use", "mcp_tool_use"])
"""Calls that the vendor runs itself. Their input comes in deltas, too."""


def answer(body: JsonObject, note: JsonObject) -> JsonObject:
    """The message `body` as a whole chat answer, an error as OpenAI's. Any other body is returned unchanged."""
    if body.get("error"):
        return {"error": upstream_errors.event(body["error"])}
    if not (body.get("type") == "message" or isinstance(body.get("content"), list)):
        return body
    state: JsonObject = {}
    whole = {**body, "content": as_blocks(body.get("content"))}
    made = _joined([chunk for event in native_answers.as_events(whole) for chunk in events(event, state)])
    if not body.get("usage"):
        del made["usage"]
    return made


def events(event: JsonObject, note: JsonObject) -> list[JsonObject]:
    """The chat chunks for one event of a stream, perhaps none."""
    if event.get("error"):
        return [{"error": upstream_errors.event(event["error"])}]
    state = note.setdefault("stream", {})
    if "ended" in state:
        return []
    stream = _Stream(state, usage_apart=note.get("include_usage") is True)
    match event.get("type"):
        case "message_start":
            stream.begin(event.get("message"))
        case "content_block_start":
            stream.open_block(str(event.get("index")), event.get("content_block"))
        case "content_block_delta":
            stream.add(str(event.get("index")), event.get("delta"))
        case "content_block_stop":
            stream.close_block(str(event.get("index")))
        case "message_delta":
            stream.end(event.get("delta"), event.get("usage"))
        case "message_stop":
            stream.end({"stop_reason": "end_turn"}, None)
        case "ping":
            stream.go_on()
    return stream.chunks


class _Stream:
    """Makes the chunks for one event, in `chunks`. What it must know of earlier ones is in `state`, plain data."""

    def __init__(self, state: JsonObject, *, usage_apart: bool) -> None:
        self.chunks: list[JsonObject] = []
        self._state = state
        self._usage_apart = usage_apart

    def begin(self, message: Any) -> None:
        """The beginning of the message; where it has none, that of its first event."""
        given = message if isinstance(message, dict) else {}
        ending.usage_in_chat(given.get("usage"), self._state.setdefault("usage", {}))
        if "head" in self._state:
            return
        self._state |= {
            "head": {
                "id": given["id"] if isinstance(given.get("id"), str) else ending.message_id(None),
                "object": "chat.completion.chunk",
                "created": int(time.time()),
                "model": given["model"] if isinstance(given.get("model"), str) else "",
            },
            "blocks": {},
            "calls": 0,
            "held": 0,
        }
        self._say({"role": "assistant", "content": ""})

    def go_on(self) -> None:
        """Nothing new."""
        if "head" in self._state:
            self._say({})

    def open_block(self, index: str, block: Any) -> None:
        """The beginning of a block, with all of it where it comes in no deltas."""
        if not isinstance(block, dict):
            return
        self.close_block(index)
        kind = kind_of(block)
        opened = self._blocks[index] = {"kind": kind, "pieces": [], "signature": ""}
        if kind == "tool_use":
            opened["call"] = self._state["calls"]
            self._state["calls"] += 1
            # An endpoint may give the whole input here, and no delta.
            opened["input"] = json_body.serialise(block["input"]).decode() if block.get("input") else "{}"
            function = {"name": block.get("name"), "arguments": ""}
            self._frame(opened["call"], id=block.get("id"), type="function", function=function)
        elif kind in _RUN_THERE:
            opened["block"] = block
        elif kind in _TEXTS:
            self.add(index, block)
            self.add(index, {**block, "type": "signature_delta"})
        elif kind == "redacted_thinking":
            self._say({THINKING_BLOCKS: [block]})
        else:
            self._say_in_words(block)

    def add(self, index: str, delta: Any) -> None:
        """The next piece of a block."""
        if not isinstance(delta, dict):
            return
        block, kind = self._blocks.get(index, {}), kind_of(delta)
        if kind in _TEXTS:
            field, target = _TEXTS[kind]
            text = delta.get(field)
            if isinstance(text, str) and text:
                if target == "content":
                    self._say_text(text)
                else:
                    self._say({target: text})
                    self._hold(block, text)
        elif kind == "input_json_delta":
            piece = delta.get("partial_json")
            if isinstance(piece, str) and piece:
                if "call" in block:
                    block["input"] = ""
                    self._frame(block["call"], function={"arguments": piece})
                else:
                    self._hold(block, piece)
        elif kind == "signature_delta" and block and isinstance(delta.get("signature"), str):
            block["signature"] += delta["signature"]

    def close_block(self, index: str) -> None:
        """The end of a block."""
        block = self._blocks.pop(index, None)
        if block is None:
            return
        said = "".join(block["pieces"])
        if block.get("input"):  # as it stood where the block began: no delta came
            self._frame(block["call"], function={"arguments": block["input"]})
        elif "block" in block:
            given = json_body.parse_object(said.encode("utf-8", "replace")) if said else None
            self._say_in_words(block["block"] if given is None else {**block["block"], "input": given})
        elif block["kind"] == "thinking" and block["signature"]:
            if not block.get("too_much"):
                signed = {"type": "thinking", "thinking": said, "signature": block["signature"]}
                self._say({THINKING_BLOCKS: [signed]})
        elif block["kind"] == "thinking" and not said:
            self._say({"reasoning_content": ""})  # the model did think, though nothing: endpoints tell it from none

    def end(self, delta: Any, usage: Any) -> None:
        """Why the message ends, which counts once, and what it used."""
        given = delta if isinstance(delta, dict) else {}
        known = self._state.setdefault("usage", {})
        used = ending.usage_in_chat(usage, known)
        reason = ending.finish_reason(given.get("stop_reason"))
        if reason is None:
            return
        for index in list(self._blocks):
            self.close_block(index)
        if reason in ("stop", "tool_calls"):  # SDKs run tools after `tool_calls` alone, and wait for results then
            reason = "tool_calls" if self._state["calls"] else "stop"
        choice: JsonObject = {"index": 0, "delta": {}, "finish_reason": reason}
        if isinstance(given.get("stop_sequence"), str):
            choice[STOPPED_AT[0]] = given["stop_sequence"]
        chunk = {**self._head, "choices": [choice]}
        self.chunks.append(chunk)
        if known and self._usage_apart:
            self.chunks.append({**self._head, "choices": [], "usage": used})
        elif known:
            chunk["usage"] = used
        self._state.clear()
        self._state["ended"] = True

    @property
    def _head(self) -> JsonObject:
        if "head" not in self._state:
            self.begin({})
        head: JsonObject = self._state["head"]
        return head

    @property
    def _blocks(self) -> dict[str, JsonObject]:
        """The blocks that are open, by their index."""
        if "head" not in self._state:
            self.begin({})
        blocks: dict[str, JsonObject] = self._state["blocks"]
        return blocks

    def _say(self, delta: JsonObject) -> None:
        self.chunks.append({**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    def _frame(self, number: int, **frame: Any) -> None:
        self._say({"tool_calls": [{"index": number, **frame}]})

    def _say_text(self, text: str) -> None:
        gap = BLANK_LINE if self._state.pop("gap", False) else ""
        self._state["has_text"] = True
        self._say({"content": gap + text})

    def _say_in_words(self, block: JsonObject) -> None:
        """What chat has no part for, between blank lines."""
        pieces = Reader(Names(()), Told()).pieces(block, "")
        text = BLANK_LINE.join(piece for piece in pieces if isinstance(piece, str))
        if text:
            self._state["gap"] = self._state.get("has_text", False)
            self._say_text(text)
            self._state["gap"] = True

    def _hold(self, block: JsonObject, piece: str) -> None:
        """Keep a piece until its block ends, within bounds: what is too long is left out of what needs it whole."""
        self._state["held"] += len(piece)
        if self._state["held"] > MAX_HELD:
            block["pieces"], block["too_much"] = [], True
        elif block:
            block["pieces"].append(piece)


def _joined(chunks: list[JsonObject]) -> JsonObject:
    """The chunks of a complete stream as a whole answer."""
    texts: list[str] = []
    reasoning: list[str] = []
    calls: list[JsonObject] = []
    pieces: list[list[str]] = []
    blocks: list[JsonObject] = []
    for chunk in chunks:
        delta = chunk["choices"][0]["delta"]
        texts.append(delta.get("content", ""))
        reasoning += [delta["reasoning_content"]] if "reasoning_content" in delta else []
        blocks += delta.get(THINKING_BLOCKS, ())
        for frame in delta.get("tool_calls", ()):
            if "id" in frame:
                calls.append({key: value for key, value in frame.items() if key != "index"})
                pieces.append([])
            pieces[frame["index"]].append(frame["function"]["arguments"])
    message: JsonObject = {"role": "assistant", "content": "".join(texts) or (None if calls else "")}
    if reasoning:
        message["reasoning_content"] = "".join(reasoning)
    if blocks:
        message[THINKING_BLOCKS] = blocks
    for call, written in zip(calls, pieces, strict=True):
        call["function"]["arguments"] = "".join(written)
    if calls:
        message["tool_calls"] = calls
    last = chunks[-1]
    choice = {**last["choices"][0], "message": message}
    del choice["delta"]
    return {**last, "object": "chat.completion", "choices": [choice]}
