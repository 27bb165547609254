"""The answer's way back: a stream repaired as it comes, a body repaired whole, an error made honest."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from .. import dialects, profiles
from ..dialects.base import UpstreamDialect
from ..exchange import Change, Exchange, JsonObject, Response, tokens_used
from ..wire import flaws, json_body, rule_names, safe_text, sse, vendor_errors
from ..wire.content_coding import CodingError, TooLarge, is_known, unpack, unpacker
from ..wire.flaws import Flaw
from . import as_stream, whole
from .streams import ChatStream
from .translated import FromUpstream, ToClient

ERROR_RULE = "answer-error"
"""The name under which an error that was given its honest status is noted."""

EVENT_STREAM = "text/event-stream"

MAX_WHOLE = 16 * 2**20
"""Bytes of a whole body that came in a stream's place."""

logger = logging.getLogger("hunyuan_fix")


class Steps(Protocol):
    """What is done to an answer after its repair: `pipeline.Pipeline`."""

    @property
    def changes_chunks(self) -> bool:
        """Whether `chunks` may give anything but the chunk itself."""

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Change a whole answer in place; whether it was changed."""

    def chunks(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """The chunks that take the place of one."""


class KeptStream:
    """A callable for mitmproxy's `flow.response.stream` that passes everything on and keeps the first `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self.cut = False
        """There was more than is kept."""

    def __call__(self, data: bytes) -> list[bytes]:
        """Bytes as they came in, `b""` at the end -> the bytes to send now, perhaps none."""
        self.keep(data)
        return [data] if data else []

    def keep(self, data: bytes) -> None:
        """Keep `data`, as far as there is room."""
        if self.cut:
            return
        room = self._limit - len(self._kept)
        self._kept += data if len(data) <= room else data[:room]
        self.cut = len(data) > room

    @property
    def kept(self) -> bytes | None:
        """What was kept, as it was sent to the client; `None` if nothing is to be kept."""
        return bytes(self._kept) if self._limit else None


class RepairedStream(KeptStream):
    """A callable for mitmproxy's `flow.response.stream` that repairs a chat stream.

    It never raises and never returns `b""`: an exception would hang the client, an empty chunk would end the
    answer on HTTP/1.1 (docs/facts/mitmproxy.md#stream-exception, docs/facts/mitmproxy.md#empty-chunk).
    `encoding` is the stream's content coding, which is taken off. Raises `CodingError` for an unknown coding.

    What comes in a stream's place (a whole answer, an error or a page) becomes a stream, since the headers are out
    already; it passes as it came where the client asked for none.
    """

    def __init__(self, exchange: Exchange, steps: Steps, encoding: str = "", keep: int = 0) -> None:
        super().__init__(keep)
        self._exchange = exchange
        self._stream = ChatStream(exchange.plan)
        upstream = _upstream(exchange)
        self._from_upstream = None if upstream.is_house else FromUpstream(upstream, exchange.note_of(upstream.name))
        self._to_client = _to_client(exchange, steps)
        self._encoded = bool(encoding)
        self._unpack = unpacker(encoding)
        self._opening = sse.Opening()
        self._whole = bytearray()
        self._ended = False
        self._passing = False
        self._logged = False
        self._noted = 0

    def __call__(self, data: bytes) -> list[bytes]:
        """Bytes as they came in, `b""` at the end -> the bytes to send now, perhaps none."""
        chunks = [] if self._ended else self._repaired(data)
        for chunk in chunks:
            self.keep(chunk)
        return chunks

    def _repaired(self, data: bytes) -> list[bytes]:
        self._ended = not data
        if self._encoded:
            data = self._unpacked(data)
        if self._passing:
            return [data] if data else []
        try:
            data = self._opening.feed(data)
            if self._opening.whole:
                return self._in_its_place(data)
            if self._from_upstream is not None:
                data = self._from_upstream.feed(data)
            chunks = self._stream.feed(data) if data else []
            if self._ended:
                rest = self._opening.finish()
                if self._from_upstream is not None:
                    rest = self._from_upstream.feed(rest) + self._from_upstream.finish()
                chunks += self._stream.feed(rest) + self._stream.finish()
                self._exchange.tokens = tokens_used(self._stream.usage)
            if len(self._stream.changes) > self._noted:
                self._exchange.note(self._stream.changes[self._noted :])
                self._noted = len(self._stream.changes)
            if self._to_client is not None:
                chunks = [piece for chunk in chunks for piece in self._to_client.feed(chunk)]
                chunks += self._to_client.finish() if self._ended else []
            failure = self._stream.failure
        except Exception as error:
            chunks, failure = [data] if data else [], error
            self._passing = True
        if failure is not None and not self._logged:
            self._logged = True
            logger.error(
                "A stream could not be repaired and passes as it comes:\n%s", safe_text.traceback_without_text(failure)
            )
        return chunks

    def _in_its_place(self, data: bytes) -> list[bytes]:
        """What is sent now of a body that is no stream: nothing until it ends, where it becomes one."""
        if not self._exchange.streamed:
            return [data] if data else []
        self._whole += data
        if len(self._whole) > MAX_WHOLE:
            self._ended = True
            flaw: Flaw | JsonObject = flaws.TOO_LARGE
        elif self._ended:
            flaw = flaws.of_answer(bytes(self._whole))
        else:
            return []
        self._whole.clear()
        streamed = _streamed(self._exchange, flaw)
        return self._to_client.feed(streamed) if self._to_client is not None else [streamed]

    def _unpacked(self, data: bytes) -> bytes:
        try:
            return self._unpack(data)
        except (CodingError, TooLarge) as error:
            why = "it is a thousand times as large unpacked" if isinstance(error, TooLarge) else error
            logger.warning("A stream can't be unpacked and ends here: %s", why)
            self._ended = True
            return b""


