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
        self._limit = limit
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
        self._kept += data
        if len(self._kept) > self._limit:
            del self._kept[self._limit :]
            self.cut = True

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
        self._stages = [stage for stage in (self._from_upstream, self._stream, self._to_client) if stage is not None]
        self._encoded = bool(encoding)
        self._unpack = unpacker(encoding)
        self._opening: sse.Opening | None = sse.Opening()
        self._whole = bytearray()
        self._ended = False
        self._passing = False
        self._logged = False
        self._noted = 0

    def __call__(self, data: bytes) -> list[bytes]:
        """A piece of the stream, `b""` at its end -> the bytes to send now, perhaps none."""
        if self._ended:
            return []
        if not data:
            self._ended = True
        if self._encoded:
            data = self._unpacked(data)
        try:
            chunks = _pieces(data) if self._passing else self._sent_for(data)
        except Exception as failure:
            chunks = _pieces(bytes(self._whole) or data)
            self._passing = True
            self._log(failure)
        for chunk in chunks:
            self._keep(chunk)
        return chunks

    def _sent_for(self, data: bytes) -> list[bytes]:
        opening = self._opening
        if opening is not None:
            data = opening.feed(data)
            if opening.whole:
                return self._in_its_place(data)
            if self._ended:
                data += opening.finish()
            if data:
                self._opening = None
        if self._from_upstream is not None:
            data = self._from_upstream.feed(data) + (self._from_upstream.finish() if self._ended else b"")
        chunks = self._stream.feed(data) if data else []
        if self._ended:
            chunks += self._stream.finish()
            self._exchange.tokens = tokens_used(self._stream.usage)
        if len(self._stream.changes) > self._noted:
            self._exchange.note(self._stream.changes[self._noted :])
            self._noted = len(self._stream.changes)
        if self._to_client is not None:
            chunks = [piece for chunk in chunks for piece in self._to_client.feed(chunk)]
            chunks += self._to_client.finish() if self._ended else []
        for stage in self._stages:
            if stage.failure is not None:
                self._log(stage.failure)
        return chunks

    def _log(self, failure: Exception) -> None:
        """Log the stream's first exception; those after it are left out."""
        if not self._logged:
            self._logged = True
            trace = safe_text.traceback_without_text(failure)
            logger.error("A stream could not be repaired and passes unchanged:\n%s", trace)

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
