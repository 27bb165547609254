"""One call through the relay: tried until it has an answer that may be sent on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from .. import events
from ..circuit import Verdict
from ..exchange import QUEUED, JsonObject
from ..texts.terminal import say
from ..upstream import retry
from ..upstream.circuit_breaker import host, refusal
from ..upstream.client import Answer, CallFailed, CallTimedOut, HttpClient
from ..upstream.gate import CallPermit, CallRefused, Gate
from ..upstream.retry import Retryable, persist
from ..upstream.server_clock import TC3, ServerClocks, is_expired
from ..upstream.signing import Unsigned, UnusableCredentials, signed
from ..upstream.timing import Timing
from ..upstream.told_call import told_of
from ..wire import flaws, proxy_errors, retry_after, safe_text
from ..wire.content_coding import CodingError, TooLarge
from ..wire.flaws import Flaw
from ..wire.trace_context import new_span_id
from ..workers import Workers
from . import commitment, failures, headers
from .event_stream import EventStream
from .failures import FailedTry
from .job import TRIES_HEADER, AnswerBroken, Client, Headers, Job, Mended, RawResponse
from .reading import Reading

MAX_ANSWER = 64 * 2**20
"""Largest whole answer that is held until it is complete, in bytes."""

_FOR_KILLED = RawResponse(502, (), b"")
"""Ends a killed flow: mitmproxy closes its client's connection when an answer begins, and sends nothing of it on."""

logger = logging.getLogger("hunyuan_fix")


type _Outcome = RawResponse | Retryable[RawResponse] | None
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