def repaired(exchange: Exchange, steps: Steps, body: bytes, encoding: str, limit: int) -> Response | bytes | None:
    """A whole answer of status 2xx, repaired and without its content coding, or `None` to leave it unchanged.

    A `Response` takes its place: the error that it should have been (the relay judges by the same rules), or, for a
    client that asked for a stream, a stream of what the answer says.
    """
    try:
        text = unpack(body, encoding, limit)
    except TooLarge:
        return None
    except CodingError:
        return _refused(exchange, flaws.DAMAGED) if is_known(encoding) else None
    streamed = exchange.streamed and dialects.DIALECTS[exchange.dialect].house == "chat"
    if streamed and _is_stream(text):
        exchange.note([Change(rule_names.STREAM, "", "a stream without its label")])
        stream = RepairedStream(exchange, steps)
        return Response(200, {"content-type": EVENT_STREAM}, b"".join([*stream(text), *stream(b"")]))
    upstream = _upstream(exchange)
    answer = flaws.of_answer(text) if upstream.is_house else _from_upstream(exchange, text)
    if isinstance(answer, Flaw):
        return _refused(exchange, answer)
    if streamed:
        events = _streamed(exchange, answer)
        to_client = _to_client(exchange, steps)
        body = events if to_client is None else b"".join([*to_client.feed(events), *to_client.finish()])
        return Response(200, {"content-type": EVENT_STREAM}, body)
    changed = _changed(exchange, answer)
    changed = steps.answer(exchange, answer) or changed
    dialect = dialects.DIALECTS[exchange.dialect]
    if dialect.is_house and upstream.is_house:
        return json_body.serialise(answer) if changed else None
    return json_body.serialise(dialect.answer(answer, exchange.note_of(dialect.name)))


def _from_upstream(exchange: Exchange, text: bytes) -> Flaw | JsonObject:
    """The answer of an upstream that speaks another format, in the house language."""
    upstream = _upstream(exchange)
    body = json_body.parse_object(text)
    if body is None:
        return flaws.of_answer(text)
    return flaws.of_answer(json_body.serialise(upstream.answer(body, exchange.note_of(upstream.name))))


def _upstream(exchange: Exchange) -> UpstreamDialect:
    return dialects.UPSTREAM_DIALECTS[profiles.load(exchange.profile).dialect]


def _to_client(exchange: Exchange, steps: Steps) -> ToClient | None:
    """What chat events pass on their way to the client; `None` where they pass as they are."""
    dialect = dialects.DIALECTS[exchange.dialect]
    if dialect.is_house and not steps.changes_chunks:
        return None
    return ToClient(dialect.stream(exchange.note_of(dialect.name)), lambda chunk: steps.chunks(exchange, chunk))


def _is_stream(text: bytes) -> bool:
    opening = sse.Opening()
    return bool(opening.feed(text)) and not opening.whole and b"data:" in text


def _refused(exchange: Exchange, flaw: Flaw) -> Response:
    exchange.note_name(ERROR_RULE)
    return vendor_errors.unusable_answer(flaw, profiles.load(exchange.profile), exchange.model)


def _streamed(exchange: Exchange, answer: Flaw | JsonObject) -> bytes:
    """A whole answer, or what is wrong with it, as chat events."""
    if isinstance(answer, Flaw):
        return as_stream.of_error(_refused(exchange, answer).body)
    _changed(exchange, answer)
    exchange.note([Change(rule_names.STREAM, "", "a whole answer, where a stream was asked for")])
    return as_stream.of_answer(answer)


def _changed(exchange: Exchange, answer: JsonObject) -> bool:
    """Whether a whole answer needed repair, which is done in place."""
    exchange.tokens = tokens_used(answer.get("usage"))
    if dialects.DIALECTS[exchange.dialect].house != "chat":
        return False
    changes = whole.repair_answer(answer, exchange.plan)
    exchange.note(changes)
    return bool(changes)


def honest(exchange: Exchange, status: int, body: bytes, encoding: str, retry_after: str | None) -> Response | None:
    """An error answer with the status that it means, or `None` to leave it unchanged.

    For a client or an upstream of another format the error is always answered anew, in OpenAI's shape.
    """
    try:
        body = unpack(body, encoding, _ERROR_LIMIT)
    except (CodingError, TooLarge):
        return None
    upstream = _upstream(exchange)
    body = upstream.error(status, body)
    meant = vendor_errors.translate_error(status, body, retry_after, profiles.load(exchange.profile), exchange.model)
    if meant is None and not (upstream.is_house and dialects.DIALECTS[exchange.dialect].is_house):
        return Response(status, {"content-type": "application/json"}, body)
    return meant


_ERROR_LIMIT = 1 << 20
"""Bytes of an error body that are looked at."""
