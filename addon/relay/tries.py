"""One call through the relay: tried until an answer may be passed on, then passed on as it comes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from ..upstream import retry
from ..upstream.circuit_breaker import Verdict, host
from ..upstream.client import Answer, CallFailed, CallTimedOut, Outgoing
from ..upstream.gate import Gate, Passage, TurnedAway
from ..upstream.retry import Setback, persist
from ..upstream.signing import Unsigned, UnusableCredentials, signed
from ..wire import flaws, proxy_errors
from ..wire.content_coding import CodingError, TooLarge
from ..wire.flaws import Flaw
from . import commitment, failures, headers
from .event_stream import EventStream
from .failures import Failure
from .job import TRIES_HEADER, Client, Headers, Job, Reply

MAX_ANSWER = 64 * 2**20
"""Bytes of a whole answer, which is kept until all of it is there."""

_LARGE = 256 * 1024
"""Bytes from which an answer is looked at in a thread: unpacking it takes milliseconds."""

_FOR_NOBODY = Reply(502, (), b"")
"""Ends a killed flow: mitmproxy closes its client's connection when an answer begins, and sends nothing of it on."""

logger = logging.getLogger("hunyuan_fix")


type _Outcome = Reply | Setback[Reply] | None
"""Of one try: an answer to send, a failure that may pass, or `None`: the answer was streamed."""


@dataclass(slots=True)
class Counts:
    """What the relay did since the start."""

    calls: int = 0
    tries: int = 0
    turned_away: int = 0
    """Calls that the queue or the circuit breaker ended."""
    broken: int = 0
    """Streams that the endpoint broke off after their first event."""
    abandoned: int = 0
    """Calls whose client left, or whose flow was killed."""
    retries: Counter[str] = field(default_factory=Counter)
    """Why a call was tried again -> how often."""


