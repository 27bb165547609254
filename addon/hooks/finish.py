"""An exchange's end: its last event, mark and comment, redaction. Each once, on every way out."""

from __future__ import annotations

import time
from typing import cast
from weakref import WeakSet

from mitmproxy import http
from mitmproxy.utils import asyncio_utils

from .. import events
from ..access.rate_limits import RateLimits, estimated_tokens
from ..budgets.spending import Spending
from ..dialects import DIALECTS
from ..exchange import AnswerPlan, Exchange, JsonObject
from ..observe.done import done
from ..pipeline import Pipeline
from ..steps.base import Outcome
from ..views import assembled, marks
from ..views.recent import Recent
from ..wire import json_body, sse, usage
from ..wire.content_coding import CodingError, TooLarge, unpack
from ..workers import Workers
from . import exchanges
from .dispatch import Dispatcher
from .keep_content import ContentKeeping
from .own_call import OwnCalls
from .redaction import Redaction


class Finisher:
    """Ends the exchanges that have begun. Flows that were read from a file have ended already."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        limits: RateLimits,
        workers: Workers,
        spending: Spending,
        content: ContentKeeping,
    ) -> None:
        self._dispatcher = dispatcher
        self._limits = limits
        self._spending = spending
        self._content = content
        self._own_calls = OwnCalls(workers)
        self.recent = Recent()
        self._redaction = Redaction()
        # A flow that was killed isn't live any more when its `error` hook comes.
        self._begun: WeakSet[http.HTTPFlow] = WeakSet()

    def expect(self, flow: http.HTTPFlow) -> None:
        """Remember that `flow` has come in."""
        self._begun.add(flow)

    def finish(self, flow: http.HTTPFlow, outcome: str, pipeline: Pipeline, *, redact: bool) -> None:
        """End the exchange of `flow`; `outcome` is its status or how else it ended."""
        exchange = exchanges.of(flow)
        self._dispatcher.released(flow, exchange)
        if not flow.live and flow not in self._begun:
            return
        if exchange is not None and not exchange.written:
            keep_stream(flow, exchange)
            if exchange.mode == "observe" and exchange.dialect:
                _note_usage(flow, exchange)
            elif not exchange.usage and (seen := getattr(flow.response and flow.response.stream, "seen_usage", None)):
                usage.note(exchange, seen)  # its client left before the last byte
            self._charge(flow, exchange)
            _note_times(flow, exchange)
            marks.mark(flow, exchange)
            exchange.written = True
            ended = _outcome(flow, exchange, outcome)
            pipeline.done(exchange, ended)
            self._own_calls.ended(flow, exchange, ended.status)
            is_told = bool(exchange.profile or exchange.answered) and exchange.listener is not None
            if exchange.profile or exchange.answered:
                self.recent.add(flow, exchange, time.time())
                if exchange.listener is not None:  # not by `tell`, which would copy all of it
                    over = done(exchange, outcome, ended.how, ended.status)
                    exchange.listener(exchange, events.DONE, cast(JsonObject, over))
            # Drop what only the exchange under way needed: mitmweb keeps flows as long as it runs.
            exchange.headers, exchange.plan, exchange.demands, exchange.taught = {}, AnswerPlan(), None, None
            exchange.listener = None
            exchanges.save(flow, exchange)
            if exchange.page is not None:  # before anything is redacted
                self._content.over(flow, exchange, is_kept=is_told)
        if redact:
            self._redaction.redact(flow)

    @property
    def under_way(self) -> list[http.HTTPFlow]:
        """The exchanges with known hosts that haven't ended."""
        known = ((flow, exchanges.of(flow)) for flow in self._begun if flow.live)
        return [flow for flow, exchange in known if exchange and exchange.profile and not exchange.written]

    def _charge(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Count the exchange's tokens against its client's limit."""
        response = flow.response
        is_untouched = bool(self._spending) and not exchange.dialect and _asks_a_model(flow.request, exchange)
        if not (exchange.client or is_untouched) or response is None or _status(response, exchange) >= 400:
            return
        if exchange.answered and not exchange.tokens:
            return  # no endpoint was called; the joined answers of an embeddings request have their usage
        sent = len(flow.request.raw_content or b"") or _length(flow.request)
        received = getattr(response.stream, "passed", 0) or len(response.raw_content or b"")
        tokens = exchange.tokens or estimated_tokens(sent, received, streamed=exchange.streamed)
        if is_untouched:
            self._spending.estimated(exchange.id, exchange.client, tokens)
        if exchange.client:
            charging = self._limits.charge(exchange.client, tokens)
            asyncio_utils.create_task(charging, name="hunyuan-fix charges tokens", keep_ref=True)

    def finish_all(self, pipeline: Pipeline, *, redact: bool) -> None:
        """End the exchanges under way: mitmproxy is about to end, and saves their flows too."""
        for flow in [flow for flow in self._begun if flow.live]:
            self.finish(flow, "the proxy ended", pipeline, redact=redact)
        self._own_calls.end()
        self._redaction.finish()


def _status(response: http.Response, exchange: Exchange) -> int:
    """What the answer means, whatever its status line says."""
    return exchange.error_status or response.status_code


def _note_times(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Note how long the exchange has taken, and how long its endpoint took to begin its answer."""
    request, response = flow.request, flow.response
    last = response.timestamp_end if response is not None else None
    exchange.elapsed = max(0.0, 1000 * ((last or time.time()) - request.timestamp_start))
    if response is not None and not exchange.answered and request.timestamp_end is not None:
        # The addon's work on the answer, a millisecond, counts as if it were done before.
        waited = 1000 * (response.timestamp_start - request.timestamp_end)
        exchange.first_byte = max(0.0, waited - exchange.queued - exchange.milliseconds)
        if first_token_at := getattr(response.stream, "first_token_at", 0.0):
            exchange.first_token = exchange.first_byte + max(0.0, 1000 * (first_token_at - response.timestamp_start))


def _note_usage(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Note what an observed answer used: nothing else has read it. Of a stream as far as it was kept."""
    response = flow.response
    data = response.raw_content if response is not None else None
    if response is None or not data or response.status_code >= 400 or len(data) > _MOST_READ:
        return
    try:
        text = unpack(data, response.headers.get("content-encoding", ""), _MOST_READ)
    except (CodingError, TooLarge):
        return
    body = None if sse.is_stream(text) else json_body.parse_object(text)
    answer = assembled.from_stream(text) if body is None else assembled.from_body(body)
    usage.note(exchange, answer.usage)


def _asks_a_model(request: http.Request, exchange: Exchange) -> bool:
    """Whether a request whose body passes untouched may be a call of a model, and not a file or a count of tokens."""
    if request.method != "POST" or "json" not in request.headers.get("content-type", "").lower():
        return False
    return not (exchange.spoken and DIALECTS[exchange.spoken].house in ("count", "kept"))


_MOST_READ = 1 << 20
"""Bytes of an observed answer that are read for what it used."""


def _length(request: http.Request) -> int:
    """The length of a body that passed untouched, as its header says; 0 where it doesn't."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < _LONGEST_LENGTH else 0


_LONGEST_LENGTH = 15
"""Digits."""


def _outcome(flow: http.HTTPFlow, exchange: Exchange, text: str) -> Outcome:
    status = flow.response.status_code if flow.response else None
    if status is None or flow.error:
        return Outcome("failed", status, text)
    status = exchange.error_status or status
    return Outcome("refused" if exchange.answered and status >= 400 else "answered", status, text)


def keep_stream(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Give a streamed answer the body that was kept of it, for views and files; it went to the client already."""
    stream = flow.response.stream if flow.response else None
    kept = getattr(stream, "kept", None)  # `stream` may be a bool, or another addon's callable
    if flow.response is not None and flow.response.raw_content is None and kept is not None:
        flow.response.raw_content = kept
        exchange.stream_cut = bool(getattr(stream, "cut", False))
