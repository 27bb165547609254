"""Answers of an endpoint that speaks the client's format itself: they keep their bytes where nothing is changed.

What may be changed is the dialect's: see `dialects.base.NativeDialect`. Errors get the words and the status by which
the client does the right thing, a stream without an end gets one, and what an answer used is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..dialects import DIALECTS, NATIVE
from ..exchange import Change, Exchange, JsonObject, Response
from ..masking.put_back import UnknownPlaceholder
from ..wire import answer_facts, flaws, json_body, noted_errors, proxy_errors, rule_names, sse, usage
from ..wire.content_coding import CodingError, TooLarge, unpack
from ..wire.flaws import Flaw
from . import translated, whole
from .heard import Listeners
from .placeholders import PutBackEvents
from .streamed import EVENT_STREAM, ClientStream
from .translated import NO_STEPS, Steps

_ERROR_LIMIT = 1 << 20
"""Bytes of an error body that are looked at."""
_ADVICE = ("retry-after", "x-should-retry")
"""Headers by which clients decide whether to try again."""


class NativeStream(ClientStream):
    """A stream of events in the client's format."""

    def __init__(
        self,
        exchange: Exchange,
        encoding: str = "",
        keep: int = 0,
        written: Callable[[], None] | None = None,
        steps: Steps = NO_STEPS,
    ) -> None:
        super().__init__(exchange, encoding, keep, written)
        listeners = steps.listeners(exchange)
        self._heard = Listeners(listeners) if listeners else None
        self._put_back = None
        if exchange.has_placeholders:
            self._put_back = PutBackEvents(exchange.put_back, self._refused)
        self._steps = steps
        self._dialect = NATIVE[exchange.dialect]
        self._note = exchange.note_of(exchange.spoken)
        self._reader = self._dialect.reader
        self._state: JsonObject = {}
        self._parser = sse.Parser()
        self._wants_facts = answer_facts.are_wanted(exchange)
        self._reasons: set[str] = set()
        """Why events were changed."""
        self._is_told = False
        """The client knows how the answer ended."""
        self._last = ""
        """The type of the last event that was read."""

    def _changed(self, data: bytes) -> list[bytes]:
        sent = self._repaired(data)
        if self._put_back is not None:
            data = self._put_back.feed(b"".join(sent))
            sent = _pieces(data + (self._put_back.finish() if self._ended else b""))
        if self._heard is not None:  # with the values: an answer that is given again has no way back of its own
            self._heard.feed(b"".join(sent))
            if self._heard.failure is not None:
                self._log(self._heard.failure)
        return sent

    def _refused(self) -> bytes:
        """The events that end a stream whose call has an unknown placeholder; noted."""
        self._is_told = True
        error = proxy_errors.PLACEHOLDER_UNKNOWN().in_language(self._exchange.error_language)
        noted_errors.own(self._exchange, error)
        return b"".join(map(event_bytes, self._dialect.failure(error.fields(), self._note, self._state)))

    @property
    def is_told(self) -> bool:
        """Whether the client has the event that ends the answer, or an error."""
        return self._is_told

    @property
    def _may_be_complete(self) -> bool:
        return self._ended or self._is_told

    def _repaired(self, data: bytes) -> list[bytes]:
        # Most data is events of what the model says: they need neither parser nor JSON.
        if (
            not self._ended
            and self._parser.is_empty
            and data.endswith(b"\n\n")
            and len(data) <= sse.MAX_EVENT
            and self._dialect.goes_on(data, self._note)
        ):
            self._state["last"] = data
            return [data]
        sent = b"".join(map(self._event, self._parser.feed(data)))
        return _pieces(sent + (self._end() if self._ended else b""))

    def _keep_alive_pieces(self) -> list[bytes]:
        """Between two events, since only whole ones are sent. Before the first a comment: clients expect that event."""
        if self._opening is not None:
            return [sse.COMMENT + b"\n\n"]
        if self._is_told or self._parser.is_within:
            return []
        return [event_bytes(event) for event in self._dialect.keep_alive(self._note)] or [sse.COMMENT + b"\n\n"]

    def _event(self, event: sse.Event) -> bytes:
        sent = self._sent(event)
        self._state["last"] = event.raw
        return sent

    def _sent(self, event: sse.Event) -> bytes:
        if event.opaque or self._dialect.goes_on(event.raw, self._note):
            return event.raw
        data = event.data
        value = None if data is None else json_body.parse_object(data)
        if value is None:
            return event.raw
        if self._wants_facts:
            answer_facts.note(self._exchange, answer_facts.of_event(value))
        for chunk in self._reader.events(value, self._state):
            if self._wants_facts:
                answer_facts.note(self._exchange, answer_facts.of_answer(chunk))
            if chunk.get("usage"):
                usage.note(self._exchange, chunk["usage"])
            if chunk.get("error"):
                noted_errors.in_stream(self._exchange, chunk["error"])
            self._is_told = self._is_told or _ends(chunk)
        events, why = self._dialect.repaired_event(value, self._note, self._state)
        kind = value.get("type")
        self._last = kind if isinstance(kind, str) else "error"
        if not why:
            return event.raw
        if why not in self._reasons:
            self._reasons.add(why)
            self._exchange.note([Change(self._dialect.name, "", why)])
        return b"".join(map(event_bytes, events))

    def _end(self) -> bytes:
        """What the end of the stream cut off, if clients can read it, and the events that are missing."""
        torn = self._parser.finish()
        readable = torn is not None and torn.data is not None and json_body.parse_object(torn.data) is not None
        last = sse.complete(self._event(torn)) if torn is not None and (readable or torn.opaque) else b""
        if not self._is_told:
            why = "the stream ends without the end of its answer: an error event says so"
            noted_errors.own(self._exchange, self._incomplete)
            missing = self._dialect.failure(self._incomplete.fields(), self._note, self._state)
        else:
            why = "the missing last event is added"
            missing = [event for event in self._dialect.closing(self._note) if not self._is_over(event)]
        if missing:
            self._exchange.note([Change(rule_names.STREAM_END, "", why)])
        return last + b"".join(map(event_bytes, missing))

    def _is_over(self, closing: JsonObject) -> bool:
        return self._last in (closing["type"], "error")

    def _as_events(self, body: bytes | None) -> list[bytes]:
        answer: Flaw | JsonObject = flaws.TOO_LARGE if body is None else translated.answer_in(self._exchange, body)
        if not isinstance(answer, Flaw):
            try:
                return _pieces(_streamed(self._exchange, json_body.parse_object(body or b"") or {}, self._steps))
            except UnknownPlaceholder:
                return _pieces(self._refused())
        error = json_body.parse_object(whole.error_for(self._exchange, answer).body) or {}
        given = error.get("error")
        events = self._dialect.failure(given if isinstance(given, dict) else {}, self._note, self._state)
        return _pieces(b"".join(map(event_bytes, events)))


