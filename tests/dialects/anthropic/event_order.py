"""A strict reader of Anthropic's event streams, written apart from the writer: it refuses what clients stumble over.

It holds bytes against the table of docs/facts/anthropic.md#streams and gives the message that an SDK puts together.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

EVENT = re.compile(rb"event: ([a-z_]+)\ndata: ([^\n]*)\n\n")
DELTAS = {
    "text": {"text_delta": "text"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
}
EMPTY = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
STOP_REASONS = {"end_turn", "max_tokens", "stop_sequence", "tool_use"}
USAGE = {"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"}
ERROR_TYPES = {
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "api_error",
    "timeout_error",
    "overloaded_error",
}


class OutOfOrder(AssertionError):
    """A client would read the stream wrongly."""


@dataclass
class Read:
    """What a client makes of a stream."""

    message: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    complete: bool = False
    names: list[str] = field(default_factory=list)
    """The names of all events but pings."""


def read(data: bytes) -> Read:
    """Read a whole stream. Raises `OutOfOrder`."""
    reader = _Reader()
    for name, event in events(data):
        reader.take(name, event)
    return reader.end()


def message_in(data: bytes) -> dict[str, Any]:
    """The message of a stream that is complete. Raises `OutOfOrder`."""
    found = read(data)
    _want(found.complete and found.message is not None, "the stream isn't complete")
    assert found.message is not None
    return found.message


def events(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of all events; comments are skipped. Raises `OutOfOrder` for bytes that are neither."""
    found, place = [], 0
    while place < len(data):
        if data.startswith(b": ", place):
            place = data.index(b"\n\n", place) + 2
            continue
        match = EVENT.match(data, place)
        _want(match is not None, f"no event at byte {place}: {data[place : place + 80]!r}")
        assert match is not None
        value = json.loads(match[2], parse_constant=_refuse)
        _want(isinstance(value, dict) and value.get("type") == match[1].decode(), "event and type differ")
        json.dumps(value, ensure_ascii=False).encode()  # raises for half a character
        found.append((match[1].decode(), value))
        place = match.end()
    return found


def _refuse(constant: str) -> None:
    raise OutOfOrder(f"{constant} is no JSON")


def _want(holds: bool, why: str) -> None:
    if not holds:
        raise OutOfOrder(why)


