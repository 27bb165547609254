"""A chat answer on its way into another format, or out of one. Sans-I/O: bytes split anywhere in, bytes out.

Between the two stands the house language, whose stream of server-sent events `answers.streams` repairs:

    upstream's events ─▶ FromUpstream ─▶ ChatStream ─▶ ToClient ─▶ client's events
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol, cast

from .. import dialects, profiles
from ..dialects.base import AnswerReader, AnswerWriter, RepeatedEvent, UpstreamDialect
from ..exchange import AnswerPlan, Exchange, JsonObject
from ..wire import flaws, json_body, noted_errors, proxy_errors, sse
from ..wire.flaws import Flaw
from ..wire.openai_error import ProxyError
from .heard import Listener, Listeners
from .placeholders import PutBackEvents

INCOMPLETE = proxy_errors.STREAM_INCOMPLETE()
"""The error for an answer without an end, where its HTTP message has one."""

_PLAIN_TEXT = re.compile(rb"[ !#-\[\]-~]+|(?:[ !#-\[\]-~]|[\xc3-\xdf][\x80-\xbf]|[\xe3-\xec][\x80-\xbf]{2})+")
"""Text that means the same in JSON and without it: no quotation mark, backslash or control character, valid UTF-8."""


class Steps(Protocol):
    """What is done to an answer after its repair: `pipeline.Pipeline`."""

    def changes_chunks(self, exchange: Exchange) -> bool:
        """Whether `chunks` may give anything but the chunk itself."""

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Change a whole answer in place; whether it was changed."""

    def chunks(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """The chunks that take the place of one."""

    def last_chunks(self, exchange: Exchange) -> Iterable[JsonObject]:
        """The chunks that were held back, where a stream ends or has an error next."""

    def waits(self, exchange: Exchange) -> bool:
        """Whether the stream has to wait for something before it may end."""

    def listeners(self, exchange: Exchange) -> Sequence[Listener]:
        """What is told the chunks that the client gets."""


class _NoSteps:
    """For an answer that the steps have seen."""

    def changes_chunks(self, exchange: Exchange) -> bool:
        """No."""
        return False

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Nothing."""
        return False

    def chunks(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """The chunk."""
        return (chunk,)

    def last_chunks(self, exchange: Exchange) -> Iterable[JsonObject]:
        """None."""
        return ()

    def waits(self, exchange: Exchange) -> bool:
        """No."""
        return False

    def listeners(self, exchange: Exchange) -> Sequence[Listener]:
        """Nobody."""
        return ()


NO_STEPS: Steps = _NoSteps()


def upstream_of(exchange: Exchange) -> UpstreamDialect:
    """The format into which the request of an exchange is translated, and from which its answer is.

    The house language, which is no translation, where the endpoint speaks the client's format itself.
    """
    if exchange.dialect in dialects.NATIVE:
        return dialects.UPSTREAM_DIALECTS[dialects.HOUSE]
    return dialects.UPSTREAM_DIALECTS[profiles.load(exchange.profile).dialect]


def plan_of(exchange: Exchange) -> AnswerPlan:
    """What the repair of an answer has to undo, before it is translated.

    Stop texts stay for a dialect that isn't the house language: it names the client the one that it finds.
    """
    plan = exchange.plan
    return replace(plan, stop=[]) if plan.stop and not dialects.DIALECTS[exchange.dialect].is_house else plan


def answer_in(exchange: Exchange, text: bytes) -> Flaw | JsonObject:
    """The answer in the upstream's body `text`, in the house language, or its flaw.

    Only an outline of it, where the upstream speaks the client's format.
    """
    native = dialects.NATIVE.get(exchange.dialect)
    reader: AnswerReader = upstream_of(exchange) if native is None else native.reader
    body = None if reader.is_house else json_body.parse_object(text)
    if body is None:
        return flaws.of_answer(text)
    return flaws.of_answer(json_body.serialise(reader.answer(body, exchange.note_of(reader.name))))


def from_upstream(exchange: Exchange) -> FromUpstream | None:
    """What the upstream's events pass first; `None` where they are chat events."""
    upstream = upstream_of(exchange)
    if upstream.is_house:
        return None
    return FromUpstream(upstream, exchange.note_of(upstream.name), exchange.error_language)


def to_client(exchange: Exchange, steps: Steps) -> ToClient | None:
    """What repaired chat events pass on their way to the client; `None` where they pass unchanged."""
    dialect = dialects.DIALECTS[exchange.dialect]
    changed = None
    if steps.changes_chunks(exchange):
        changed = ChangedChunks(
            lambda chunk: steps.chunks(exchange, chunk),
            lambda: steps.last_chunks(exchange),
            lambda: steps.waits(exchange),
        )
    written = None
    if not dialect.is_house:
        written = WrittenEvents(dialect.stream(exchange.note_of(dialect.name)), exchange.error_language)
    put_back = None
    if exchange.has_placeholders:
        put_back = PutBackEvents(exchange.put_back, lambda: _refused(exchange))
    listeners = steps.listeners(exchange)
    heard = Listeners(listeners) if listeners else None
    return ToClient(changed, written, heard, put_back) if changed or written or heard or put_back else None


def _refused(exchange: Exchange) -> bytes:
    """The chat event that ends a stream whose call has an unknown placeholder; noted."""
    error = proxy_errors.PLACEHOLDER_UNKNOWN().in_language(exchange.error_language)
    noted_errors.own(exchange, error)
    return sse.event(error.body())


class FromUpstream:
    """The events of an upstream that speaks another format, as chat events.

    An error ends them: an event that is too large to be translated, a second one that can't be read, or a `failure`, an
    exception in the dialect.
    """

    def __init__(self, dialect: UpstreamDialect, note: JsonObject, language: str = "en") -> None:
        self._dialect = dialect
        self._note = note
        self._language = language
        self._parser = sse.Parser(blanks=True)
        self._over = False
        self._repeated: RepeatedEvent | None = None
        """An event, if those like it need not be read."""
        self.unreadable = 0
        """Events that are no JSON object, and are left out."""
        self.failure: Exception | None = None

    def feed(self, data: bytes) -> bytes:
        """Bytes from the upstream -> chat events."""
        plain = sse.plain_data(data) if self._parser.is_empty and len(data) <= sse.MAX_EVENT else None
        if plain is not None and not self._over:  # without the parser, which takes half the time
            return b"".join(map(self._of_data, plain))
        return b"".join(self._translated(event) for event in self._parser.feed(data))

    def finish(self) -> bytes:
        """The chat events for an event that the end of the stream cut off."""
        last = self._parser.finish()
        return self._translated(last) if last else b""

    def _translated(self, event: sse.Event) -> bytes:
        if self._over:
            return b""
        if event.opaque:
            return self._failed(proxy_errors.STREAM_EVENT_TOO_LARGE())
        data = event.data
        if data is None:
            return b"".join(comment + b"\n\n" for comment in event.comments)
        return self._of_data(data)

    def _of_data(self, data: bytes) -> bytes:
        if self._repeated is not None:
            made = self._repeated.chat_event(data)
            if made is not None:
                return made
            self._repeated = None
        if self._over:
            return b""
        value = json_body.parse_object(data)
        if value is None:
            return sse.event(data) if sse.is_done(data) else self._unread(data)
        if value.keys() == {"error"}:
            return sse.event(data)  # the relay's own
        try:
            chunks = self._dialect.events(value, self._note)
            made = b"".join(sse.event(json_body.serialise(chunk)) for chunk in chunks)
            self._repeated = self._dialect.repeated(data, chunks, made)
            return made
        except Exception as error:
            self.failure = error
            return self._failed(proxy_errors.STREAM_INCOMPLETE())

    def _unread(self, data: bytes) -> bytes:
        """What stands for an event that no client can read: nothing for the first one, an error for the next."""
        if not data.strip():
            return b""
        self.unreadable += 1
        return b"" if self.unreadable == 1 else self._failed(proxy_errors.STREAM_UNREADABLE())

    def _failed(self, error: ProxyError) -> bytes:
        self._over, self._repeated = True, None
        return sse.event(error.in_language(self._language).body())


class ChangedChunks:
    """Chat events through `steps`, which takes a chunk and gives those that take its place.

    `last` gives the chunks that the steps have held back, where the answer ends or has an error next. While the stream
    `waits`, nothing of it comes, until it may `go_on`. Events that no step changes keep their bytes. After an
    exception, the `failure`, all of them do.
    """

    def __init__(
        self,
        steps: Callable[[JsonObject], Iterable[JsonObject]],
        last: Callable[[], Iterable[JsonObject]] = tuple,
        waits: Callable[[], bool] = bool,
    ) -> None:
        self._steps = steps
        self._last = last
        self._waits = waits
        self._late: list[sse.Event] | None = None
        """The events that came while the stream waits; `None`: it doesn't."""
        self._parser = sse.Parser()
        self.failure: Exception | None = None

    def feed(self, data: bytes) -> bytes:
        """Chat events -> chat events."""
        return b"".join(self._taken(event) for event in self._parser.feed(data))

    def finish(self) -> bytes:
        """The chat events for an event that the end of the stream cut off, and for what was held back."""
        last = self._parser.finish()
        sent = self._taken(last) if last else b""
        return sent if self.is_waiting else sent + self._held()

    @property
    def is_waiting(self) -> bool:
        """Whether the stream waits."""
        return self._late is not None

    def go_on(self) -> bytes:
        """The chat events for all that came while the stream waited."""
        late, self._late = self._late or [], None
        return self._held() + b"".join(map(self._changed, late)) + self.finish()

    def _taken(self, event: sse.Event) -> bytes:
        if self._late is not None:
            self._late.append(event)
            return b""
        sent = self._changed(event)
        if self._waits():
            self._late = []
        return sent

    def _changed(self, event: sse.Event) -> bytes:
        data = event.data
        chunk = None if data is None or self.failure is not None else json_body.parse_object(data)
        if data is None or chunk is None or chunk.get("error"):
            ends = data is not None and (sse.is_done(data) or (chunk is not None and bool(chunk.get("error"))))
            return (self._held() if ends else b"") + event.raw
        try:
            chunks = list(self._steps(chunk))
            if chunks == [json_body.parse_object(data)]:
                return event.raw
            return b"".join(event.with_data(json_body.serialise(changed)) for changed in chunks)
        except Exception as error:
            self.failure = error
            return self._held() + event.raw

    def _held(self) -> bytes:
        """The events that were held back."""
        try:
            return b"".join(sse.event(json_body.serialise(chunk)) for chunk in self._last())
        except Exception as error:
            self.failure = self.failure or error
            return b""


class TextWriter(AnswerWriter, Protocol):
    """A writer that takes the text of chunks that differ in nothing else, without the chunks."""

    repeats: str
    """The field of the last chunk's delta with all that it brought; "" if the next chunk has to be fed."""

    def more(self, text: str) -> bytes:
        """The bytes for a chunk that differs from the last one in its text alone."""


class WrittenEvents:
    """Chat events in another format, by its `writer`.

    An error ends them: the endpoint's, an event that is too large to be translated, a missing end of the answer, or a
    `failure`, an exception in the writer.
    """

    def __init__(self, writer: AnswerWriter, language: str = "en") -> None:
        self._language = language
        self._writer = writer
        self._texts: TextWriter | None = cast("TextWriter", writer) if hasattr(writer, "repeats") else None
        self._before, self._after = b"", b""
        """What stands around the text in the last event's data, if one that differs in it alone need not be read."""
        self._parser = sse.Parser()
        self.is_over = False
        """Whether the end of the answer was given."""
        self.failure: Exception | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Chat events -> the bytes for the client."""
        if self._parser.is_empty and data.startswith(b"data: ") and data.endswith(b"\n\n"):
            repeated = self._repeated(data, 6, len(data) - 2)
            if repeated:
                return repeated
        plain = sse.plain_data(data) if self._parser.is_empty and len(data) <= sse.MAX_EVENT else None
        if plain is not None:  # without the parser, which takes half the time
            return [piece for one in plain for piece in self._written_for(one)]
        return [piece for event in self._parser.feed(data) for piece in self._guarded(self._pieces, event)]

    def finish(self, incomplete: ProxyError = INCOMPLETE) -> list[bytes]:
        """The bytes for what the end of the stream cut off, and the error `incomplete` for an end that is missing."""
        last = self._parser.finish()
        sent = self._guarded(self._pieces, last) if last else []
        return sent if self.is_over else [*sent, *self._failed(incomplete.fields())]

    def keep_alive(self) -> list[bytes]:
        """Bytes without content, between two events; none once the answer is over."""
        return self._guarded(lambda writer: writer.keep_alive(), self._writer)

    def _written_for(self, data: bytes) -> list[bytes]:
        """The bytes for the data of an event."""
        return self._repeated(data, 0, len(data)) or self._guarded(self._pieces_of, data)

    def _repeated(self, data: bytes, start: int, end: int) -> list[bytes]:
        """The bytes for an event's data, which isn't read, if it differs from the last event's in its text alone."""
        texts, before, after = self._texts, self._before, self._after
        if not before or texts is None or not texts.repeats:
            return []
        if not data.startswith(before, start) or not data.endswith(after, start, end):
            return []
        text = data[start + len(before) : end - len(after)]
        return [texts.more(text.decode())] if _PLAIN_TEXT.fullmatch(text) else []

    def _guarded[T](self, pieces: Callable[[T], Iterable[bytes]], given: T) -> list[bytes]:
        if self.is_over:
            return []
        try:
            return [piece for piece in pieces(given) if piece]
        except Exception as error:
            self.failure = error
            return self._failed(proxy_errors.STREAM_INCOMPLETE().in_language(self._language).fields())

    def _pieces(self, event: sse.Event) -> Iterable[bytes]:
        if event.opaque:
            return self._failed(proxy_errors.STREAM_EVENT_TOO_LARGE().in_language(self._language).fields())
        data = event.data
        if data is None:
            return [piece for _ in event.comments for piece in self._writer.keep_alive()]
        return self._pieces_of(data)

    def _pieces_of(self, data: bytes) -> Iterable[bytes]:
        if sse.is_done(data):
            self.is_over = True
            return self._writer.finish()
        chunk = json_body.parse_object(data)
        if chunk is None:
            return []  # no client of another format could read it
        error = chunk.get("error")
        if error:
            return self._failed(error if isinstance(error, dict) else {"message": str(error), "type": "upstream_error"})
        written = self._writer.feed(chunk)
        if self._texts is not None and self._texts.repeats:
            self._learn(data, self._texts.repeats)
        return written

    def _learn(self, data: bytes, field: str) -> None:
        """Remember what stands around the text of an event, which is all that the event brought."""
        found = re.findall(rb'"%b"\s*:\s*"' % field.encode(), data)
        before, mark, rest = data.partition(found[0]) if len(found) == 1 else (b"", b"", b"")
        text, quote, after = rest.partition(b'"')
        plain = bool(quote) and b"\\" not in text
        self._before, self._after = (before + mark, quote + after) if plain else (b"", b"")

    def _failed(self, error: JsonObject) -> list[bytes]:
        self.is_over = True
        try:
            return [piece for piece in self._writer.fail(error) if piece]
        except Exception as failure:
            self.failure = failure
            return []


class ToClient:
    """Repaired chat events on their way to the client: through the steps, then into its format.

    `put_back`: puts the values of its request's placeholders into what came through the steps. `heard` is told that.
    """

    def __init__(
        self,
        changed: ChangedChunks | None,
        written: WrittenEvents | None,
        heard: Listeners | None = None,
        put_back: PutBackEvents | None = None,
    ) -> None:
        self._changed = changed
        self._put_back = put_back
        self._written = written
        self._heard = heard

    @property
    def failure(self) -> Exception | None:
        """An exception on the way, after which no more was changed, or the answer ended."""
        stages = (self._changed, self._written, self._heard)
        return next((stage.failure for stage in stages if stage and stage.failure), None)

    @property
    def is_over(self) -> bool:
        """Whether the client has been given the end of the answer, in a format of its own."""
        return self._written is not None and self._written.is_over

    @property
    def is_refused(self) -> bool:
        """Whether it was ended with an error, because of what a call says."""
        return self._put_back is not None and self._put_back.is_refused

    @property
    def may_be_complete(self) -> bool:
        """Whether the client may have the end of an answer that somebody waits for: one in its format, or one heard."""
        return self.is_over or (self._written is None and self._heard is not None and self._heard.is_over)

    def feed(self, data: bytes) -> list[bytes]:
        """Chat events -> the bytes for the client."""
        if self._changed is not None:
            data = self._changed.feed(data)
        if self._put_back is not None:
            data = self._put_back.feed(data)
        if self._heard is not None:
            self._heard.feed(data)
        if self._written is not None:
            return self._written.feed(data)
        return [data] if data else []

    def finish(self, incomplete: ProxyError = INCOMPLETE) -> list[bytes]:
        """What is left to send when the stream has ended; the error `incomplete` for an end that is missing."""
        rest = self._changed.finish() if self._changed is not None else b""
        if self.is_waiting:
            if self._put_back is not None:
                rest = self._put_back.feed(rest)
            return [rest] if rest else []
        return self._finished(rest, incomplete)

    @property
    def is_waiting(self) -> bool:
        """Whether the stream waits before it may end."""
        return self._changed is not None and self._changed.is_waiting and not self.is_refused

    def go_on(self) -> list[bytes]:
        """What is left to send of a stream that waited, and has ended meanwhile."""
        return self._finished(self._changed.go_on() if self._changed is not None else b"", INCOMPLETE)

    def _finished(self, rest: bytes, incomplete: ProxyError) -> list[bytes]:
        if self._put_back is not None:
            rest = self._put_back.feed(rest) + self._put_back.finish()
        if self._heard is not None:
            self._heard.feed(rest)
            self._heard.finish()
        if self._written is not None:
            return [*self._written.feed(rest), *self._written.finish(incomplete)]
        return [rest] if rest else []

    def keep_alive(self) -> list[bytes]:
        """Bytes without content in the client's format; none for chat, and once the answer is over."""
        return [] if self._written is None else self._written.keep_alive()
