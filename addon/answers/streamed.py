"""The callables that mitmproxy passes a streamed answer through: they keep it, and repair it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from .. import dialects, events
from ..exchange import Change, Exchange, JsonObject
from ..texts.terminal import say
from ..wire import answer_facts, flaws, noted_errors, proxy_errors, rule_names, safe_text, sse, stream_content, usage
from ..wire.content_coding import CodingError, TooLarge, unpacker
from ..wire.flaws import Flaw
from ..wire.openai_error import ProxyError
from . import as_stream, translated
from .streams import ChatStream
from .translated import INCOMPLETE, Steps

EVENT_STREAM = "text/event-stream"

MAX_WHOLE = 16 * 2**20
"""Bytes of a whole body in a stream's place. A larger one is answered with an error."""

logger = logging.getLogger("hunyuan_fix")


class Masked:
    """Bytes that come in pieces, with stars in the place of the proxy's own keys (`Exchange.masked`).

    What may be the beginning of a key is held back until more has come.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._held = b""

    def __call__(self, data: bytes, *, ended: bool) -> bytes:
        """The bytes to send for the next ones."""
        secrets = self._exchange.secrets
        if not secrets:
            return data
        data = self._exchange.masked(self._held + data)
        begun = 0 if ended else max(_begun(data, secret) for secret in secrets)
        self._held = data[len(data) - begun :]
        return data[: len(data) - begun]


def _begun(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of `data` are the beginning of `secret`, which has no white space."""
    if data[-1:].isspace():  # as at the end of every event
        return 0
    return next((size for size in range(min(len(data), len(secret) - 1), 0, -1) if data.endswith(secret[:size])), 0)


class KeptStream:
    """A callable for mitmproxy's `flow.response.stream`: passes all bytes and keeps the first `limit`.

    They pass unchanged but for the proxy's own keys. `exchange`: is told when the client gets the first content of an
    answer, where it `tells`.
    """

    def __init__(self, limit: int, exchange: Exchange | None = None, *, tells: bool = True) -> None:
        self._limit = limit
        self._masked = None if exchange is None else Masked(exchange)
        if not tells:
            exchange = None
        self._told = exchange
        """What is to be told, until it is."""
        self.first_token_at = 0.0
        """When the first content came, in Unix time; 0: none has."""
        self._kept = bytearray()
        self.passed = 0
        """The number of bytes that the client got."""
        self.cut = False
        """Whether there were more bytes than are kept."""

    def __call__(self, data: bytes) -> list[bytes]:
        """Take a piece of the stream, `b""` at its end, and return the pieces to send now, perhaps none."""
        if self._masked is not None:
            data = self._masked(data, ended=not data)
        self._keep(data)
        return _pieces(data)

    def _keep(self, data: bytes) -> None:
        self.passed += len(data)
        if self._told is not None and stream_content.begins(data, self._told.spoken):
            self.first_token_at = time.time()
            self._told.tell(events.FIRST_TOKEN)
            self._told = None
        if self.cut:
            return
        self._kept += data
        if len(self._kept) > self._limit:
            del self._kept[self._limit :]
            self.cut = True

    @property
    def kept(self) -> bytes | None:
        """The first bytes that the client got; `None` if the limit is 0."""
        return bytes(self._kept) if self._limit else None

    @property
    def is_told(self) -> bool:
        """Whether the client knows how the answer ended: it may leave then. `False` where nothing is read."""
        return False


