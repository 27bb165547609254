"""One try of a call: through the gate, to the endpoint, and its answer to the client once that may be sent on.

`call` decides which tries are made.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from .. import events
from ..circuit import Verdict
from ..counting import bodies
from ..exchange import QUEUED, Exchange, JsonObject, Wasted
from ..fallbacks.reasons import Reason
from ..texts.terminal import say
from ..upstream import paid, retry
from ..upstream.circuit_breaker import host, refusal
from ..upstream.client import Answer, CallFailed, CallTimedOut, HttpClient
from ..upstream.gate import CallPermit, CallRefused, CircuitOpen, Gate
from ..upstream.retry import Retryable
from ..upstream.server_clock import TC3, ServerClocks, is_expired
from ..upstream.signing import Unsigned, UnusableCredentials, signed
from ..upstream.timing import Timing
from ..upstream.told_call import told_of
from ..wire import content_coding, flaws, json_body, proxy_errors, retry_after, usage
from ..wire.content_coding import CodingError, TooLarge
from ..wire.flaws import Flaw
from ..wire.trace_context import new_span_id
from ..workers import Workers
from . import commitment, failures, headers
from .event_stream import EventStream
from .failures import FailedTry
from .job import TRIES_HEADER, AnswerBroken, Client, Headers, Job, RawResponse
from .reading import Reading

MAX_ANSWER = 64 * 2**20
"""Largest whole answer that is held until it is complete, in bytes."""

_FOR_KILLED = RawResponse(502, (), b"")
"""Ends a killed flow: mitmproxy closes its client's connection when an answer begins, and sends nothing of it on."""

logger = logging.getLogger("hunyuan_fix")


type Outcome = RawResponse | Retryable[RawResponse] | None
"""The outcome of one try: an answer to send, a failure that may pass, or `None` if the answer was streamed."""


@dataclass(slots=True)
class Counts:
    """What the relay has done since the start."""

    calls: int = 0
    tries: int = 0
    refused: int = 0
    """Calls that the queue or the circuit breaker ended."""
    broken: int = 0
    """Streams that the endpoint broke off after their first event."""
    abandoned: int = 0
    """Calls whose client left, or whose flow was killed."""
    retries: Counter[str] = field(default_factory=Counter)
    """Why a call was tried again -> how often."""


