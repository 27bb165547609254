"""The streams of all rounds as one, sans-I/O: bytes split anywhere in, whole events out.

The first round keeps its bytes. Where it is cut, its end (finish reason, usage, `[DONE]`) is held back, and the deltas
of the next round follow under the first one's id. If that brings nothing, the end that was held back is the end.
"""

from __future__ import annotations

from typing import Any, Final

from ...exchange import JsonObject
from ...wire import json_body, sse, usage
from .overlap import Overlap
from .said import LENGTH, Said, only_choice, with_usage, without_thoughts
from .thoughts import Thoughtless

_HEAD: Final = ("id", "created", "model")
"""What all chunks of a stream have in common."""


class SplicedStream:
    """One answer, whose streams are fed one after the other."""

    def __init__(self, *, fences: bool = False) -> None:
        self.said = Said(fences=fences)
        self._parser = sse.Parser()
        self._head: JsonObject = {}
        self._held: list[sse.Event | JsonObject] = []
        """The end of this round, where it is cut: events of the first as they came, chunks of a further one."""
        self._is_held = False
        self._ending: list[sse.Event | JsonObject] = []
        """The end of the round before."""
        self._is_failed = False
        """A further round has brought an error; nothing more of it passes."""
        self._thought = Thoughtless()
        self._overlap = Overlap("")

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of this round, and return what the client gets of them."""
        return b"".join(self._of(event) for event in self._parser.feed(data))

    def end_round(self) -> bytes:
        """This round's stream is over. Returns what the client gets of an event that lacks its end."""
        last = self._parser.finish()
        return self._of(last) if last is not None else b""

    @property
    def is_cut(self) -> bool:
        """Whether this round has ended, and the answer can be continued."""
        return self._is_held and self.said.is_cut

    def go_on(self, *, is_completion: bool) -> bytes:
        """A further round begins. Returns what the held back end has of the answer itself.

        `is_completion`: it repeats nothing of the text so far.
        """
        said: list[bytes] = []
        self._ending = []
        for held in self._held:
            chunk = json_body.parse_object(held.data or b"") if isinstance(held, sse.Event) else held
            choice = only_choice(chunk) if chunk is not None else None
            if chunk is None or choice is None:
                self._ending.append(held)
                continue
            delta = choice.get("delta")
            if isinstance(delta, dict) and any(delta.values()):
                said.append(_event(_plain(chunk, choice)))
                choice = {**choice, "delta": {}}
                if choice.get("logprobs"):
                    choice["logprobs"] = None
            self._ending.append({**chunk, "choices": [choice]})
        self._held, self._is_held = [], False
        self._parser = sse.Parser()
        self._thought, self._overlap = Thoughtless(), Overlap("" if is_completion else self.said.text)
        self.said.begin()
        return b"".join(said)

    def finish(self) -> bytes:
        """The end of the answer, where no further round begins."""
        if self.said.rounds == 1 or self.said.reason:
            return b"".join(map(_written, self._held))
        # A further round has no end: what came of it stays, and the end is that of the round before.
        rest = self._flushed()
        said = [_event(self._chunk({"content": rest}))] if rest else []
        if rest:
            self.said.note_choice({}, {"content": rest})
        used = self.said.used
        for held in self._ending:
            chunk = json_body.parse_object(held.data or b"") if isinstance(held, sse.Event) else held
            if chunk is None:
                said.append(_written(held))
                continue
            choice = only_choice(chunk)
            if choice is not None and choice.get("finish_reason") and self.said.has_text:
                reason = choice["finish_reason"]
                chunk = {**chunk, "choices": [{**choice, "finish_reason": reason if reason in LENGTH else "length"}]}
            said.append(_event(with_usage(chunk, used)))
        return b"".join(said)

    def _of(self, event: sse.Event) -> bytes:
        """What the client gets for one event, at once."""
        data = event.data
        if data is None or not data.strip():
            if not event.opaque:
                return event.raw  # a comment
            self.said.is_readable = False
            return b"" if self._is_failed else self._let_go() + event.raw
        if self._is_failed:
            return b""
        if sse.is_done(data):
            if self._is_held:
                return self._held_back(event)
            return event.raw if self.said.rounds == 1 or self.said.reason else b""
        chunk = json_body.parse_object(data)
        if chunk is None or chunk.get("error"):
            return self._failed(event)
        return self._of_first(event, chunk) if self.said.rounds == 1 else self._of_further(chunk)

    def _of_first(self, event: sse.Event, chunk: JsonObject) -> bytes:
        for name in _HEAD:
            if self._head.get(name) is None and chunk.get(name) is not None:
                self._head[name] = chunk[name]
        self._note(chunk, only_choice(chunk))
        if not self._is_held:
            return event.raw
        return self._held_back(event)

    def _of_further(self, chunk: JsonObject) -> bytes:
        self.said.note_usage(usage.of_answer(chunk))
        changed = with_usage({name: value for name, value in chunk.items() if name not in _HEAD}, self.said.used)
        changed = {**self._head, **changed}
        choice = only_choice(changed)
        is_empty = not usage.of_answer(chunk)
        if choice is None:
            self._note(chunk, None)
            is_empty = is_empty and not chunk.get("choices")
        else:
            given = choice.get("delta")
            delta = without_thoughts(given) if isinstance(given, dict) else {}
            delta.pop("role", None)
            self._cut_repetition(choice, delta)
            choice = {**choice, "delta": delta}
            self._note(chunk, choice)
            changed["choices"] = [choice]
            is_empty = is_empty and not choice.get("finish_reason") and not any(delta.values())
        if is_empty:
            return b""
        return self._held_back(changed) if self._is_held else _event(changed)

    def _cut_repetition(self, choice: JsonObject, delta: JsonObject) -> None:
        """Leave of the text of `delta` what may pass, in place; all that is held back, where no text comes behind."""
        given = delta.get("content")
        text = self._overlap.feed(self._thought.feed(given)) if isinstance(given, str) else ""
        if choice.get("finish_reason") or delta.get("tool_calls") or delta.get("function_call"):
            text += self._flushed()
        if isinstance(given, str) or text:
            if text != given and choice.get("logprobs"):
                choice["logprobs"] = None
            delta["content"] = text

    def _flushed(self) -> str:
        return self._overlap.feed(self._thought.finish()) + self._overlap.finish()

    def _note(self, chunk: JsonObject, choice: JsonObject | None) -> None:
        """Take note of what a chunk says, and of whether the end of this round is held back from here on."""
        said, had_ended = self.said, bool(self.said.reason)
        if choice is None:
            said.is_readable = said.is_readable and not chunk.get("choices")
        else:
            delta = choice.get("delta")
            said.note_choice(choice, delta if isinstance(delta, dict) else {})
        if said.rounds == 1:
            said.note_usage(usage.of_answer(chunk))
        if said.reason and not had_ended:  # once a round: it looks at all of the text
            self._is_held = said.is_cut

    def _held_back(self, held: sse.Event | JsonObject) -> bytes:
        self._held.append(held)
        return b""

    def _let_go(self) -> bytes:
        held, self._held, self._is_held = self._held, [], False
        return b"".join(map(_written, held))

    def _failed(self, event: sse.Event) -> bytes:
        """An error, or what can't be read. The first round passes as it is; of a further one nothing more passes."""
        self.said.is_readable = False
        if self.said.rounds == 1:
            return self._let_go() + event.raw
        self._is_failed = True
        return b""

    def _chunk(self, delta: JsonObject) -> JsonObject:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}


def _plain(chunk: JsonObject, choice: JsonObject) -> JsonObject:
    """A chunk at the end of a round without what says that it is the end."""
    kept = {name: value for name, value in choice.items() if name != "usage"}
    changed: dict[str, Any] = {name: value for name, value in chunk.items() if name != "usage"}
    return {**changed, "choices": [{**kept, "finish_reason": None}]}


def _event(chunk: JsonObject) -> bytes:
    return sse.event(json_body.serialise(chunk))


def _written(held: sse.Event | JsonObject) -> bytes:
    return held.raw if isinstance(held, sse.Event) else _event(held)