class ClientStream(KeptStream):
    """A callable for mitmproxy's `flow.response.stream` that changes a stream, and keeps what the client gets.

    It never raises and never returns `b""`: an exception would hang the client, an empty chunk would end the
    answer on HTTP/1.1 (docs/facts/mitmproxy.md#stream-exception, docs/facts/mitmproxy.md#empty-chunk).
    `encoding` is the stream's content coding, which is undone. Raises `CodingError` for an unknown coding.

    A whole body in a stream's place (an answer, an error or a page) is sent as a stream, since the client has the
    headers of one already. It passes unchanged if the client didn't ask for a stream.

    `written`: called when the last events are in the client's format, before they are sent. It raises nothing.
    """

    def __init__(
        self, exchange: Exchange, encoding: str = "", keep: int = 0, written: Callable[[], None] | None = None
    ) -> None:
        super().__init__(keep, exchange)
        self._written = written
        self._exchange = exchange
        self._encoded = bool(encoding)
        self._unpack = unpacker(encoding)
        self._opening: sse.Opening | None = sse.Opening()
        self._whole = bytearray()
        self._ended = False
        self._incomplete: ProxyError = INCOMPLETE.in_language(exchange.error_language)
        """The error for an answer without an end."""
        self._passing = False
        self._begun = False
        """The client has had something that isn't the endpoint's."""
        self._logged = False

    def __call__(self, data: bytes) -> list[bytes]:
        """Take a piece of the stream, `b""` at its end, and return the pieces to send now, perhaps none."""
        if self._ended:
            return []
        if not data:
            self._ended = True
        if self._encoded:
            data = self._unpacked(data)
        try:
            chunks = _pieces(data) if self._passing else self._sent_for(data)
        except Exception as failure:
            if self._exchange.has_placeholders:  # a tool that is called with one writes it down: the stream ends here
                self._ended, chunks = True, []
            else:
                chunks = _pieces(bytes(self._whole) or data)
                self._passing = True
            self._log(failure)
        if self._written is not None and self._may_be_complete:
            self._written()
        if self._exchange.secrets and self._masked is not None:
            chunks = _pieces(self._masked(b"".join(chunks), ended=self._ended))
        for chunk in chunks:
            self._keep(chunk)
        return chunks

    def broken(self) -> list[bytes] | None:
        """The last pieces for a client whose stream its endpoint broke off, with the error that says so.

        There is no error where the client has been told the answer's end by then. `None` where no piece can be sent: of
        bytes that pass unchanged the last may be in the middle of an event, or of JSON.
        """
        if self._passes_unchanged:
            return None
        self._incomplete = proxy_errors.STREAM_BROKEN().in_language(self._exchange.error_language)
        last = self(b"")
        if self.is_waiting:
            last += self.go_on()
        return None if self._passes_unchanged else last

    @property
    def is_waiting(self) -> bool:
        """Whether the answer has ended, and its client has to wait for its last pieces: for `go_on`."""
        return False

    def go_on(self) -> list[bytes]:
        """The last pieces of an answer that waited."""
        return []

    def keep_alive(self) -> list[bytes]:
        """The pieces that tell the client, in its format, that the stream goes on: whole events, or comments.

        None in the middle of an event, after the end, and while the body may turn out to be a whole one for a client
        that didn't ask for a stream.
        """
        may_be_whole = self._opening is not None and not self._exchange.streamed
        if (self._ended and not self.is_waiting) or self._passing or may_be_whole:
            return []
        pieces = self._keep_alive_pieces()
        self._begun = self._begun or bool(pieces)
        for piece in pieces:
            self._keep(piece)
        return pieces

    @property
    def _passes_unchanged(self) -> bool:
        whole = self._opening is not None and self._opening.whole
        return self._passing or (whole and not self._exchange.streamed)

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
                if self._begun:
                    data = data.removeprefix(sse.BOM)
        return self._changed(data)

    def _changed(self, data: bytes) -> list[bytes]:
        """The pieces to send for bytes of a stream, and for its end where it has `_ended`."""
        raise NotImplementedError

    @property
    def _may_be_complete(self) -> bool:
        """Whether the pieces to send may have the end of the answer."""
        return True

    def _keep_alive_pieces(self) -> list[bytes]:
        """The pieces for `keep_alive`."""
        return []

    def _log(self, failure: Exception) -> None:
        """Log the first exception of the stream, and no other."""
        if not self._logged:
            self._logged = True
            trace = safe_text.traceback_without_text(failure)
            logger.error("%s\n%s", say("A stream could not be repaired and passes unchanged:"), trace)

    def _in_its_place(self, data: bytes) -> list[bytes]:
        """The pieces to send for a piece of a whole body: none until its end, and then its events."""
        if not self._exchange.streamed:
            return _pieces(data)
        self._whole += data
        if len(self._whole) > MAX_WHOLE:
            self._ended = True
            body = None
        elif self._ended:
            body = bytes(self._whole)
        else:
            return []
        sent = self._as_events(body)
        self._whole.clear()
        return sent

    def _as_events(self, body: bytes | None) -> list[bytes]:
        """The pieces to send for a whole `body` in the stream's place; `None`: it is too large."""
        raise NotImplementedError

    def _unpacked(self, data: bytes) -> bytes:
        try:
            return self._unpack(data)
        except (CodingError, TooLarge) as error:
            why = say("it is a thousand times as large unpacked") if isinstance(error, TooLarge) else error
            logger.warning("%s", say("A stream can't be unpacked and ends here: {why}", why=why))
            self._ended = True
            return b""


