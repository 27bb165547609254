"""Bodies that are there as a whole: answers are repaired, errors get the status that they mean."""

from __future__ import annotations

import copy

from .. import dialects
from ..exchange import Change, Exchange, Response
from ..masking.put_back import UnknownPlaceholder
from ..wire import flaws, json_body, proxy_errors, rule_names, sse, usage
from ..wire.content_coding import CodingError, TooLarge, is_known, unpack
from ..wire.flaws import Flaw
from . import as_stream, native, translated, whole
from .json_repair.asked import Asked, Wrong
from .streamed import EVENT_STREAM, RepairedStream
from .translated import Steps, plan_of

_JSON = {"content-type": "application/json"}
_ERROR_LIMIT = 1 << 20
"""Bytes of an error body that are looked at."""


def repair_answer(exchange: Exchange, steps: Steps, body: bytes, encoding: str, limit: int) -> Response | bytes | None:
    """As `_repaired`; an error is in the place of an answer whose call has an unknown placeholder."""
    try:
        return _repaired(exchange, steps, body, encoding, limit)
    except UnknownPlaceholder:
        return whole.refused(exchange)


def _repaired(exchange: Exchange, steps: Steps, body: bytes, encoding: str, limit: int) -> Response | bytes | None:
    """An answer of status 2xx, repaired and without its content coding, or `None` to leave it unchanged.

    A `Response` takes its place: the error that it should have been (the relay judges by the same rules), or, for a
    client that asked for a stream, a stream with the answer.
    """
    try:
        text = unpack(body, encoding, limit)
    except TooLarge:
        return whole.error_for(exchange, flaws.TOO_LARGE) if exchange.has_placeholders else None
    except CodingError:
        is_lost = is_known(encoding) or exchange.has_placeholders
        return whole.error_for(exchange, flaws.DAMAGED) if is_lost else None
    if exchange.dialect in dialects.NATIVE:
        return native.repair_answer(exchange, text, steps)
    dialect = dialects.DIALECTS[exchange.dialect]
    streamed = exchange.streamed and dialect.house == "chat"
    if streamed and sse.is_stream(text):
        exchange.note([Change(rule_names.STREAM, "", "a stream without its label")])
        stream = RepairedStream(exchange, steps)
        return Response(200, {"content-type": EVENT_STREAM}, b"".join([*stream(text), *stream(b"")]))
    answer = translated.answer_in(exchange, text)
    if isinstance(answer, Flaw):
        usage.note_body(exchange, text)
        return whole.error_for(exchange, answer)
    if streamed:
        events = as_stream.repaired_events(exchange, answer)
        to_client = translated.to_client(exchange, steps)
        sent = events if to_client is None else b"".join([*to_client.feed(events), *to_client.finish()])
        return Response(200, {"content-type": EVENT_STREAM}, sent)
    changed = whole.repair(exchange, answer)
    changed = steps.answer(exchange, answer) or changed
    if dialect.is_house and translated.upstream_of(exchange).is_house:
        return json_body.serialise(answer) if changed else None
    written = json_body.serialise(dialect.answer(answer, exchange.note_of(dialect.name)))
    # Tencent Cloud's SDK reads an answer of exactly this content type.
    return Response(200, dict(_JSON), written) if dialect.name in dialects.SIGNED else written


def wrong_json(exchange: Exchange, body: bytes, encoding: str, limit: int) -> Wrong | None:
    """The text of a whole answer that isn't the JSON that was asked for; the answer stays as it is."""
    asked: Asked | None = exchange.json
    notes, plan = copy.deepcopy(exchange.notes), plan_of(exchange)
    try:
        text = unpack(body, encoding, limit)
        if asked is None or (exchange.streamed and sse.is_stream(text)):
            return None
        answer = translated.answer_in(exchange, text)
    except (TooLarge, CodingError):
        return None
    finally:
        exchange.notes = notes
    if isinstance(answer, Flaw):
        return None
    whole.repair_answer(answer, plan)
    return asked.find_wrong(answer)


def repair_error(
    exchange: Exchange, status: int, body: bytes, encoding: str, retry_after: str | None
) -> Response | None:
    """An error answer with the status that it means, or `None` to leave it unchanged.

    For a client or an upstream of another format the error is always answered anew, in OpenAI's shape.
    """
    upstream = translated.upstream_of(exchange)
    is_house = upstream.is_house and dialects.DIALECTS[exchange.dialect].is_house
    try:
        body = unpack(body, encoding, _ERROR_LIMIT)
    except (CodingError, TooLarge):
        return None if is_house else proxy_errors.UPSTREAM_ERROR(number=status, status=status).response()
    body = upstream.error(status, body)
    meant = whole.finished(exchange, status, body, retry_after)
    if meant is None and not is_house:
        return Response(status, {"content-type": "application/json"}, body)
    return meant