def _unheard(_status: int) -> None:
    """For a stream whose beginning nobody has to hear of."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What a try sends, and how its answer is read."""

    job: Job
    headers: Headers
    """As they leave (`headers.for_endpoint`)."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Tools:
    """What every try of the relay works with."""

    http_client: HttpClient
    gate: Gate
    counts: Counts
    workers: Workers
    timing: Timing
    clocks: ServerClocks = field(default_factory=ServerClocks)


class Tries:
    """The tries of one call, one at a time; what they send and where their answers go may differ."""

    def __init__(self, tools: Tools, until: float) -> None:
        self._http_client = tools.http_client
        self._gate = tools.gate
        self._counts = tools.counts
        self._workers = tools.workers
        self._timing = tools.timing
        self._clocks = tools.clocks
        self._is_stale = False
        """The endpoint said that the time of the last signature is wrong, and what its own is."""
        self._until = until
        """After it no further try is begun, on the clock of `tools.timing`."""
        self.made = 0
        self.why = ""
        """Why there is another try: why the last one failed, or how the request was changed. For the counts."""
        self.refusal: tuple[int, bytes] = (0, b"")
        """Status and body of the error that the last try has brought; 0 where the endpoint gave none."""
        self.reason: Reason = ""
        """Why the last try has failed, for the call's fallbacks; `""`: it hasn't."""
        self.events: EventStream | None = None
        """The stream of the last try that brought one."""
        self._waited = 0.0
        """Seconds that the try under way has waited for its slot."""
        self._span_id = ""
        """Of the try under way; `""`: traces are off."""
        self._ended: tuple[int, str] = (0, "")
        """How it ended: the status of its answer, and what was wrong (`events.ENDED`)."""
        self._sent_at = 0.0
        """When the try under way was sent, on the clock."""
        self._tried_ms = 0.0
        """Milliseconds that the last try took."""
        self._answer: Answer | None = None
        """The answer to the try under way; `None`: none has begun."""

    async def make(
        self,
        sending: Sending,
        client: Client,
        *,
        again: bool,
        gives_up: bool = True,
        leaves_half: bool = False,
        begun: Callable[[int], None] = _unheard,
    ) -> Outcome:
        """Make one try. An answer that is streamed goes to `client` as it comes, a whole one is returned.

        `again`: it goes ahead of new calls, and waits for its slot until the call's deadline. `gives_up`: the client
        gets the headers of a stream at the deadline, even if it hasn't begun, since nothing is tried again after it.
        `leaves_half`: a stream that isn't opened in half of the time that is left has failed, and isn't tried again.
        `begun` is called with the status before the client gets the first bytes of a stream. Raises `ClientLeft`.
        """
        self._job, self._headers, self._body = sending.job, sending.headers, sending.body
        self._client, self._gives_up, self._begun = client, gives_up, begun
        self._leaves_half = leaves_half
        self.refusal, self.reason = (0, b""), ""
        return await self._try(again=again)

    def marked(self, given: Headers) -> Headers:
        """Headers for the client, with the number of tries where it took more than one."""
        return [*given, (TRIES_HEADER.encode(), str(self.made).encode())] if self.made > 1 else given

    async def _try(self, *, again: bool) -> Outcome:
        try:
            permit = await self._entered(again=again)
        except CallRefused as refused:
            self._counts.refused += 1
            self.reason = "down" if isinstance(refused, CircuitOpen) else "busy"
            return failures.raw(refusal(refused, self._job.profile, self._job.upstream), self._job.language)
        try:
            if not self._job.progress.wanted():
                self._counts.abandoned += 1
                return _FOR_KILLED
            if self.made:
                self._counts.retries[self.why] += 1
            self.made += 1
            self._job.progress.made[self._job.upstream] += 1
            self._tell_try()
            self._counts.tries += 1
            try:
                return await self._sent(permit)
            finally:
                self._tell_end()
        finally:
            permit.leave(Verdict.UNKNOWN)  # counts only if there is no verdict yet: the client left first

    def _tell_try(self) -> None:
        exchange = self._job.exchange
        if exchange is None:
            return
        self._tell_wasted(exchange)
        url = told_of(self._job.url)
        exchange.sent_to, self._sent_at = url["upstream"], self._timing.clock()
        sent: JsonObject = {}
        self._ended = 0, "cancelled"  # unless it comes to another end
        if exchange.trace is not None:
            self._span_id = sent["span_id"] = new_span_id()
        if self.made == 1 or sent:
            sent |= {
                **url,
                "model": exchange.sent_model or exchange.model,
                "bytes": len(self._body),
                "waited_ms": 1000 * self._waited,
            }
        if self._job.purpose:
            if self._span_id:
                exchange.tell(events.CALLED, purpose=self._job.purpose, number=self.made, **sent)
        elif self.made == 1:
            exchange.tell(events.SENT, **sent)
        else:
            exchange.tell(events.RETRIED, number=self.made, reason=self.why, **sent)

    def _tell_wasted(self, exchange: Exchange) -> None:
        """Tell of the try before, if its answer could not be used and has to be paid all the same."""
        if exchange.wasted is not None:
            wasted, exchange.wasted = exchange.wasted, None
            paid.tell(
                exchange,
                "try",
                wasted.used,
                status=self._ended[0],
                ms=self._tried_ms,
                profile=wasted.profile,
                model=wasted.model,
                upstream=wasted.upstream,
                is_estimated=wasted.is_estimated,
            )

    def _waste(self, used: Mapping[str, int]) -> None:
        """Note what an answer used that could not be used; if that is empty, what it may have used."""
        exchange = self._job.exchange
        if exchange is None:
            return
        is_estimated = not used
        if is_estimated:
            exchange.estimated = exchange.estimated or bodies.of_request(self._body)
            received = self._answer.received if self._answer is not None else 0
            said = bodies.of_answer(b"", "", received, streamed=self._job.streamed)
            used = {usage.INPUT: exchange.estimated, usage.OUTPUT: said}
        model = exchange.sent_model or exchange.model
        exchange.wasted = Wasted(dict(used), is_estimated, exchange.profile, model, exchange.sent_to)

    def _waste_of_cut(self) -> None:
        """The same for an answer that broke off."""
        if self._answer is not None and 200 <= self._answer.status < 300 and self._answer.received:
            self._waste({})

    def _tell_end(self) -> None:
        self._tried_ms = 1000 * (self._timing.clock() - self._sent_at)
        if self._span_id and self._job.exchange is not None:
            status, error = self._ended
            self._job.exchange.tell(events.ENDED, span_id=self._span_id, status=status, error=error)

    async def _entered(self, *, again: bool) -> CallPermit:
        """A permit for one try. Raises `CallRefused`."""
        begun, exchange = self._timing.clock(), self._job.exchange
        if exchange is not None:
            exchange.doing, exchange.since = QUEUED, time.time()
        try:
            return await self._gate.enter(
                self._job.upstream,
                self._job.account,
                until=self._until if again else self._job.until,
                ahead=self._job.ahead or again,
                exchange=exchange,
            )
        finally:
            self._waited = self._timing.clock() - begun
            self._job.progress.waited += self._waited
            if exchange is not None:
                exchange.doing, exchange.queued = "", 1000 * self._job.progress.waited

    async def _sent(self, permit: CallPermit) -> Outcome:
        """The outcome of one try; once more with another signature where the endpoint's clock makes that worth it."""
        outcome = await self._sent_once(permit)
        if not self._is_stale:
            return outcome
        outcome = await self._sent_once(permit)
        self._is_stale = False
        return outcome

    async def _sent_once(self, permit: CallPermit) -> Outcome:
        job, self._answer = self._job, None
        try:
            unsigned = Unsigned("POST", job.url, self._traced(), self._body)
            lines = signed(job.profile.signer, unsigned, self._clocks.now(job.url))
        except UnusableCredentials as error:
            self._ended = 0, "not_sent"
            self.reason = "refused"
            return failures.own(proxy_errors.CREDENTIALS_UNUSABLE(why=error), job.language)
        try:
            async with (
                self._in_time() as self._limit,
                self._http_client.stream("POST", job.url, lines, self._body, silence=job.silence) as answer,
            ):
                # At the headers, not at the end of a long stream: other calls may wait for this probe's verdict.
                permit.tell(retry.verdict(answer.status))
                self._answer, self._ended = answer, (answer.status, "cancelled")
                outcome = await self._received(answer)
                if self._ended[1] == "cancelled":
                    self._ended = answer.status, ""
                    if job.profile.signer == TC3 and answer.status < 300:
                        self._clocks.accepted(job.url, headers.value(answer.headers, b"date"))
                return outcome
        except TimeoutError:
            self._ended = self._ended[0], "timeout"
            self._waste_of_cut()
            permit.tell(Verdict.DOWN)
            outcome = self._failed("no answer in time", failures.timed_out(job))
            return outcome.outcome if isinstance(outcome, Retryable) else outcome
        except CallTimedOut as error:
            self._ended = self._ended[0], "timeout"
            self._waste_of_cut()
            permit.tell(retry.failure_verdict(error))
            return self._failed(str(error), failures.timed_out(job))
        except CallFailed as error:
            self._ended = self._ended[0], "unreachable"
            self._waste_of_cut()
            permit.tell(retry.failure_verdict(error))
            return self._failed(str(error), failures.unreached(error, job))

    def _in_time(self) -> asyncio.Timeout:
        """The time in which a stream must be opened. One that is sent after the deadline may take any."""
        left = self._until - self._timing.clock()
        return asyncio.timeout(left / 2 if self._leaves_half and self._job.streamed and left > 0 else None)

    def _traced(self) -> Headers:
        """The headers of the try under way: they name its span."""
        exchange = self._job.exchange
        if exchange is None or exchange.trace is None:
            return self._headers
        named: Headers = exchange.trace.on(self._headers, self._span_id)
        return named

    async def _received(self, answer: Answer) -> Outcome:
        if answer.status >= 400:
            return await self._refused(answer)
        if answer.status >= 300:
            self.reason = "refused"
            body = await _read(answer, MAX_ANSWER)
            return RawResponse(answer.status, headers.for_client(answer.headers), body)
        if not self._job.judges:
            return await self._pass(answer)
        reading = Reading.of(self._job)
        try:
            fallbacks = self._job.fallbacks
            waits = fallbacks is not None and fallbacks.is_left
            events = EventStream(headers.value(answer.headers, b"content-encoding"), reading, waits=waits)
        except CodingError:
            events = None
        if headers.value(answer.headers, b"content-type").lower().startswith("text/event-stream"):
            return await self._stream(answer, events) if events else self._unusable(flaws.DAMAGED, answer)
        # Some streams lack their content type: they are known by their first bytes.
        return await (self._stream(answer, events) if self._job.streamed and events else self._whole(answer))

    async def _pass(self, answer: Answer) -> RawResponse | Retryable[RawResponse] | None:
        """Pass an answer on unchanged: whole, or as it comes where that may be a stream."""
        label = headers.value(answer.headers, b"content-type").lower()
        is_endless = self._job.streamed and not headers.value(answer.headers, b"content-length")
        if not (is_endless or label.startswith("text/event-stream")):
            body = await _read(answer, MAX_ANSWER)
            if len(body) > MAX_ANSWER:
                return self._unusable(flaws.TOO_LARGE, answer)
            return RawResponse(answer.status, headers.for_client(answer.headers), body)
        self._has_begun(answer.status)
        self._client.begin(answer.status, self.marked(headers.for_client(answer.headers)), b"")
        try:
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    await self._client.write(chunk)
        except CallFailed as error:
            raise AnswerBroken from error
        return None

    async def _refused(self, answer: Answer) -> RawResponse | Retryable[RawResponse]:
        try:
            body = await _read(answer, failures.MAX_ERROR)
        except CallFailed:
            body = b""  # the status is enough to decide
        if not self._job.judges and len(body) <= failures.MAX_ERROR:
            return self._failed("", failures.passed(answer.status, answer.headers, body))
        failure = failures.refused(answer.status, answer.headers, body, self._job)
        return self._failed(f"HTTP {answer.status}", failure, answer.headers)

    async def _whole(self, answer: Answer) -> RawResponse | Retryable[RawResponse]:
        return await self._judged(await _read(answer, MAX_ANSWER), answer, answer.headers)

    async def _judged(self, body: bytes, answer: Answer, given: Headers) -> RawResponse | Retryable[RawResponse]:
        """A whole body with the headers `given`: passed on if it is an answer."""
        encoding = headers.value(given, b"content-encoding")
        limit, reading = self._job.max_body, Reading.of(self._job)
        if len(body) > MAX_ANSWER:
            flaw: Flaw | None = flaws.TOO_LARGE
        else:
            flaw = await self._workers.run(lambda _: commitment.flaw(body, encoding, limit, reading), len(body))
        if flaw is not None:
            used = await self._workers.run(lambda _: _used(body, encoding, limit), len(body))
            return self._unusable(flaw, answer, used)
        return RawResponse(answer.status, headers.for_client(given), body)

    async def _stream(self, answer: Answer, events: EventStream) -> Outcome:
        """Hold a stream until it has begun, then pass it on."""
        received = bytearray()
        self.events = events
        held = _Held(self._client, answer.status, self.marked(headers.for_stream(answer.headers)), self._has_begun)
        # At the deadline the headers are sent: nothing is tried again after it, and clients give up after 120 s.
        giving_up = asyncio.get_running_loop().call_at(self._until, self._give_up, held)
        try:
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    if not events.begun:
                        received += chunk
                    data = self._fed(events, chunk)
                    if events.whole and not self._client.begun:
                        giving_up.cancel()  # a whole body is sent when it is complete
                        if len(received) > MAX_ANSWER:
                            return self._unusable(flaws.TOO_LARGE, answer)
                        continue
                    await held.pass_on(data, begun=events.begun)
                    if events.flaw and not self._client.begun:
                        return self._unusable(events.flaw, answer)
            if events.whole and not self._client.begun:
                return await self._judged(bytes(received), answer, headers.as_json(answer.headers))
            await held.pass_on(events.finish(), begun=events.begun)
            if events.flaw and not self._client.begun:
                return self._unusable(events.flaw, answer)
        except (CodingError, TooLarge) as error:
            if not self._client.begun:
                flaw = flaws.TOO_LARGE if isinstance(error, TooLarge) else flaws.DAMAGED
                return self._unusable(flaw, answer)
            await self._broken(events, timed_out=False)
        except CallFailed as error:
            if not self._client.begun:
                raise
            await self._broken(events, timed_out=isinstance(error, CallTimedOut))
        finally:
            giving_up.cancel()
        return None

    def _fed(self, events: EventStream, chunk: bytes) -> bytes:
        """The complete events in the next bytes. An endpoint that is about to answer may take its time."""
        data = events.feed(chunk)
        if events.opened or events.whole:
            self._limit.reschedule(None)
        return data

    def _give_up(self, held: _Held) -> None:
        """Send what there is of a stream, unless its time to begin ends by now: then it has failed."""
        if self._gives_up and self._limit.when() is None:
            held.begin()

    def _has_begun(self, status: int) -> None:
        self._limit.reschedule(None)
        self._begun(status)

    async def _broken(self, events: EventStream, *, timed_out: bool) -> None:
        self._ended = self._ended[0], "stream_broken"
        rest = events.broken(failures.stream_broken(self._job, timed_out=timed_out))
        if not events.settled:
            self._counts.broken += 1
            upstream = host(self._job.upstream)
            if timed_out:
                said = say("{host} fell silent in the middle of an answer", host=upstream)
            else:
                said = say("{host} broke off in the middle of an answer", host=upstream)
            logger.warning("%s", said)
        if rest:
            await self._client.write(rest)

    def _unusable(
        self, flaw: Flaw, answer: Answer, used: Mapping[str, int] | None = None
    ) -> RawResponse | Retryable[RawResponse]:
        """An answer with a `flaw`. `used`: what it says that it used; `None`: it can't be read so far."""
        self._ended = answer.status, "unusable_answer"
        if used or (used is None and flaw.error is None and flaw is not flaws.EMPTY_STREAM):
            self._waste(used or {})
        return self._failed(flaw.what, failures.unusable(flaw, answer.headers, self._job), answer.headers)

    def _failed(self, what: str, failure: FailedTry, given: Headers = ()) -> RawResponse | Retryable[RawResponse]:
        self.refusal, self.reason = failure.refusal, failure.reason
        if self._job.profile.signer == TC3 and is_expired(failure.refusal[1]):
            self._is_stale = self._clocks.refused(self._job.url, headers.value(given, b"date"))
        if not failure.may_pass:
            return failure.response
        self.why = what
        logger.info(
            "%s",
            say(
                "call to {host}: {what} (try {number} of {tries})",
                host=host(self._job.upstream),
                what=what,
                number=self.made,
                tries=self._job.tries,
            ),
        )
        wait = retry_after.seconds(headers.value(given, b"retry-after") or None, self._timing.now())
        return Retryable(what, failure.response, wait)


