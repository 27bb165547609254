"""The answer's way back: a stream repaired as it comes, a body repaired whole, an error made honest."""

from __future__ import annotations

import logging

from .. import profiles, record
from ..exchange import AnswerPlan, Change, JsonObject, Response
from ..record import Record
from ..wire import flaws, json_body, rule_names, safe_text, sse, vendor_errors
from ..wire.content_coding import CodingError, TooLarge, is_known, unpack, unpacker
from ..wire.flaws import Flaw
from . import as_stream, embeddings, whole
from .streams import ChatStream

ERROR_RULE = "answer-error"
"""The name under which an error that was given its honest status is noted."""

EVENT_STREAM = "text/event-stream"

MAX_WHOLE = 16 * 2**20
"""Bytes of a whole body that came in a stream's place."""

logger = logging.getLogger("hunyuan_fix")


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

    def __init__(self, exchange: Record, encoding: str = "", keep: int = 0) -> None:
        super().__init__(keep)
        self._exchange = exchange
        self._stream = ChatStream(AnswerPlan.from_plain(exchange["plan"]))
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
            chunks = self._stream.feed(data) if data else []
            if self._ended:
                chunks += self._stream.feed(self._opening.finish()) + self._stream.finish()
                self._exchange["tokens"] = tokens_used(self._stream.usage)
            if len(self._stream.changes) > self._noted:
                record.note(self._exchange, self._stream.changes[self._noted :])
                self._noted = len(self._stream.changes)
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
        if not self._exchange["streamed"]:
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
        return [_streamed(self._exchange, flaw)]

    def _unpacked(self, data: bytes) -> bytes:
        try:
            return self._unpack(data)
        except (CodingError, TooLarge) as error:
            why = "it is a thousand times as large unpacked" if isinstance(error, TooLarge) else error
            logger.warning("A stream can't be unpacked and ends here: %s", why)
            self._ended = True
            return b""


def repaired(exchange: Record, body: bytes, encoding: str, limit: int) -> Response | bytes | None:
    """A whole answer of status 2xx, repaired and without its content coding, or `None` to leave it as it came.

    A `Response` is another answer in its place: the error that it should have been (the relay judges by the same
    rules), or, for a client that asked for a stream, a stream with what came.
    """
    try:
        text = unpack(body, encoding, limit)
    except TooLarge:
        return None
    except CodingError:
        return _refused(exchange, flaws.DAMAGED) if is_known(encoding) else None
    streamed = exchange["streamed"] and exchange["endpoint"] == "chat"
    if streamed and _is_stream(text):
        record.note(exchange, [Change(rule_names.STREAM, "", "a stream without its label")])
        stream = RepairedStream(exchange)
        return Response(200, {"content-type": EVENT_STREAM}, b"".join([*stream(text), *stream(b"")]))
    answer = flaws.of_answer(text)
    if isinstance(answer, Flaw):
        return _refused(exchange, answer)
    if streamed:
        return Response(200, {"content-type": EVENT_STREAM}, _streamed(exchange, answer))
    return json_body.serialise(answer) if _changed(exchange, answer) else None


def _is_stream(text: bytes) -> bool:
    opening = sse.Opening()
    return bool(opening.feed(text)) and not opening.whole and b"data:" in text


def _refused(exchange: Record, flaw: Flaw) -> Response:
    record.note_name(exchange, ERROR_RULE)
    return vendor_errors.unusable_answer(flaw, profiles.load(exchange["profile"]), exchange["model"])


def _streamed(exchange: Record, answer: Flaw | JsonObject) -> bytes:
    """A whole answer, or what is wrong with it, as the events that were asked for."""
    if isinstance(answer, Flaw):
        return as_stream.of_error(_refused(exchange, answer).body)
    _changed(exchange, answer)
    record.note(exchange, [Change(rule_names.STREAM, "", "a whole answer, where a stream was asked for")])
    return as_stream.of_answer(answer)


def _changed(exchange: Record, answer: JsonObject) -> bool:
    """Whether a whole answer needed repair, which is done in place."""
    plan = AnswerPlan.from_plain(exchange["plan"])
    exchange["tokens"] = tokens_used(answer.get("usage"))
    if exchange["endpoint"] == "chat":
        changes = whole.repair_answer(answer, plan)
    else:
        changes = embeddings.pack(answer) if plan.base64_embeddings else []
    record.note(exchange, changes)
    return bool(changes)


def tokens_used(usage: object) -> int:
    """What an answer's `usage` says in all; 0 where it says nothing."""
    if not isinstance(usage, dict):
        return 0
    counts = [usage.get(key) for key in ("total_tokens", "prompt_tokens", "completion_tokens")]
    total, prompt, completion = (count if isinstance(count, int) and count > 0 else 0 for count in counts)
    return total or prompt + completion


def honest(exchange: Record, status: int, body: bytes, encoding: str, retry_after: str | None) -> Response | None:
    """An error answer with its honest status, or `None` to leave it as it came."""
    try:
        body = unpack(body, encoding, _ERROR_LIMIT)
    except (CodingError, TooLarge):
        return None
    return vendor_errors.translate_error(
        status, body, retry_after, profiles.load(exchange["profile"]), exchange["model"]
    )


_ERROR_LIMIT = 1 << 20
"""Bytes of an error body that are looked at."""
