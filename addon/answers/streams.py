"""Repairs a streamed chat answer, sans-I/O: takes bytes that are split anywhere, returns the bytes to send."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..exchange import AnswerPlan, Change, JsonObject
from ..wire import answer_facts, chat_events, json_body, rule_names, sse, usage, vendor_errors
from ..wire.openai_error import ProxyError
from . import leaks
from .event_shape import Shape
from .stream_choice import StreamChoice
from .tool_frames import ToolFrames
from .tool_placing import ToolNames, TooMany
from .translated import INCOMPLETE
from .whole import ERROR_RULE, USAGE_CACHED, USAGE_MOVED, origin

_HEAD = ("id", "object", "created", "model")
"""The fields that a chunk made here copies from the endpoint's last chunk."""

_TEXT = re.compile(rb'"content"\s*:\s*"[^"]')
"""A text for the client that isn't empty. It can't be part of a JSON string: there quotation marks are escaped."""

MAX_CHOICES = 128
"""Choices of an answer. OpenAI's `n` may ask for this many."""

_NO_USAGE = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,?')
"""The field in all chunks but the last of a stream whose usage was asked for. In a text quotation marks are escaped."""

_ID = re.compile(rb"(?:^|[\r\n])id[:\r\n]")

_PLAIN_END = b"\n\n"
"""The end of an event as most endpoints write it. After it another event begins, whatever stands before it."""


_REFUSED = "the endpoint refuses the content: the error says so in OpenAI's words"


