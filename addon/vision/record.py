"""What a person can see of the vision calls of a request: plain data in its exchange, bounded, without keys.

    {"model": "hy-vision-2.0-instruct", "ms": 2140.5, "prompts": ["Describe …"], "more": 0, "calls": [
        {"at": "/messages/3/content/1", "how": "called", "outcome": "described", "ms": 2138.0, "tries": 1,
         "status": 200, "prompt": 0, "tokens": {"input": 812, "output": 96}, "answer": "{\\"choices\\": …"},
        {"at": "/messages/3/content/2", "how": "known", "outcome": "described"}]}

`ms` of the whole is how long the request waited: calls run side by side. `how` is `called`, `shared` (another
request's call was under way), `known` (described before), `none` (no call would help), `unasked` (another image's call
had failed). `outcome` is `described`, a reason of `Texts.image_reasons`, or the code of an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..exchange import Exchange, JsonObject
from ..wire import json_body, usage

NAME = "vision"
"""Of the note in an exchange (`exchange.notes`)."""
MOST_CALLS = 50
"""Images that one note lists."""
MOST_PROMPT, MOST_ANSWER, MOST_TEXT = 2000, 4000, 64_000
"""Characters of one prompt, of one answer, and of all prompts and answers of a note."""
REDACTED = "[redacted]"
_SHORTEST_KEY = 8
"""Characters. A shorter value of a header is no key."""


@dataclass(slots=True)
class CallRecord:
    """What becomes of one call. Filled while it is under way."""

    tries: int = 0
    status: int | None = None
    """Of the last answer; `None`: there was none."""
    answer: bytes = b""
    """The beginning of the last answer."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Used by all tries, as their answers say: `input` and `output`."""
    ms: float = 0.0
    """Waits for a slot and between tries included."""

    def answered(self, status: int, body: bytes) -> None:
        """A try brought an answer."""
        self.tries += 1
        self.status, self.answer = status, body[: 4 * MOST_ANSWER]
        used = usage.of_answer(json_body.parse_object(body) or {}) if status == 200 else None
        for name, count in usage.counted(used).items():
            self.tokens[name] = self.tokens.get(name, 0) + count

    def unanswered(self) -> None:
        """A try brought none."""
        self.tries += 1
        self.status, self.answer = None, b""

    def to_plain(self, secrets: Iterable[str]) -> JsonObject:
        """Plain data. `secrets` are not in it: some endpoints quote a key that they refuse."""
        text = self.answer.decode("utf-8", "replace")
        for secret in secrets:
            text = text.replace(secret, REDACTED)
        plain: JsonObject = {"ms": round(self.ms, 1), "tries": self.tries, "answer": text[:MOST_ANSWER]}
        if self.status is not None:
            plain["status"] = self.status
        if self.tokens:
            plain["tokens"] = self.tokens
        return plain


class Records:
    """The note of one request, whose calls go to `model` with `headers`."""

    def __init__(self, model: str, headers: Mapping[str, str]) -> None:
        self.results: Counter[str] = Counter()
        """How many images were `described` by a call, `cached`, `shared`, or `failed`; also those past `MOST_CALLS`."""
        self._model = model
        words = [value.rpartition(" ")[2] for value in headers.values()]
        self._secrets = [word for word in words if len(word) >= _SHORTEST_KEY]
        self._prompts: dict[str, int] = {}
        self._calls: list[JsonObject] = []
        self._more = 0
        self._left = MOST_TEXT

    def add(self, at: str, how: str, outcome: str, prompt: str = "", record: CallRecord | None = None) -> None:
        """Add an image. `at`: its JSON Pointer as the request came; `prompt`: what would be asked about it."""
        self.results[_RESULTS.get(how, "failed") if outcome == "described" else "failed"] += 1
        if len(self._calls) >= MOST_CALLS:
            self._more += 1
            return
        call: JsonObject = {"at": at, "how": how, "outcome": outcome}
        if record is not None:
            call |= record.to_plain(self._secrets)
            call["answer"] = self._cut(call["answer"])
        prompt = prompt[:MOST_PROMPT]
        if prompt and (prompt in self._prompts or self._cut(prompt) == prompt):
            call["prompt"] = self._prompts.setdefault(prompt, len(self._prompts))
        self._calls.append(call)

    def _cut(self, text: str) -> str:
        text = text[: self._left]
        self._left -= len(text)
        return text

    def to_plain(self, ms: float) -> JsonObject:
        """The note. `ms`: how long the request waited."""
        prompts = list(self._prompts)
        return {"model": self._model, "ms": round(ms, 1), "prompts": prompts, "calls": self._calls, "more": self._more}


_RESULTS = {"called": "described", "known": "cached", "shared": "shared"}


def calls_made(note: JsonObject) -> JsonObject:
    """What an event may tell of a note: how long the request waited, and of each call all but prompt and answer."""
    called = [call for call in note.get("calls", ()) if call["how"] == "called"]
    told = ("outcome", "ms", "tries", "status", "tokens")
    images = [{name: call[name] for name in told if name in call} for call in called]
    return {"ms": note.get("ms", 0.0), "model": note.get("model", ""), "images": images}


def waited_ms(exchange: Exchange) -> float:
    """Milliseconds that the request waited for descriptions of its images, as its note says; 0 without one."""
    note = exchange.notes.get(NAME)
    ms = note.get("ms") if isinstance(note, dict) else None
    return float(ms) if isinstance(ms, int | float) and 0 <= ms < _LONGEST else 0.0


_LONGEST = 1e9
"""Milliseconds. A note read from a file may hold any number."""