class _Held:
    """The bytes of a stream that are held back until it has begun."""

    def __init__(self, client: Client, status: int, given: Headers, begun: Callable[[int], None]) -> None:
        self._client = client
        self._begun = begun
        self._status = status
        self._headers = given
        self._bytes = bytearray()

    async def pass_on(self, data: bytes, *, begun: bool) -> None:
        """Send `data`, or hold it until the stream has `begun`."""
        if self._client.begun:
            if data:
                await self._client.write(data)
            return
        self._bytes += data
        if begun:
            self.begin()

    def begin(self) -> None:
        """Send the headers and all that was held."""
        if not self._client.begun:
            self._begun(self._status)
            self._client.begin(self._status, self._headers, bytes(self._bytes))


def _used(body: bytes, encoding: str, limit: int) -> dict[str, int] | None:
    """What a whole answer says that it used; `None` where it breaks off. A page or an error has used nothing."""
    try:
        text = content_coding.unpack(body, encoding, limit)
    except (CodingError, TooLarge):
        return None
    is_cut = text.lstrip()[:1] == b"{" and json_body.parse_object(text) is None
    return None if is_cut else usage.of_body(text)


async def _read(answer: Answer, limit: int) -> bytes:
    """The body of `answer`. Reading stops once there are more than `limit` bytes."""
    body = bytearray()
    async with aclosing(answer.chunks()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                break
    return bytes(body)