class ChatStream:
    """Repairs one chat answer of the type `text/event-stream`.

    `feed` takes bytes from the endpoint and returns the bytes to send. `finish` is called once the HTTP message has
    ended, or its connection has. Events that need no repair keep their bytes.
    Both return a list that is empty if there is nothing to send: `b""` would end an HTTP/1.1 answer in mitmproxy.
    Neither raises: after an exception, which becomes `failure`, all bytes pass unchanged.
    """

    def __init__(self, plan: AnswerPlan, language: str = "en") -> None:
        self._plan = plan
        self._language = language
        """Of the errors that are made here."""
        self._holds_text = bool(plan.stop or plan.json_fence)
        self._watches = leaks.watches(plan)
        """The text may have calls or reasoning in it: it needs reading where a mark begins."""
        self._mark = leaks.beginnings(plan) if self._watches else None
        """What tells that a mark may begin."""
        self._leaking = False
        """What comes next may belong to such a mark."""
        self._unbegun = plan.splits_thinking
        """No choice has text yet, so `<think>` may begin one."""
        self._parser = sse.Parser()
        self._between = True
        """Whether the next byte begins an event."""
        self._names = ToolNames(plan)
        self._choices: dict[int, StreamChoice] = {}
        self._shape: Shape | None = None
        """The shape of the last event, if events of that shape need not be read."""
        self._head: JsonObject = {}
        # The last events with an id that passed unread, and whether any had text: an end that is made here needs both.
        self._unread = b""
        self._has_text = False
        self._done = False
        self._has_ids = False
        """Events have ids."""
        # What is sent for an event whose repair fails: its bytes, and before them what each of its choices held back
        # before the repair.
        self._unsent = b""
        self._held: dict[int, Callable[[], list[JsonObject]]] = {}
        self.finish_reason: str | None = None
        """The last finish reason that the client gets."""
        self.usage: JsonObject | None = None
        """The last usage that the endpoint sent, wherever it stood."""
        self._usage_told = False
        """The usage stood where clients look for it."""
        self.first_error: object = None
        self.incomplete: ProxyError | None = None
        """The error that says that the answer has no end."""
        """The first `error` that the endpoint sent inside the stream. It passes unchanged."""
        self.unreadable = 0
        """The number of events that were read and are no JSON object. They pass unchanged."""
        self.failure: Exception | None = None
        """The exception after which all bytes pass unchanged."""
        self.changes: list[Change] = []
        """The first change of each rule: a stream may have any number of frames."""

    @property
    def broken(self) -> bool:
        """Whether all bytes pass unchanged, after an exception."""
        return self.failure is not None

    def keep_alive(self) -> list[bytes]:
        """A comment that tells the client that the stream goes on, in a list; none within an event and after the end.

        Behind an event with an id it has no blank line, which openai-python and httpx-sse take for another event
        (docs/facts/clients.md#comments-in-streams).
        """
        if self.broken or self._done or self._parser.is_within:
            return []
        return [sse.COMMENT + (b"\n" if self._has_ids else b"\n\n")]

    def facts(self) -> JsonObject:
        """What the answer says of itself (`wire.answer_facts`), by now."""
        reason = {"choices": [{"finish_reason": self.finish_reason}]}
        return answer_facts.of_answer({**self._last_head(), **reason})

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes from the endpoint, and return the bytes to send now, in a list."""
        if self.failure is not None:
            return _pieces(data)
        sent: list[bytes] = []
        uncut = data
        try:
            # 1. Most data is one event of the last one's shape, or some events that need no repair: no parser for them.
            tried = 0
            if self._between and len(data) <= sse.MAX_EVENT:
                at_once = None if self._shape is None else self._shape.sent_for(data)
                if at_once is not None:
                    return [self._bare(at_once)]
                if data.endswith(_PLAIN_END):
                    if self._passes(data):
                        return [self._bare(data)]
                    tried = len(data)
            # 2. Other data is cut into events. For a single one, step 1 was tried already.
            uncut = b""
            for event in self._parser.feed(data):
                sent.append(self._sent_for(event, tried=len(event.raw) == tried))
            self._between = self._parser.is_empty
        except Exception as failure:
            sent.append(self._given_up(failure) + uncut)
        return _pieces(b"".join(sent))

    def finish(self, incomplete: ProxyError = INCOMPLETE) -> list[bytes]:
        """End the stream, and return the bytes that were held back and what is missing at the end, in a list.

        `incomplete`: the error for an answer that has no end.
        """
        if self.broken:
            return []
        last = self._parser.finish()
        sent = b""
        try:
            sent = self._sent_for(last) if last else b""
            ending = self._ending(incomplete)
        except Exception as failure:
            return _pieces(sent + self._given_up(failure))
        if last and _is_torn(last):
            # The client can't parse an event that is cut off: it would not read what comes after it.
            return _pieces(ending or sent)
        if sent and sse.complete(sent) != sent:
            # Clients drop an event that has no blank line (WHATWG HTML, section 9.2.6).
            sent = sse.complete(sent)
            self._note(Change(rule_names.STREAM_END, "", "the last event gets the blank line that ends it"))
        return _pieces(sent + ending)

    def _ending(self, incomplete: ProxyError) -> bytes:
        if self.finish_reason and not self._done and self.first_error is None:
            self._note(Change(rule_names.STREAM_END, "", "the missing [DONE] is added"))
            return self._whole() + self._usage_chunk() + sse.event(b"[DONE]")
        held = self._broken_off()
        return held if self._done or self.first_error is not None else held + self._incomplete(incomplete)

    def _incomplete(self, error: ProxyError) -> bytes:
        why = "the stream ends without a finish reason: an error event says so"
        self._note(Change(rule_names.STREAM_END, "", why))
        self.incomplete = error.in_language(self._language)
        return sse.event(self.incomplete.body())

    def _sent_for(self, event: sse.Event, *, tried: bool = False) -> bytes:
        """The bytes to send for one event. `tried`: it is known to need reading."""
        raw = event.raw
        if event.opaque:
            return raw
        self._unsent = raw
        sent = None
        if not tried:
            sent = None if self._shape is None else self._shape.sent_for(raw)
            if sent is None and self._passes(raw):
                sent = raw
        if sent is None:
            self._shape = None
            sent = self._read(event)
        self._unsent, self._held = b"", {}
        return self._bare(sent)

    def _bare(self, events: bytes) -> bytes:
        """Whole events without a usage of `null` that its client hasn't asked for."""
        if not self._plan.usage_hidden or events.find(b'"usage"') < 0:
            return events
        return _NO_USAGE.sub(b"", events)

    def _passes(self, data: bytes) -> bool:
        """Whether whole events pass, since their bytes tell that they need no repair. Remembers what the end needs."""
        self._has_ids = self._has_ids or _ID.search(data) is not None
        if self._holds_text or not _needs_nothing(data):
            return False
        if self._mark is not None and self._may_leak(data, self._mark):
            return False
        if data.find(b'"id"') >= 0:
            self._unread = data
        self._has_text = self._has_text or _TEXT.search(data) is not None
        end = data.rfind(_PLAIN_END, 0, -len(_PLAIN_END))
        last = data if end < 0 else data[end + len(_PLAIN_END) :]
        self._shape = Shape.of_text(last, None if self._mark is None else self._has_no_mark)
        return True

    def _has_no_mark(self, text: str) -> bool:
        """Whether a piece of text has no part of a mark. It comes behind one that had none."""
        return self._mark is None or "<" not in text or self._mark.search(f'{text}"'.encode()) is None

    def _may_leak(self, data: bytes, mark: re.Pattern[bytes]) -> bool:
        """Whether whole events that need nothing else may have a part of a mark in their text."""
        if self._leaking or (data.find(b"<") >= 0 and mark.search(data) is not None):
            return True
        if self._unbegun:
            if _TEXT.search(data) is not None:
                return True
            self._unbegun = not leaks.brings_reasoning(data)
        return False

    def _read(self, event: sse.Event) -> bytes:
        data = event.data
        if data is None:
            return event.raw
        if sse.is_done(data):
            return self._closed(event)
        chunk = json_body.parse_object(data)
        if chunk is None:
            self.unreadable += 1
            return event.raw
        if chunk.get("error"):
            if self.first_error is None:
                self.first_error = chunk["error"]
            refusal = vendor_errors.policy_error(chunk["error"])
            if refusal is not None:
                self._note(Change(ERROR_RULE, "", _REFUSED))
                return self._broken_off() + event.with_data(refusal.in_language(self._language).body())
            return self._broken_off() + event.raw
        return self._repaired(event, chunk)

    def _closed(self, event: sse.Event) -> bytes:
        if self._done:
            self._note(Change(rule_names.STREAM_END, "", "a second [DONE] is left out"))
            return b""
        self._done = True
        if self.first_error is not None:
            return self._broken_off() + event.raw
        sent = self._whole()
        # Clients stop reading at [DONE], so the error goes before it.
        return sent + (self._usage_chunk() if self.finish_reason else self._incomplete(INCOMPLETE)) + event.raw

    def _whole(self) -> bytes:
        """The events that end the choices: the endpoint says that the answer is over.

        A choice without a finish reason gets one if it is whole (openclaw/openclaw#98575): its calls are complete, or
        it has text and no calls.
        """
        sent = b""
        if self._has_text:
            self._choice(0).has_text = True
        for index in list(self._choices):
            choice = self._choice(index)
            if choice.finish_reason is not None:
                sent += self._events(index, choice.break_off())
            else:
                sent += self._events(index, choice.end_text(self._note) + choice.close(self._note))
                if choice.finish_reason is not None:
                    self._note(Change(rule_names.STREAM_END, "", "the missing finish reason is added"))
                    sent += self._event(index, {}, choice.finish_reason)
                    self.finish_reason = choice.finish_reason
        return sent

    def _repaired(self, event: sse.Event, chunk: JsonObject) -> bytes:
        choices = chunk.get("choices")
        head = _head_in(chunk)
        if head:
            self._head, self._unread = head, b""
        before = b""
        is_hidden = self._plan.usage_hidden and self._is_only_usage(chunk)
        changed = False
        if is_hidden:
            self.usage = chunk["usage"]
        else:
            changed = self._take_usage(chunk)
        if isinstance(chunk.get("usage"), dict) and not choices:
            before = b"".join(self._events(index, self._choice(index).end_text(self._note)) for index in self._choices)
        if is_hidden:
            return before
        frame, frames = _only_frame(choices), None
        for place, choice in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(choice, dict):
                index = _index(choice)
                repair = self._choice(index)
                frames = repair.frames
                changed = repair.repair(choice, f"/choices/{place}", self._note) or changed
                before += self._events(index, repair.before())
                # The native API says "" until the end.
                if isinstance(choice.get("finish_reason"), str):
                    self.finish_reason = choice["finish_reason"] or self.finish_reason
        if self._watches:
            watched = [choice.leaks for choice in self._choices.values() if choice.leaks is not None]
            self._leaking = any(choice.is_busy for choice in watched)
            self._unbegun = self._unbegun and not any(choice.begun for choice in watched)
        sent = event.raw
        if changed:
            sent = b"" if _is_empty(chunk) else event.with_data(json_body.serialise(chunk))
        if frame is not None and frames is not None and not self._holds_text:
            take = frames.adder_for_all_like(frame)
            if take is not None:
                self._shape = Shape.of_arguments(event.raw, sent, take)
        return before + sent

    def _take_usage(self, chunk: JsonObject) -> bool:
        """Remember the usage of a chunk, and put its cached tokens where clients look for them; whether that was done.

        Usage in a choice stays there: whether a chunk of its own is needed is known at the end.
        """
        used = usage.of_answer(chunk)
        if used is None:
            return False
        self.usage = used
        usual = chunk.get("usage")
        if not isinstance(usual, dict) or not usual:
            return False
        self._usage_told = True
        if not usage.complete(usual):
            return False
        self._note(Change(rule_names.USAGE, "/usage", USAGE_CACHED))
        return True

    def _is_only_usage(self, chunk: JsonObject) -> bool:
        """Whether all that a chunk brings is the usage."""
        if not isinstance(chunk.get("usage"), dict) or chunk.get("error"):
            return False
        choices = chunk.get("choices")
        if not choices:
            return True
        return self.finish_reason is not None and isinstance(choices, list) and all(map(_says_nothing, choices))

    def _usage_chunk(self) -> bytes:
        """The chunk with the usage, for a client that asked for it and has seen none in its usual place."""
        if self.usage is None or self._usage_told or not self._plan.usage_chunk:
            return b""
        self._usage_told = True
        self._note(Change(rule_names.USAGE, "/usage", USAGE_MOVED))
        used = {**self.usage}
        usage.complete(used)
        return sse.event(json_body.serialise({**self._last_head(), "choices": [], "usage": used}))

    def _choice(self, index: int) -> StreamChoice:
        """The state of choice `index`, which the event that is being read may change. Raises `TooMany`."""
        choice = self._choices.get(index)
        if choice is None:
            if len(self._choices) >= MAX_CHOICES:
                raise TooMany
            frames = ToolFrames(self._names, index, lambda: origin(self._last_head()))
            begun = self._has_text or not self._unbegun
            choice = self._choices[index] = StreamChoice(self._plan, frames, begun=begun)
        if index not in self._held:
            self._held[index] = choice.held()
        return choice

    def _note(self, change: Change) -> None:
        if all(change.rule != noted.rule for noted in self.changes):
            self.changes.append(change)

    def _broken_off(self) -> bytes:
        """The events for all that is held back: an error ends the stream."""
        return b"".join(self._events(index, self._choice(index).break_off()) for index in self._choices)

    def _events(self, index: int, deltas: list[JsonObject]) -> bytes:
        return b"".join(self._event(index, delta, None) for delta in deltas)

    def _event(self, index: int, delta: JsonObject, finish_reason: str | None) -> bytes:
        choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
        return sse.event(json_body.serialise({**self._last_head(), "choices": [choice]}))

    def _last_head(self) -> JsonObject:
        if self._unread:
            self._head, self._unread = _head_of(self._unread) or self._head, b""
        return self._head

    def _given_up(self, failure: Exception) -> bytes:
        """All that was not sent yet, unchanged."""
        self.failure = failure
        held = b"".join(
            self._events(index, self._held.get(index, choice.held())()) for index, choice in self._choices.items()
        )
        return held + self._unsent + self._parser.rest()