class RepairedStream(ClientStream):
    """Repairs a chat stream, which may leave in another format."""

    def __init__(
        self,
        exchange: Exchange,
        steps: Steps,
        encoding: str = "",
        keep: int = 0,
        written: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(exchange, encoding, keep, written)
        self._stream = ChatStream(translated.plan_of(exchange), exchange.error_language)
        self._from_upstream = translated.from_upstream(exchange)
        self._to_client = translated.to_client(exchange, steps)
        self._stages = [stage for stage in (self._from_upstream, self._stream, self._to_client) if stage is not None]
        self._noted = 0

    @property
    def _passes_unchanged(self) -> bool:
        unrepaired = self._stream.broken and dialects.DIALECTS[self._exchange.dialect].is_house
        return unrepaired or super()._passes_unchanged

    @property
    def is_told(self) -> bool:
        """Whether the client has the reason why the answer ended, or an error."""
        if self._to_client is not None and self._to_client.is_waiting:
            return False
        return self._ended or self._is_refused or bool(self._stream.finish_reason or self._stream.first_error)

    @property
    def _is_refused(self) -> bool:
        """Whether the client has an error in the place of what is still to come."""
        return self._to_client is not None and self._to_client.is_refused

    @property
    def seen_usage(self) -> JsonObject | None:
        """What the answer says that it used, by now."""
        return self._stream.usage

    @property
    def is_waiting(self) -> bool:
        """Whether the model is asked once more."""
        return self._ended and self._to_client is not None and self._to_client.is_waiting

    def go_on(self) -> list[bytes]:
        """The last pieces, with what came of that."""
        pieces = [] if self._to_client is None else self._to_client.go_on()
        if self._written is not None:
            self._written()
        for piece in pieces:
            self._keep(piece)
        return pieces

    def _changed(self, data: bytes) -> list[bytes]:
        if self._from_upstream is not None:
            data = self._from_upstream.feed(data) + (self._from_upstream.finish() if self._ended else b"")
        chunks = self._stream.feed(data) if data else []
        if self._ended:
            chunks += self._stream.finish(self._incomplete)
            usage.note(self._exchange, self._stream.usage)
            if answer_facts.are_wanted(self._exchange):
                answer_facts.note(self._exchange, self._stream.facts())
            self._note_failure()
            self._note_unreadable()
        if len(self._stream.changes) > self._noted:
            self._exchange.note(self._stream.changes[self._noted :])
            self._noted = len(self._stream.changes)
        if self._to_client is not None:
            sent = [piece for chunk in chunks for piece in self._to_client.feed(chunk)]
            sent += self._to_client.finish(self._incomplete) if self._ended else []
            chunks = sent if len(sent) < 2 else _pieces(b"".join(sent))  # each piece costs mitmproxy a write
        for stage in self._stages:
            if stage.failure is not None:
                self._log(stage.failure)
        return chunks

    def _note_unreadable(self) -> None:
        """Count an event of the endpoint's that could not be read."""
        if self._from_upstream is not None and self._from_upstream.unreadable:
            self._exchange.note([Change(rule_names.STREAM, "", "an event that can't be read is left out")])

    def _note_failure(self) -> None:
        """Note for the log why the stream failed, if it did."""
        if self._is_refused:
            return
        if self._stream.incomplete is not None:
            noted_errors.own(self._exchange, self._stream.incomplete)
        elif self._stream.first_error is not None:
            noted_errors.in_stream(self._exchange, self._stream.first_error)

    def _as_events(self, body: bytes | None) -> list[bytes]:
        answer: Flaw | JsonObject = flaws.TOO_LARGE if body is None else translated.answer_in(self._exchange, body)
        made = as_stream.repaired_events(self._exchange, answer)
        return [made] if self._to_client is None else self._to_client.feed(made)

    @property
    def _may_be_complete(self) -> bool:
        return self._ended or (self._to_client is not None and self._to_client.may_be_complete)

    def _keep_alive_pieces(self) -> list[bytes]:
        if self._is_refused:
            return []
        if dialects.DIALECTS[self._exchange.dialect].is_house:
            return [sse.COMMENT + b"\n\n"] if self.is_waiting else self._stream.keep_alive()
        return [] if self._to_client is None else self._to_client.keep_alive()


def _pieces(data: bytes) -> list[bytes]:
    return [data] if data else []
