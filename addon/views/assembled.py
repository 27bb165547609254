"""An answer put together: reasoning, text, tool calls, finish reason, usage, from a body or from a stream."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from ..exchange import JsonObject
from ..texts.sentence import Sentence
from ..wire import json_body, sse, usage
from . import formats, shorten


@dataclass(slots=True)
class Choice:
    """One choice of an answer. `calls`: tool calls in OpenAI's shape, with the arguments received so far."""

    index: int
    reasoning: str = ""
    text: str = ""
    calls: list[JsonObject] = field(default_factory=list)
    finish_reason: str = ""
    pieces: defaultdict[object, list[str]] = field(default_factory=lambda: defaultdict(list), compare=False)
    """What has come of each text: a long one comes in many pieces. By the index of a call, or the name of a field."""
    by_index: dict[int, JsonObject] = field(default_factory=dict, compare=False)

    def finish(self) -> None:
        """Nothing more comes."""
        self.reasoning, self.text = "".join(self.pieces["reasoning"]), "".join(self.pieces["text"])
        for index, call in self.by_index.items():
            call["function"]["arguments"] = "".join(self.pieces[index])


@dataclass(slots=True)
class Answer:
    """A whole answer, and what is wrong with it."""

    choices: list[Choice] = field(default_factory=list)
    usage: JsonObject | None = None
    problems: list[Sentence] = field(default_factory=list)
    by_index: dict[int, Choice] = field(default_factory=dict, compare=False)

    def choice(self, index: object) -> Choice:
        """The choice with `index`, added if it is new."""
        number = index if isinstance(index, int) else 0
        if number not in self.by_index:
            self.by_index[number] = Choice(number)
            self.choices.append(self.by_index[number])
        return self.by_index[number]

    def finish(self) -> None:
        """Nothing more comes."""
        for choice in self.choices:
            choice.finish()


def from_body(body: JsonObject) -> Answer:
    """The answer in a parsed body; an error's message is its problem."""
    answer = Answer()
    _take(answer, formats.as_completion(body), "message")
    answer.finish()
    return answer


def from_stream(data: bytes, *, under_way: bool = False) -> Answer:
    """The answer in the bytes of a stream, as far as the stream goes. One that is `under_way` needs no end."""
    answer = Answer()
    parser = sse.Parser()
    events = list(parser.feed(data))
    last = None if under_way else parser.finish()
    done = under_way
    for event in [*events, last] if last else events:
        payload = event.data
        if payload is None or not payload.strip():
            continue
        if sse.is_done(payload):
            done = True
            continue
        try:
            chunk = shorten.parse(payload)
        except json_body.InvalidJson:
            answer.problems.append(Sentence("an event of {count} bytes is not valid JSON", count=len(payload)))
            continue
        if isinstance(chunk, dict):
            done = done or formats.is_end(chunk)
            _take(answer, formats.as_chunk(chunk), "delta")
    answer.finish()
    if not under_way and answer.choices and not any(choice.finish_reason for choice in answer.choices):
        answer.problems.append(Sentence("the stream ends without a finish reason"))
    elif not done:
        answer.problems.append(Sentence("the stream ends without [DONE]"))
    return answer


def _take(answer: Answer, chunk: JsonObject, key: str) -> None:
    error = chunk.get("error")
    if error is not None:
        message = error.get("message", error) if isinstance(error, dict) else error
        answer.problems.append(Sentence("error: {message}", message=message))
    used = usage.of_answer(chunk)
    if used is not None:
        answer.usage = (answer.usage or {}) | used
    choices = chunk.get("choices")
    for given in choices if isinstance(choices, list) else []:
        if isinstance(given, dict):
            choice = answer.choice(given.get("index"))
            delta = given.get(key)
            _add(choice, delta if isinstance(delta, dict) else {})
            if isinstance(given.get("finish_reason"), str):
                choice.finish_reason = given["finish_reason"]


def _add(choice: Choice, delta: JsonObject) -> None:
    choice.pieces["reasoning"].append(_text(delta.get("reasoning_content")))
    choice.pieces["text"] += [_text(delta.get("content")), _text(delta.get("refusal"))]
    calls = delta.get("tool_calls")
    for position, frame in enumerate(calls if isinstance(calls, list) else []):
        if isinstance(frame, dict):
            _add_call(choice, frame, position)
    if isinstance(delta.get("function_call"), dict):
        _add_call(choice, {"function": delta["function_call"]}, 0)


def _add_call(choice: Choice, frame: JsonObject, position: int) -> None:
    index = frame["index"] if isinstance(frame.get("index"), int) else position
    call = choice.by_index.get(index)
    if call is None:
        call = choice.by_index[index] = {"index": index, "function": {"name": "", "arguments": ""}}
        choice.calls.append(call)
    if frame.get("id"):
        call["id"] = frame["id"]
    function = frame.get("function")
    if isinstance(function, dict):
        call["function"]["name"] = function.get("name") or call["function"]["name"]
        choice.pieces[index].append(_arguments(function.get("arguments")))


def _arguments(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
