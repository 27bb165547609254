"""A streamed chat answer that is held back until it can be looked at as a whole, and then sent in one piece.

Reasoning passes as it comes. The text of each choice is held until the choice ends, and so are arguments of tool calls,
whose names pass. Sans-I/O: chunks in, chunks out, which are changed in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ...exchange import JsonObject
from ..whole import is_cut
from .asked import LARGEST, Asked, Wrong

_HEAD: Final = ("id", "object", "created", "model", "system_fingerprint")
_MOST_CALLS: Final = 128
"""Calls of one choice whose arguments are held."""


@dataclass(slots=True)
class _Call:
    name: str = ""
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Choice:
    """What is held of one choice."""

    pieces: list[str] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    size: int = 0
    is_over: bool = False
    """It has ended, or is too long: what comes passes."""


class HeldAnswer:
    """The chunks of one answer of which something was `asked`."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._choices: dict[int, _Choice] = {}
        self._head: JsonObject = {}
        self._waiting: JsonObject | None = None
        """The chunk that ends the choice that waits."""

    def feed(self, chunk: JsonObject) -> Iterable[JsonObject]:
        """The chunks to send for one chunk."""
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            return (chunk,)
        self._head = {key: chunk[key] for key in _HEAD if key in chunk} or self._head
        before: list[JsonObject] = []
        for choice in choices:
            if isinstance(choice, dict):
                before += self._take(choice)
        if self._asked.wrong is not None:
            self._waiting = chunk
            return before
        return before if _is_empty(chunk) else [*before, chunk]

    def last(self) -> list[JsonObject]:
        """The chunks with all that is held, for an answer that ends here."""
        sent: list[JsonObject] = []
        wrong, waiting = self._asked.wrong, self._waiting
        if wrong is not None and waiting is not None:
            self._asked.wrong = self._waiting = None
            sent += [*self._released(wrong.place, wrong.text, cut=False), waiting]
        for place, choice in self._choices.items():
            if not choice.is_over and (choice.pieces or choice.calls):
                sent += self._passed(place, choice)
                self._asked.judge("", place, is_cut=True)
        return sent

    def _take(self, choice: JsonObject) -> list[JsonObject]:
        """Hold what a choice of a chunk brings. Returns the chunks that stand before it."""
        place = _index(choice)
        held = self._choices.setdefault(place, _Choice())
        delta, reason = choice.get("delta"), choice.get("finish_reason")
        if held.is_over:
            return []
        if isinstance(delta, dict):
            self._hold(held, choice, delta)
        if held.size > LARGEST:
            self._asked.judge("x" * (LARGEST + 1), place, is_cut=False, largest=LARGEST)
            return self._passed(place, held)
        if not (isinstance(reason, str) and reason):
            return []
        return self._ended(place, held, reason)

    def _hold(self, held: _Choice, choice: JsonObject, delta: JsonObject) -> None:
        text = delta.get("content")
        if self._asked.is_content and isinstance(text, str):
            del delta["content"]
            held.pieces.append(text)
            held.size += len(text)
            logprobs = choice.pop("logprobs", None)
            if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
                held.logprobs += logprobs["content"]
        frames = delta.get("tool_calls")
        if self._asked.tools is None or not isinstance(frames, list):
            return
        delta["tool_calls"] = [frame for frame in frames if not self._hold_frame(held, frame)]
        if not delta["tool_calls"]:
            del delta["tool_calls"]

    @staticmethod
    def _hold_frame(held: _Choice, frame: object) -> bool:
        """Hold the arguments in a frame of a tool call. Whether there is nothing else in it."""
        function = frame.get("function") if isinstance(frame, dict) else None
        if not isinstance(frame, dict) or not isinstance(function, dict):
            return False
        index = frame.get("index", 0)
        if not isinstance(index, int) or (index not in held.calls and len(held.calls) >= _MOST_CALLS):
            return False
        call = held.calls.setdefault(index, _Call())
        if isinstance(function.get("name"), str) and function["name"]:
            call.name = function["name"]
        text = function.get("arguments")
        if isinstance(text, str):
            call.pieces.append(text)
            held.size += len(text)
            function["arguments"] = ""
        return not (frame.get("id") or function.get("name"))

    def _ended(self, place: int, held: _Choice, reason: str) -> list[JsonObject]:
        """The chunks before the one that ends a choice."""
        held.is_over = True
        cut = is_cut(reason)
        sent: list[JsonObject] = []
        frames = [
            {"index": index, "function": {"arguments": self._arguments(call, cut=cut)}}
            for index, call in held.calls.items()
            if any(call.pieces)
        ]
        text = "".join(held.pieces)
        if not self._asked.is_content or held.calls or reason in ("tool_calls", "function_call"):
            if text:
                sent.append(self._chunk(place, {"content": text}, held.logprobs))
        elif self._asked.may_ask and not cut and self._asked.wrong is None:
            judged = self._asked.judged(text, is_cut=False, largest=LARGEST)
            if judged.verdict == "invalid":
                self._asked.wrong = Wrong(place, text, judged.error)
            else:
                sent += self._released(place, text, cut=cut)
        else:
            sent += self._released(place, text, cut=cut)
        if frames:
            sent.append(self._chunk(place, {"tool_calls": frames}))
        return sent

    def _arguments(self, call: _Call, *, cut: bool) -> str:
        text = "".join(call.pieces)
        return text if cut else self._asked.arguments(call.name, text, LARGEST)

    def _released(self, place: int, text: str, *, cut: bool) -> list[JsonObject]:
        judged = self._asked.judge(text, place, is_cut=cut, largest=LARGEST)
        logprobs = self._choices[place].logprobs if judged.text == text else []
        return [self._chunk(place, {"content": judged.text}, logprobs)] if judged.text else []

    def _passed(self, place: int, held: _Choice) -> list[JsonObject]:
        """All that is held of a choice, unchanged; what comes then passes."""
        held.is_over = True
        text = "".join(held.pieces)
        frames = [{"index": at, "function": {"arguments": "".join(call.pieces)}} for at, call in held.calls.items()]
        sent = [self._chunk(place, {"content": text}, held.logprobs)] if text else []
        if frames:
            sent.append(self._chunk(place, {"tool_calls": frames}))
        held.pieces, held.calls = [], {}
        return sent

    def _chunk(self, place: int, delta: JsonObject, logprobs: list[Any] | None = None) -> JsonObject:
        choice: JsonObject = {"index": place, "delta": delta, "finish_reason": None}
        if logprobs:
            choice["logprobs"] = {"content": logprobs}
        return {**self._head, "choices": [choice]}


def _index(choice: JsonObject) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _is_empty(chunk: JsonObject) -> bool:
    """Whether a chunk has nothing for the client any more."""
    return not isinstance(chunk.get("usage"), dict) and all(
        isinstance(choice, dict) and choice.get("delta") == {} and not choice.get("finish_reason")
        for choice in chunk["choices"]
    )