class Call:
    """One call, with the client's `request_headers` and its `body`, which is sent unchanged."""

    def __init__(
        self,
        job: Job,
        request_headers: Headers,
        body: bytes,
        *,
        client: Client,
        http_client: HttpClient,
        gate: Gate,
        counts: Counts,
        workers: Workers,
        timing: Timing,
        clocks: ServerClocks,
    ) -> None:
        self._job = job
        self._headers = headers.for_endpoint(request_headers, streamed=job.streamed)
        self._body = body
        self._client = client
        self._http_client = http_client
        self._gate = gate
        self._counts = counts
        self._workers = workers
        self._timing = timing
        self._clocks = clocks
        self._is_stale = False
        """The endpoint said that the time of the last signature is wrong, and what its own is."""
        self._until = timing.clock() + job.deadline
        self._tries = 0
        self._last_failure = ""
        """Why the last try failed, for the counts."""
        self._refusal: tuple[int, bytes] = (0, b"")
        """Status and body of the error that ended the tries; 0 where the endpoint gave none."""
        self._mended: Mended | None = None
        """The mended call, until it is told how it ended."""
        self._events: EventStream | None = None
        """The stream that the client gets."""
        self._waited = 0.0
        """Seconds that the try under way has waited for its slot."""
        self._span_id = ""
        """Of the try under way; `""`: traces are off."""
        self._ended: tuple[int, str] = (0, "")
        """How it ended: the status of its answer, and what was wrong (`events.ENDED`)."""

    async def run(self) -> RawResponse | None:
        """The answer to send; `None` where it was streamed to the client by now. Raises `ClientLeft`."""
        self._counts.calls += 1
        response: RawResponse | None = await persist(
            self._try, tries=self._job.tries, until=self._until, timing=self._timing
        )
        if response is not None and self._job.mend is not None and self._refusal[0]:
            response = await self._mended_try(response)
        return RawResponse(response.status, self._marked(response.headers), response.body) if response else None

    def cut(self, error: bytes) -> bytes:
        """The last bytes for a client whose stream is cut: an event with `error`, unless the answer has ended.

        `error` is one line of JSON. For a call whose `run` was cancelled.
        """
        return self._events.broken(error) if self._events else b""

    async def _mended_try(self, refused: RawResponse) -> RawResponse | None:
        """The answer to one more try, if the refusal says how it may be accepted; `refused` where that doesn't help.

        On the host of a plan there is one further try at most, for whatever reason.
        """
        mend, job = self._job.mend, self._job
        is_last = retry.allowed(self._tries + 1, job.profile) == self._tries
        if mend is None or is_last or self._timing.clock() >= self._until:
            return refused
        try:
            self._mended = mended = await mend(*self._refusal)
        except Exception as error:
            said = say("A refused call could not be mended:")
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
            return refused
        if mended is None:
            return refused
        answer: RawResponse | Retryable[RawResponse] | None = refused
        try:
            if self._timing.clock() < self._until:
                self._job = replace(job, url=mended.url, native=mended.native, note=mended.note, judges=True)
                self._headers = headers.for_endpoint(mended.headers, streamed=job.streamed)
                self._body, self._last_failure, self._refusal = mended.body, "mended", (0, b"")
                answer = await self._try(2)
                if isinstance(answer, RawResponse) and answer.status < 400:
                    self._tell(answer.status)
                elif answer is not None:
                    answer = refused
                    self._tell(self._refusal[0])
        finally:
            self._tell(0)  # it was told by now, unless the client left
        return answer if answer is None or isinstance(answer, RawResponse) else refused

    def _tell(self, status: int) -> None:
        """Tell the mended call, once, how it ended."""
        mended, self._mended = self._mended, None
        if mended is not None:
            mended.ended(status)

    async def _try(self, number: int) -> _Outcome:
        try:
            permit = await self._entered(again=number > 1)
        except CallRefused as refused:
            self._counts.refused += 1
            return failures.raw(refusal(refused, self._job.profile, self._job.upstream), self._job.language)
        try:
            if not self._job.progress.wanted():
                self._counts.abandoned += 1
                return _FOR_KILLED
            if self._tries:
                self._counts.retries[self._last_failure] += 1
            self._tries += 1
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
        sent: JsonObject = {}
        self._ended = 0, "cancelled"  # unless it comes to another end
        if exchange.trace is not None:
            self._span_id = sent["span_id"] = new_span_id()
        if self._tries == 1 or sent:
            sent |= {
                **told_of(self._job.url),
                "model": exchange.sent_model or exchange.model,
                "bytes": len(self._body),
                "waited_ms": 1000 * self._waited,
            }
        if self._tries == 1:
            exchange.tell(events.SENT, **sent)
        else:
            exchange.tell(events.RETRIED, number=self._tries, reason=self._last_failure, **sent)

    def _tell_end(self) -> None:
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

    async def _sent(self, permit: CallPermit) -> _Outcome:
        """The outcome of one try; once more with another signature where the endpoint's clock makes that worth it."""
        outcome = await self._sent_once(permit)
        if not self._is_stale:
            return outcome
        outcome = await self._sent_once(permit)
        self._is_stale = False
        return outcome

    async def _sent_once(self, permit: CallPermit) -> _Outcome:
        job = self._job
        try:
            unsigned = Unsigned("POST", job.url, self._traced(), self._body)
            lines = signed(job.profile.signer, unsigned, self._clocks.now(job.url))
        except UnusableCredentials as error:
            self._ended = 0, "not_sent"
            return failures.own(proxy_errors.CREDENTIALS_UNUSABLE(why=error), job.language)
        try:
            async with self._http_client.stream("POST", job.url, lines, self._body, silence=job.silence) as answer:
                # At the headers, not at the end of a long stream: other calls may wait for this probe's verdict.
                permit.tell(retry.verdict(answer.status))
                self._ended = answer.status, "cancelled"
                outcome = await self._received(answer)
                if self._ended[1] == "cancelled":
                    self._ended = answer.status, ""
                    if job.profile.signer == TC3 and answer.status < 300:
                        self._clocks.accepted(job.url, headers.value(answer.headers, b"date"))
                return outcome
        except CallTimedOut as error:
            self._ended = self._ended[0], "timeout"
            permit.tell(retry.failure_verdict(error))
            return self._failed(str(error), failures.timed_out(job))
        except CallFailed as error:
            self._ended = self._ended[0], "unreachable"
            permit.tell(retry.failure_verdict(error))
            return self._failed(str(error), failures.unreached(error, job))

    def _traced(self) -> Headers:
        """The headers of the try under way: they name its span."""
        exchange = self._job.exchange
        if exchange is None or exchange.trace is None:
            return self._headers
        named: Headers = exchange.trace.on(self._headers, self._span_id)
        return named

    async def _received(self, answer: Answer) -> _Outcome:
        if answer.status >= 400:
            return await self._refused(answer)
        if answer.status >= 300:
            body = await _read(answer, MAX_ANSWER)
            return RawResponse(answer.status, headers.for_client(answer.headers), body)
        if not self._job.judges:
            return await self._pass(answer)
        reading = Reading.of(self._job)
        try:
            events = EventStream(headers.value(answer.headers, b"content-encoding"), reading)
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
        self._client.begin(answer.status, self._marked(headers.for_client(answer.headers)), b"")
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
            return self._unusable(flaw, answer)
        return RawResponse(answer.status, headers.for_client(given), body)

    async def _stream(self, answer: Answer, events: EventStream) -> _Outcome:
        """Hold a stream until it has begun, then pass it on."""
        received = bytearray()
        self._events = events
        held = _Held(self._client, answer.status, self._marked(headers.for_stream(answer.headers)))
        # At the deadline the headers are sent: nothing is tried again after it, and clients give up after 120 s.
        # Not for a mended try: the client gets the first error unless this one brings an answer.
        begin = held.begin if self._mended is None else _nothing
        giving_up = asyncio.get_running_loop().call_at(self._until, begin)
        try:
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    if not events.begun:
                        received += chunk
                    data = self._fed(events, chunk, answer)
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

    def _fed(self, events: EventStream, chunk: bytes, answer: Answer) -> bytes:
        """The complete events in the next bytes; the mended call hears that its answer has begun."""
        data = events.feed(chunk)
        if self._mended is not None and events.begun and not events.flaw:
            self._tell(answer.status)
        return data

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

    def _unusable(self, flaw: Flaw, answer: Answer) -> RawResponse | Retryable[RawResponse]:
        self._ended = answer.status, "unusable_answer"
        return self._failed(flaw.what, failures.unusable(flaw, answer.headers, self._job), answer.headers)

    def _failed(self, what: str, failure: FailedTry, given: Headers = ()) -> RawResponse | Retryable[RawResponse]:
        self._refusal = failure.refusal
        if self._job.profile.signer == TC3 and is_expired(failure.refusal[1]):
            self._is_stale = self._clocks.refused(self._job.url, headers.value(given, b"date"))
        if not failure.may_pass:
            return failure.response
        self._last_failure = what
        logger.info(
            "%s",
            say(
                "call to {host}: {what} (try {number} of {tries})",
                host=host(self._job.upstream),
                what=what,
                number=self._tries,
                tries=self._job.tries,
            ),
        )
        wait = retry_after.seconds(headers.value(given, b"retry-after") or None, self._timing.now())
        return Retryable(what, failure.response, wait)

    def _marked(self, given: Headers) -> Headers:
        return [*given, (TRIES_HEADER.encode(), str(self._tries).encode())] if self._tries > 1 else given


class _Held:
    """The bytes of a stream that are held back until it has begun."""

    def __init__(self, client: Client, status: int, given: Headers) -> None:
        self._client = client
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
            self._client.begin(self._status, self._headers, bytes(self._bytes))


def _nothing() -> None:
    """For a moment at which nothing is to be done."""


async def _read(answer: Answer, limit: int) -> bytes:
    """The body of `answer`. Reading stops once there are more than `limit` bytes."""
    body = bytearray()
    async with aclosing(answer.chunks()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                break
    return bytes(body)
