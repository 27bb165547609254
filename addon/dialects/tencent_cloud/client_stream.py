"""Streamed answers in Tencent Cloud's shape: one kind of event, told apart by nothing but what is in it.

Each event has the mark, the time, the id and the usage so far, a `FinishReason` that is "" until the last one, and no
envelope; there is no `[DONE]`. Three things follow from how the vendor's SDKs read (docs/facts/tencent-sdk.md#answers).
An event ends with exactly one blank line: the Python SDK takes a second one for an event without data. A keep-alive is
a comment without a blank line behind it, for the same reason: it becomes part of the next event, and is skipped there.
And U+2028 and U+2029 are escaped, which end a line for Node's reader.
"""

from __future__ import annotations

from typing import Any, Final

from ...exchange import JsonObject
from ...wire import json_body, sse
from ...wire import usage as usages
from .. import ending, spoken
from ..writer import json_text
from . import client_answer, client_errors
from .client_answer import NOTE, call, created, finish_reason, identity, said_text, usage

_KEEP_ALIVE: Final = sse.COMMENT + b"\n"
_BYTES_A_TOKEN: Final = 6
"""UTF-8 bytes of a text for each token that is counted while it comes: more than any language has, so that the exact
number at the end is not below what was said before. English has four to five, Chinese four to five."""
_CHARACTERS_A_TOKEN: Final = 3
"""What `ending.counts` takes for a token where the endpoint doesn't count."""
_TEXT: Final = "content"
_DELTA: Final = b'data: {"Note":%b,"Choices":[{"FinishReason":"","Index":0,"Delta":{"Role":"assistant","Content":' % (
    json_text(NOTE)
)
_LINES: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
"""Characters that Node's reader of lines takes for the end of one, and how JSON can say them otherwise."""