def repair_answer(exchange: Exchange, text: bytes, steps: Steps = NO_STEPS) -> Response | bytes | None:
    """A whole answer as its client expects it, which `steps` see; `None`: it is left unchanged.

    A `Response` takes its place: the error that it should have been, or a stream that came without its label.
    """
    if exchange.streamed and sse.is_stream(text):
        exchange.note([Change(rule_names.STREAM, "", "a stream without its label")])
        stream = NativeStream(exchange, steps=steps)
        return Response(200, {"content-type": EVENT_STREAM}, b"".join([*stream(text), *stream(b"")]))
    answer = translated.answer_in(exchange, text)
    if isinstance(answer, Flaw):
        usage.note_body(exchange, text)
        return whole.error_for(exchange, answer)
    body = json_body.parse_object(text) or {}
    _note(exchange, body, answer)
    dialect = NATIVE[exchange.dialect]
    if exchange.streamed:
        return Response(200, {"content-type": EVENT_STREAM}, _streamed(exchange, body, steps))
    why = dialect.repaired_answer(body, exchange.note_of(exchange.spoken))
    changed = steps.answer(exchange, body)
    if why:
        exchange.note([Change(dialect.name, "", why)])
    return json_body.serialise(body) if why or changed else None


def _streamed(exchange: Exchange, body: JsonObject, steps: Steps) -> bytes:
    """The events for a whole answer that came where a stream was asked for; its tokens are noted."""
    dialect = NATIVE[exchange.dialect]
    _note(exchange, body, dialect.reader.answer(body, {}))
    why = dialect.repaired_answer(body, exchange.note_of(exchange.spoken))
    changes = [Change(rule_names.STREAM, "", "a whole answer, where a stream was asked for")]
    exchange.note([*changes, Change(dialect.name, "", why)] if why else changes)
    steps.answer(exchange, body)
    return b"".join(map(event_bytes, dialect.as_events(body)))


def _note(exchange: Exchange, body: JsonObject, outline: JsonObject) -> None:
    """Note what a whole answer used, and what it says of itself. `outline`: what its `body` is in chat."""
    usage.note(exchange, outline.get("usage"))
    if answer_facts.are_wanted(exchange):
        answer_facts.note(exchange, answer_facts.of_answer(body) | answer_facts.of_answer(outline))


def repair_error(
    exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes, encoding: str
) -> Response | None:
    """The endpoint's error, in whatever shape, as its client understands it; `None` where it says so itself.

    Where its words are the right ones, and only its status or the advice in its headers isn't, its body stays.
    """
    try:
        body = unpack(body, encoding, _ERROR_LIMIT)
    except (CodingError, TooLarge):
        body = b""
    advice = {name: headers[name] for name in _ADVICE if name in headers}
    body = NATIVE[exchange.dialect].reader.error(status, body)
    given: Response = Response(status, advice, body)
    if meant := whole.finished(exchange, status, body, advice.get("retry-after")):
        noted_errors.own(exchange, meant.error)
        given = meant.in_language(exchange.error_language)
    told = DIALECTS[exchange.spoken].error(given, exchange.note_of(exchange.spoken))
    if told.status < 400:
        noted_errors.none(exchange)  # an answer that makes the client shorten its history (`responses.full_window`)
    if not _says(body, told.body):
        return told
    if told.status == status and all(advice.get(name) == told.headers.get(name) for name in _ADVICE):
        return None
    return Response(told.status, told.headers, body)


def _says(body: bytes, told: bytes) -> bool:
    """Whether an error's body has the type and the message that its client is to be told, where it looks for them."""
    one, other = json_body.parse_object(body) or {}, json_body.parse_object(told) or {}
    given, meant = one.get("error"), other.get("error")
    return (
        isinstance(given, dict)
        and isinstance(meant, dict)
        and one.get("type") == other.get("type")
        and all(given.get(key) == meant.get(key) for key in ("type", "message", "code"))
    )


def _ends(chunk: JsonObject) -> bool:
    choices = chunk.get("choices")
    return bool(chunk.get("error") or (choices and choices[0].get("finish_reason")))


def event_bytes(event: JsonObject) -> bytes:
    """An event of a stream, under the name of its type."""
    name = str(event["type"]).encode() if "type" in event else b"error"
    return b"event: " + name + b"\n" + sse.event(json_body.serialise(event))


def _pieces(data: bytes) -> list[bytes]:
    return [data] if data else []
