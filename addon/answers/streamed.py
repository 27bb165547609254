"""What mitmproxy calls for each piece of a streamed answer: it keeps the stream, and repairs it."""

from __future__ import annotations

import logging

from ..exchange import Exchange, JsonObject, tokens_used
from ..wire import flaws, safe_text, sse
from ..wire.content_coding import CodingError, TooLarge, unpacker
from ..wire.flaws import Flaw
from . import as_stream, translated
from .streams import ChatStream
from .translated import Steps

EVENT_STREAM = "text/event-stream"

MAX_WHOLE = 16 * 2**20
"""Bytes of a whole body that comes in place of a stream."""

logger = logging.getLogger("hunyuan_fix")


class KeptStream:
    """A callable for mitmproxy's `flow.response.stream` that passes everything on and keeps the first `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = self._room = limit
        self._kept = bytearray()
        self.cut = False
        """There was more than is kept."""

    def __call__(self, data: bytes) -> list[bytes]:
        """A piece of the stream, `b""` at its end -> the bytes to send now, perhaps none."""
        self._keep(data)
        return _pieces(data)

    def _keep(self, data: bytes) -> None:
        if self.cut:
            return
        room = self._room
        if len(data) > room:
            self.cut = True
            data = data[:room]
        self._room = room - len(data)
        self._kept += data

    @property
    def kept(self) -> bytes | None:
        """The bytes that were kept, as the client got them; `None` if none are to be kept."""
        return bytes(self._kept) if self._limit else None


class RepairedStream(KeptStream):
    """A callable for mitmproxy's `flow.response.stream` that repairs a chat stream.

    It never raises and never returns `b""`: an exception would hang the client, an empty chunk would end the
    answer on HTTP/1.1 (docs/facts/mitmproxy.md#stream-exception, docs/facts/mitmproxy.md#empty-chunk).
    `encoding` is the stream's content coding, which is taken off. Raises `CodingError` for an unknown coding.

    A body that comes in place of a stream (a whole answer, an error or a page) becomes a stream, since the headers
    are out already. It passes unchanged if the client asked for no stream.
    """

    def __init__(self, exchange: Exchange, steps: Steps, encoding: str = "", keep: int = 0) -> None:
        super().__init__(keep)
        self._exchange = exchange
        self._stream = ChatStream(exchange.plan)
        self._from_upstream = translated.from_upstream(exchange)
        self._to_client = translated.to_client(exchange, steps)
        self._encoded = bool(encoding)
        self._unpack = unpacker(encoding)
        self._opening = sse.Opening()
        self._whole = bytearray()
        self._ended = False
        self._passing = False
        self._logged = False
        self._noted = 0

    def __call__(self, data: bytes) -> list[bytes]:
        """A piece of the stream, `b""` at its end -> the bytes to send now, perhaps none."""
        chunks = [] if self._ended else self._repaired(data)
        for chunk in chunks:
            self._keep(chunk)
        return chunks

    def _repaired(self, data: bytes) -> list[bytes]:
        self._ended = not data
        if self._encoded:
            data = self._unpacked(data)
        if self._passing:
            return _pieces(data)
        try:
            chunks = self._sent_for(data)
            failure = self._failure
        except Exception as error:
            chunks, failure = _pieces(bytes(self._whole) or data), error
            self._passing = True
        if failure is not None and not self._logged:
            self._logged = True
            logger.error(
                "A stream could not be repaired and passes unchanged:\n%s", safe_text.traceback_without_text(failure)
            )
        return chunks

    def _sent_for(self, data: bytes) -> list[bytes]:
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
        return chunks

    @property
    def _failure(self) -> Exception | None:
        """The first exception on the stream's way, which is dealt with already."""
        if self._from_upstream is not None and self._from_upstream.failure is not None:
            return self._from_upstream.failure
        if self._stream.failure is not None or self._to_client is None:
            return self._stream.failure
        return self._to_client.failure

    def _in_its_place(self, data: bytes) -> list[bytes]:
        """What is sent now of a body that is no stream: nothing until its end, where it becomes one."""
        if not self._exchange.streamed:
            return _pieces(data)
        self._whole += data
        if len(self._whole) > MAX_WHOLE:
            self._ended = True
            answer: Flaw | JsonObject = flaws.TOO_LARGE
        elif self._ended:
            answer = translated.answer_in(self._exchange, bytes(self._whole))
        else:
            return []
        events = as_stream.repaired_events(self._exchange, answer)
        self._whole.clear()
        return [events] if self._to_client is None else self._to_client.feed(events)

    def _unpacked(self, data: bytes) -> bytes:
        try:
            return self._unpack(data)
        except (CodingError, TooLarge) as error:
            why = "it is a thousand times as large unpacked" if isinstance(error, TooLarge) else error
            logger.warning("A stream can't be unpacked and ends here: %s", why)
            self._ended = True
            return b""


def _pieces(data: bytes) -> list[bytes]:
    return [data] if data else []
