"""A chat answer on its way into another format, or out of one. Sans-I/O: bytes split anywhere in, bytes out.

Between the two stands the house language, whose stream of server-sent events `answers.streams` repairs:

    upstream's events ─▶ FromUpstream ─▶ ChatStream ─▶ ToClient ─▶ client's events
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from .. import dialects, profiles
from ..dialects.base import AnswerWriter, UpstreamDialect
from ..exchange import Exchange, JsonObject
from ..wire import flaws, json_body, proxy_errors, sse
from ..wire.flaws import Flaw


class Steps(Protocol):
    """What is done to an answer after its repair: `pipeline.Pipeline`."""

    @property
    def changes_chunks(self) -> bool:
        """Whether `chunks` may give anything but the chunk itself."""

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Change a whole answer in place; whether it was changed."""

    def chunks(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """The chunks that take the place of one."""


def upstream_of(exchange: Exchange) -> UpstreamDialect:
    """The format that the upstream of an exchange speaks."""
    return dialects.UPSTREAM_DIALECTS[profiles.load(exchange.profile).dialect]


def answer_in(exchange: Exchange, text: bytes) -> Flaw | JsonObject:
    """The answer in the upstream's body `text`, in the house language, or its flaw."""
    upstream = upstream_of(exchange)
    body = None if upstream.is_house else json_body.parse_object(text)
    if body is None:
        return flaws.of_answer(text)
    return flaws.of_answer(json_body.serialise(upstream.answer(body, exchange.note_of(upstream.name))))


def from_upstream(exchange: Exchange) -> FromUpstream | None:
    """What the upstream's events pass first; `None` where they are chat events."""
    upstream = upstream_of(exchange)
    return None if upstream.is_house else FromUpstream(upstream, exchange.note_of(upstream.name))


def to_client(exchange: Exchange, steps: Steps) -> ToClient | None:
    """What chat events pass on their way to the client; `None` where they pass unchanged."""
    dialect = dialects.DIALECTS[exchange.dialect]
    if dialect.is_house and not steps.changes_chunks:
        return None
    return ToClient(dialect.stream(exchange.note_of(dialect.name)), lambda chunk: steps.chunks(exchange, chunk))


class FromUpstream:
    """The events of an upstream that speaks another format, as chat events."""

    def __init__(self, dialect: UpstreamDialect, note: JsonObject) -> None:
        self._dialect = dialect
        self._note = note
        self._parser = sse.Parser()

    def feed(self, data: bytes) -> bytes:
        """Bytes from the upstream -> chat events."""
        return b"".join(self._translated(event) for event in self._parser.feed(data))

    def finish(self) -> bytes:
        """The chat events for an event that the end of the stream cut off."""
        last = self._parser.finish()
        return self._translated(last) if last else b""

    def _translated(self, event: sse.Event) -> bytes:
        data = event.data
        if data is None:
            return event.raw if event.raw[:1] == b":" else b""
        value = json_body.parse_object(data)
        if value is None:
            return event.raw
        chunks = self._dialect.events(value, self._note)
        return b"".join(sse.event(json_body.serialise(chunk)) for chunk in chunks)


class ToClient:
    """Chat events, through the steps that change chunks, in the client's format.

    `steps` takes a chunk and gives those that take its place.
    """

    def __init__(self, writer: AnswerWriter, steps: Callable[[JsonObject], Iterable[JsonObject]]) -> None:
        self._writer = writer
        self._steps = steps
        self._parser = sse.Parser()
        self._over = False

    def feed(self, data: bytes) -> list[bytes]:
        """Chat events -> the bytes for the client."""
        sent: list[bytes] = []
        for event in self._parser.feed(data):
            sent += self._written(event)
        return [piece for piece in sent if piece]

    def finish(self) -> list[bytes]:
        """The bytes for an event that the end of the stream cut off."""
        last = self._parser.finish()
        return [piece for piece in self._written(last) if piece] if last else []

    def _written(self, event: sse.Event) -> list[bytes]:
        if self._over:
            return []
        if event.opaque:
            return self._failed(proxy_errors.STREAM_EVENT_TOO_LARGE().fields())
        data = event.data
        if data is None:
            return self._writer.keep_alive() if event.raw[:1] == b":" else []
        if sse.is_done(data):
            self._over = True
            return self._writer.finish()
        chunk = json_body.parse_object(data)
        if chunk is None:
            return []  # no client of another format could read it
        if chunk.get("error"):
            error = chunk["error"]
            return self._failed(error if isinstance(error, dict) else {"message": str(error), "type": "upstream_error"})
        return [piece for changed in self._steps(chunk) for piece in self._writer.feed(changed)]

    def _failed(self, error: JsonObject) -> list[bytes]:
        self._over = True
        return self._writer.fail(error)