class _Reader:
    def __init__(self) -> None:
        self._read = Read()
        self._open: dict[str, Any] | None = None
        self._blocks: list[dict[str, Any]] = []
        self._pieces: list[str] = []
        self._signed = False
        self._told = False

    def take(self, name: str, event: dict[str, Any]) -> None:
        _want(self._read.error is None, f"{name} after an error")
        if name == "ping":
            _want(set(event) == {"type"} and self._read.message is not None, "a ping")
            _want(not self._read.complete, "a ping after the end")
            return
        self._read.names.append(name)
        _want(not self._read.complete, f"{name} after the end")
        if name == "error":
            _want(set(event) == {"type", "error"}, f"error: {sorted(event)}")
            _want(set(event["error"]) <= {"type", "message", "details"}, "fields of the error")
            _want(event["error"]["type"] in ERROR_TYPES, "type of the error")
            _want(isinstance(event["error"]["message"], str) and event["error"]["message"] != "", "its message")
            self._read.error = event["error"]
            return
        _want((self._read.message is None) == (name == "message_start"), f"{name}: message_start comes first and once")
        getattr(self, f"_{name}", self._unknown)(event)

    def end(self) -> Read:
        _want(self._read.complete or self._read.error is not None, "the stream ends before the message")
        if self._read.complete:
            calls = [block for block in self._blocks if block["type"] == "tool_use"]
            _want(len({block["id"] for block in calls}) == len(calls), "two calls with one id")
        return self._read

    def _unknown(self, event: dict[str, Any]) -> None:
        raise OutOfOrder(f"unknown event {event['type']}")

    def _message_start(self, event: dict[str, Any]) -> None:
        _want(set(event) == {"type", "message"}, "fields of message_start")
        message = event["message"]
        wanted = {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"}
        _want(set(message) == wanted, f"fields of the message: {sorted(message)}")
        _want(re.fullmatch(r"msg_[A-Za-z0-9_-]{1,64}", message["id"]) is not None, "its id")
        _want((message["type"], message["role"]) == ("message", "assistant"), "its type and role")
        _want(isinstance(message["model"], str), "its model")
        _want(message["content"] == [] and message["stop_reason"] is None and message["stop_sequence"] is None, "empty")
        _usage(message["usage"])
        self._read.message = message

    def _content_block_start(self, event: dict[str, Any]) -> None:
        _want(set(event) == {"type", "index", "content_block"}, "fields of content_block_start")
        _want(self._open is None, "two blocks are open")
        _want(not self._told, "a block after message_delta")
        _want(type(event["index"]) is int and event["index"] == len(self._blocks), f"index {event['index']}")
        block = event["content_block"]
        if block["type"] == "tool_use":
            _want(set(block) == {"type", "id", "name", "input"} and block["input"] == {}, "fields of the tool_use")
            _want(isinstance(block["id"], str) and block["id"] != "" and isinstance(block["name"], str), "its id, name")
        else:
            _want(block == EMPTY.get(block["type"]), f"a block begins as {block}")
        self._open, self._pieces, self._signed = block, [], False
        self._blocks.append(block)

    def _content_block_delta(self, event: dict[str, Any]) -> None:
        _want(set(event) == {"type", "index", "delta"}, "fields of content_block_delta")
        block, delta = self._open, event["delta"]
        _want(block is not None and event["index"] == len(self._blocks) - 1, "a delta of a block that isn't open")
        assert block is not None
        known = DELTAS[block["type"]]
        _want(delta["type"] in known, f"{delta['type']} in {block['type']}")
        name = known[delta["type"]]
        _want(set(delta) == {"type", name} and isinstance(delta[name], str) and delta[name] != "", "an empty delta")
        _want(not self._signed, "a delta after the signature")
        if name == "signature":
            self._signed = True
            block["signature"] = delta["signature"]
        else:
            self._pieces.append(delta[name])

    def _content_block_stop(self, event: dict[str, Any]) -> None:
        _want(set(event) == {"type", "index"}, "fields of content_block_stop")
        block, text = self._open, "".join(self._pieces)
        _want(block is not None and event["index"] == len(self._blocks) - 1, "the end of a block that isn't open")
        assert block is not None
        if block["type"] == "tool_use":
            block["input"] = json.loads(text, parse_constant=_refuse)
            _want(isinstance(block["input"], dict), "an input that is no object")
        else:
            block[block["type"]] = text
            _want(block["type"] == "thinking" or text.strip() != "", "a blank text")
            _want(block["type"] == "text" or self._signed, "thinking without a signature")
        self._open = None

    def _message_delta(self, event: dict[str, Any]) -> None:
        _want(set(event) == {"type", "delta", "usage"}, "fields of message_delta")
        _want(self._open is None and not self._told, "message_delta comes once, after all blocks")
        _want(set(event["delta"]) == {"stop_reason", "stop_sequence"}, "fields of its delta")
        reason, sequence = event["delta"]["stop_reason"], event["delta"]["stop_sequence"]
        _want(reason in STOP_REASONS, f"stop_reason {reason}")
        _want((reason == "stop_sequence") == (sequence is not None), "stop_sequence")
        calls = any(block["type"] == "tool_use" for block in self._blocks)
        _want(calls or reason != "tool_use", "tool_use without a call")
        _usage(event["usage"])
        self._told = True
        assert self._read.message is not None
        self._read.message |= {**event["delta"], "usage": event["usage"], "content": self._blocks}

    def _message_stop(self, event: dict[str, Any]) -> None:
        _want(set(event) == {"type"} and self._told, "message_stop comes after message_delta")
        self._read.complete = True


def _usage(usage: dict[str, Any]) -> None:
    _want(set(usage) == USAGE, f"usage: {sorted(usage)}")
    _want(all(type(count) is int and count >= 0 for count in usage.values()), "a count in usage")