def _head_of(data: bytes) -> JsonObject:
    """The head of the last chunk that has an id, in some whole events."""
    heads = (
        _head_in(json_body.parse_object(event.data or b"") or {}) for event in reversed(list(sse.Parser().feed(data)))
    )
    return next(filter(None, heads), {})


def _head_in(chunk: JsonObject) -> JsonObject:
    return {key: chunk[key] for key in _HEAD if key in chunk} if "id" in chunk else {}


def _only_frame(choices: object) -> JsonObject | None:
    """The only frame of the only choice of a chunk; `None` if there are more, or a finish reason."""
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    delta = choice.get("delta") if isinstance(choice, dict) and not choice.get("finish_reason") else None
    frames = delta.get("tool_calls") if isinstance(delta, dict) else None
    frame = frames[0] if isinstance(frames, list) and len(frames) == 1 else None
    return frame if isinstance(frame, dict) else None


def _needs_nothing(raw: bytes) -> bool:
    """Whether the bytes of whole events tell that none needs repair, and none has usage or ends the answer.

    It is true only for plans that hold back no text.
    """
    return (
        raw.find(b"_call") < 0  # tool_calls, function_call
        and not chat_events.says_more_than_null(raw, b'"usage"')
        and chat_events.go_on(raw)
    )


def _is_empty(chunk: JsonObject) -> bool:
    """Whether a chunk has nothing for the client any more: no usage, no finish reason, empty deltas."""
    return not isinstance(chunk.get("usage"), dict) and all(
        isinstance(choice, dict) and choice.get("delta") == {} and not choice.get("finish_reason")
        for choice in chunk["choices"]
    )


def _says_nothing(choice: object) -> bool:
    """Whether a choice has neither a finish reason nor anything in its delta but the role."""
    if not isinstance(choice, dict) or choice.get("finish_reason") or choice.get("usage"):
        return False
    delta = choice.get("delta")
    return not isinstance(delta, dict) or not any(value for key, value in delta.items() if key != "role")


def _is_torn(event: sse.Event) -> bool:
    data = event.data
    return data is not None and not sse.is_done(data) and json_body.parse_object(data) is None


def _index(choice: JsonObject) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _pieces(data: bytes) -> list[bytes]:
    return [data] if data else []