class Call:
    """One call. `arrived` are the header lines that came with it, `body` is its body as it is to be sent.

    `sleep` waits between two tries; tests give another.
    """

    def __init__(
        self,
        job: Job,
        arrived: Headers,
        body: bytes,
        *,
        client: Client,
        outgoing: Outgoing,
        gate: Gate,
        counts: Counts,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._job = job
        self._headers = headers.for_endpoint(arrived, streamed=job.streamed)
        self._body = body
        self._client = client
        self._outgoing = outgoing
        self._gate = gate
        self._counts = counts
        self._sleep = sleep
        self._until = time.monotonic() + job.deadline
        self._tries = 0
        self._setback = ""
        self._events: EventStream | None = None
        """The stream that the client gets."""

    async def run(self) -> Reply | None:
        """The answer to send; `None` where it was streamed to the client by now. Raises `ClientLeft`."""
        self._counts.calls += 1
        reply: Reply | None = await persist(self._try, tries=self._job.tries, until=self._until, sleep=self._sleep)
        return Reply(reply.status, self._marked(reply.headers), reply.body) if reply else None

    def cut(self, error: bytes) -> bytes:
        """What to send last to a client whose stream has begun and is cut: an event with `error`, unless it has ended.

        `error` is one line of JSON. For a call whose `run` was cancelled.
        """
        return self._events.broken(error) if self._events else b""

    async def _try(self) -> _Outcome:
        try:
            passage = await self._entered(again=self._tries > 0)
        except TurnedAway as turned_away:
            self._counts.turned_away += 1
            return failures.of_response(turned_away.refusal)
        try:
            if not self._job.course.wanted():
                self._counts.abandoned += 1
                return _FOR_NOBODY
            if self._tries:
                self._counts.retries[self._setback] += 1
            self._tries += 1
            self._counts.tries += 1
            return await self._sent(passage)
        finally:
            passage.leave(Verdict.UNKNOWN)  # where nothing was told: the client left before an answer came

    async def _entered(self, *, again: bool) -> Passage:
        """Leave for one try. Raises `TurnedAway`."""
        begun = time.monotonic()
        try:
            return await self._gate.enter(
                self._job.upstream,
                self._job.account,
                until=self._until if again else self._job.until,
                ahead=self._job.ahead or again,
            )
        finally:
            self._job.course.waited += time.monotonic() - begun

    async def _sent(self, passage: Passage) -> _Outcome:
        job = self._job
        try:
            lines = signed(job.profile.signer, Unsigned("POST", job.url, self._headers, self._body), time.time())
        except UnusableCredentials as error:
            return failures.reply(proxy_errors.CREDENTIALS_UNUSABLE(why=error))
        try:
            async with self._outgoing.stream("POST", job.url, lines, self._body, silence=job.silence) as answer:
                # At once, not at the end of a long stream: a probe's answer decides for everybody who waits.
                passage.tell(retry.verdict(answer.status))
                return await self._received(answer)
        except CallTimedOut as error:
            passage.tell(retry.failure_verdict(error))
            return self._failed(str(error), failures.timed_out())
        except CallFailed as error:
            passage.tell(retry.failure_verdict(error))
            return self._failed(str(error), failures.unreached(error))

    async def _received(self, answer: Answer) -> _Outcome:
        if answer.status >= 400:
            return await self._refused(answer)
        if answer.status >= 300:
            body = await _read(answer, MAX_ANSWER)
            return Reply(answer.status, headers.for_client(answer.headers), body)
        try:
            events = EventStream(headers.value(answer.headers, b"content-encoding"))
        except CodingError:
            events = None
        if headers.value(answer.headers, b"content-type").lower().startswith("text/event-stream"):
            return await self._stream(answer, events) if events else self._unusable(flaws.DAMAGED, answer)
        # Some streams come without their label: what came is known by its first bytes.
        return await (self._stream(answer, events) if self._job.streamed and events else self._whole(answer))

    async def _refused(self, answer: Answer) -> Reply | Setback[Reply]:
        try:
            body = await _read(answer, failures.MAX_ERROR)
        except CallFailed:
            body = b""  # the status is known: what may not be tried again, isn't
        failure = failures.refused(answer.status, answer.headers, body, self._job)
        return self._failed(f"HTTP {answer.status}", failure, answer.headers)

    async def _whole(self, answer: Answer) -> Reply | Setback[Reply]:
        return await self._judged(await _read(answer, MAX_ANSWER), answer, answer.headers)

    async def _judged(self, body: bytes, answer: Answer, lines: Headers) -> Reply | Setback[Reply]:
        """A whole body that came with `lines` as headers: passed on if it is an answer."""
        encoding = headers.value(lines, b"content-encoding")
        if len(body) > MAX_ANSWER:
            flaw: Flaw | None = flaws.TOO_LARGE
        elif len(body) > _LARGE:
            flaw = await asyncio.to_thread(commitment.flaw, body, encoding, self._job.max_body)
        else:
            flaw = commitment.flaw(body, encoding, self._job.max_body)
        if flaw is not None:
            return self._unusable(flaw, answer)
        return Reply(answer.status, headers.for_client(lines), body)

    async def _stream(self, answer: Answer, events: EventStream) -> _Outcome:
        """Hold a stream until it has begun, then pass it on."""
        came = bytearray()
        self._events = events
        held = _Held(self._client, answer.status, self._marked(headers.for_stream(answer.headers)))
        # Clients wait 120 s for the first byte, and from the deadline on nothing would be tried again.
        giving_up = asyncio.get_running_loop().call_at(self._until, held.begin)
        try:
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    if not events.begun:
                        came += chunk
                    data = events.feed(chunk)
                    if events.whole and not self._client.begun:
                        giving_up.cancel()  # a whole body is sent when all of it is there
                        if len(came) > MAX_ANSWER:
                            return self._unusable(flaws.TOO_LARGE, answer)
                        continue
                    await held.pass_on(data, begun=events.begun)
                    if events.flaw and not self._client.begun:
                        return self._unusable(events.flaw, answer)
            if events.whole and not self._client.begun:
                return await self._judged(bytes(came), answer, headers.as_json(answer.headers))
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

    async def _broken(self, events: EventStream, *, timed_out: bool) -> None:
        rest = events.broken(failures.stream_broken(timed_out=timed_out))
        if not events.settled:
            self._counts.broken += 1
            what = "fell silent" if timed_out else "broke off"
            logger.warning("%s %s in the middle of an answer", host(self._job.upstream), what)
        if rest:
            await self._client.write(rest)

    def _unusable(self, flaw: Flaw, answer: Answer) -> Reply | Setback[Reply]:
        return self._failed(flaw.what, failures.unusable(flaw, answer.headers, self._job), answer.headers)

    def _failed(self, what: str, failure: Failure, came: Headers = ()) -> Reply | Setback[Reply]:
        if not failure.may_pass:
            return failure.reply
        self._setback = what
        logger.info("call to %s: %s (try %d of %d)", host(self._job.upstream), what, self._tries, self._job.tries)
        wait = retry.retry_after(headers.value(came, b"retry-after") or None, time.time())
        return Setback(what, failure.reply, wait)

    def _marked(self, lines: Headers) -> Headers:
        return [*lines, (TRIES_HEADER.encode(), str(self._tries).encode())] if self._tries > 1 else lines


class _Held:
    """The bytes of a stream that wait for its beginning."""

    def __init__(self, client: Client, status: int, lines: Headers) -> None:
        self._client = client
        self._status = status
        self._headers = lines
        self._bytes = bytearray()

    async def pass_on(self, data: bytes, *, begun: bool) -> None:
        """Send `data` or hold it; `begun`: the stream has."""
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


async def _read(answer: Answer, limit: int) -> bytes:
    """The body of `answer`, or its first bytes, more than `limit`."""
    body = bytearray()
    async with aclosing(answer.chunks()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                break
    return bytes(body)