class ClientWriter:
    """A streamed answer as native events: chat chunks in, bytes out. No method raises."""

    def __init__(self, note: JsonObject) -> None:
        self._note = note
        self._id = ""
        self._created = 0
        self._usage: JsonObject | None = None
        self._reason: object = None
        self._ids: dict[int, str] = {}
        """Index of a tool call -> its id, by which the client puts its pieces together."""
        self._bytes = 0
        """Of what the model has written."""
        self._characters = 0
        self._before, self._after = _DELTA, b""
        """What stands around the text in an event that has nothing else; before and behind its usage."""
        self._prompt = 0
        self._over = False
        self.repeats = ""

    def feed(self, chunk: JsonObject) -> list[bytes]:
        """The events for one chunk, perhaps none."""
        if self._over:
            return []
        self.repeats = ""
        if not self._id:
            self._begin(chunk)
        if (given := usages.of_answer(chunk)) is not None:
            self._usage = given
            self._prompt = self._counted().prompt
        extras = client_answer.extras(chunk)
        text = None if extras else spoken.only_text(chunk, _TEXT)
        if text is not None:
            self.repeats = _TEXT
            return [self.more(text)]
        choices = chunk.get("choices")
        written = []
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                written += self._choice(choice, extras)
        return written

    def more(self, text: str) -> bytes:
        """The event for a chunk that differs from the last one in its text alone, while `repeats` is set."""
        data = _one_line(json_text(text))
        self._bytes += len(data) - 2
        self._characters += len(text)
        return b"".join((self._before, data, self._after, self._usage_so_far(), b"}\n\n"))

    def finish(self) -> list[bytes]:
        """The last event, with the reason why the answer ends, and what it used."""
        if self._over:
            return []
        self._over, self.repeats = True, ""
        reason = self._reason
        if reason is None and self._ids:
            reason = "tool_calls"
        delta = {"Role": "assistant", "Content": ""}
        choice = {"FinishReason": finish_reason(reason), "Index": 0, "Delta": delta}
        said = _CHARACTERS_A_TOKEN * -(-self._bytes // _BYTES_A_TOKEN)  # not less than was said before
        return [self._event([choice], usage(self._usage, self._note, max(self._characters, said)))]

    def fail(self, error: JsonObject) -> list[bytes]:
        """An event with `ErrorMsg`, with which the stream ends. It has a choice, which programs read unasked."""
        if self._over:
            return []
        self._over, self.repeats = True, ""
        choice = {"FinishReason": "", "Index": 0, "Delta": {"Role": "assistant", "Content": ""}}
        event = self._fields([choice], self._estimate())
        return [_written({**event, "ErrorMsg": client_errors.in_stream(error)})]

    def keep_alive(self) -> list[bytes]:
        """A line that the SDKs skip."""
        return [] if self._over else [_KEEP_ALIVE]

    def _begin(self, chunk: JsonObject) -> None:
        self._id, self._created = identity(chunk, self._note), created(chunk)
        self._prompt = self._counted().prompt
        self._after = b'}}],"Created":%d,"Id":%b,"Usage":' % (self._created, _one_line(json_text(self._id)))

    def _choice(self, choice: JsonObject, extras: JsonObject) -> list[bytes]:
        """The events for what a choice of a chunk brings: all its pieces, but for why it ends."""
        if choice.get("finish_reason"):
            self._reason = choice["finish_reason"]
        given = choice.get("delta")
        delta: JsonObject = given if isinstance(given, dict) else {}
        made: JsonObject = {"Role": "assistant", "Content": said_text(delta)}
        if thought := spoken.reasoning_of(delta):
            made["ReasoningContent"] = thought
        self._count(made["Content"], thought or "")
        if frames := [self._frame(frame) for frame in spoken.calls_of(delta)]:
            made["ToolCalls"] = frames
        if not (made["Content"] or thought or frames or extras):
            return []
        index = choice.get("index")
        one = {"FinishReason": "", "Index": index if type(index) is int else 0, "Delta": made}
        return [_written({**self._fields([one], self._estimate()), **extras})]

    def _frame(self, frame: JsonObject) -> JsonObject:
        """A piece of a call, with the id that its first piece had: the client merges by it."""
        index = frame.get("index")
        number = index if type(index) is int else max(self._ids, default=0)
        made = call(frame, number)
        self._count(made["Function"]["Name"], made["Function"]["Arguments"])
        known = self._ids.setdefault(number, made.get("Id") or f"call_{number}")
        return {**made, "Id": known}

    def _count(self, *texts: str) -> None:
        for text in texts:
            self._characters += len(text)
            self._bytes += len(text) if text.isascii() else 3 * len(text)

    def _counted(self) -> ending.Counts:
        return ending.counts(self._usage, self._note, 0)

    def _estimate(self) -> JsonObject:
        """`Usage` so far: what the endpoint has said by now, else an estimate that grows."""
        counts = self._counted()
        made = counts.completion or -(-self._bytes // _BYTES_A_TOKEN)
        return {"PromptTokens": counts.prompt, "CompletionTokens": made, "TotalTokens": counts.prompt + made}

    def _usage_so_far(self) -> bytes:
        if self._usage is not None:
            return json_body.serialise(self._estimate())
        made = -(-self._bytes // _BYTES_A_TOKEN)
        return b'{"PromptTokens":%d,"CompletionTokens":%d,"TotalTokens":%d}' % (self._prompt, made, self._prompt + made)

    def _fields(self, choices: list[JsonObject], used: JsonObject) -> JsonObject:
        identity_ = self._id or identity({}, self._note)
        return {"Note": NOTE, "Choices": choices, "Created": self._created, "Id": identity_, "Usage": used}

    def _event(self, choices: list[JsonObject], used: JsonObject) -> bytes:
        return _written(self._fields(choices, used))


def _written(event: Any) -> bytes:
    return sse.event(_one_line(json_body.serialise(event)))


def _one_line(data: bytes) -> bytes:
    """JSON without the characters that a reader of lines may take for the end of one."""
    for character, escaped in _LINES:
        if character in data:
            data = data.replace(character, escaped)
    return data
