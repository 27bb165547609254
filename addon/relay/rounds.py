"""A call whose answer may be cut: further calls that go on, and their answers given to the client as one.

Each round is a `Call` of its own, with its slot and its tries. What a round has brought is paid for: whatever happens
after it, the client gets it, with the finish reason `length` where the answer has no end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..answers.rounds import bounds, question
from ..answers.rounds.said import Said
from ..answers.rounds.settings import HEADER
from ..answers.rounds.stream import SplicedStream
from ..answers.rounds.wanted import Wanted
from ..answers.rounds.whole import WholeAnswer
from ..counting import bodies
from ..counting import text as texts
from ..exchange import JsonObject
from ..rules.base import RuleContext
from ..texts.terminal import say
from ..upstream import paid
from ..upstream.circuit_breaker import host
from ..wire import content_coding, json_body, safe_text, usage
from ..wire.content_coding import CodingError, TooLarge
from ..workers import Checkpoint
from . import headers
from .call import Call
from .job import Client, ClientLeft, Headers, Job, RawResponse
from .reading import Reading
from .tries import Sending, Tools

logger = logging.getLogger("hunyuan_fix")

_LEFT_FOR_SLOT = 30.0
"""Seconds that a further round waits for its slot at most."""


@dataclass(frozen=True, slots=True)
class _Next:
    """A further round, ready to be sent."""

    sending: Sending
    is_completion: bool


class Rounds:
    """One call like `Call`, whose answer is continued as `job.rounds` says."""

    def __init__(self, job: Job, request_headers: Headers, body: bytes, *, client: Client, tools: Tools) -> None:
        assert job.rounds is not None  # noqa: S101 - the relay makes a `Call` where there are none
        self._wanted: Wanted = job.rounds
        self._job = job
        self._tools = tools
        self._clock = tools.timing.clock
        self._ends = tools.timing.clock() + self._wanted.seconds
        self._client = client
        self._stream = SplicedStream(fences=self._wanted.fences)
        self._first = Call(job, request_headers, body, client=_FirstRound(client, self._stream), tools=tools)
        self._is_first = True

    async def run(self) -> RawResponse | None:
        """The answer to send; `None` where it was streamed to the client by now. Raises `ClientLeft`."""
        response = await self._first.run()
        if response is not None:
            return await self._whole(response)
        await self._streamed()
        return None

    def cut(self, error: bytes) -> bytes:
        """The last bytes for a client whose stream is cut because the process ends: see `Call.cut`.

        Where a further round was under way the answer ends as cut, without an error.
        """
        if self._is_first:
            last = self._stream.feed(self._first.cut(error))
            return last + self._stream.end_round() + self._stream.finish()
        return self._stream.end_round() + self._stream.finish()

    # Streams

    async def _streamed(self) -> None:
        stream = self._stream
        await self._write(stream.end_round())
        while stream.is_cut and (following := await self._next(stream.said)) is not None:
            self._is_first = False
            await self._write(stream.go_on(is_completion=following.is_completion))
            call = _OwnCall(self._job, following, self._clock)
            try:
                refused = await self._made(following, _FurtherRound(self._client, stream), self._ends - self._clock())
                await self._write(stream.end_round())
                call.ended(200 if refused is None else refused.status)
            finally:
                call.tell(stream.said.used_now, stream.said.text_now)
            self._note(stream.said, has_ended=bool(stream.said.reason))
        await self._write(stream.finish())

    async def _write(self, data: bytes) -> None:
        if data:
            await self._client.write(data)

    # Whole answers

    async def _whole(self, response: RawResponse) -> RawResponse:
        if response.status != 200 or self._job.streamed:
            return response
        answer = await self._read(response)
        if answer is None:
            return response
        whole = WholeAnswer(answer, fences=self._wanted.fences)
        while whole.said.is_cut and (following := await self._next(whole.said)) is not None:
            self._is_first = False
            call, used = _OwnCall(self._job, following, self._clock), None
            try:
                further = await self._made(following, _NoClient(), None)
                added = await self._read(further) if further is not None and further.status == 200 else None
                is_added = added is not None and whole.add(added, is_completion=following.is_completion)
                used = usage.of_answer(added) if added is not None else None
                call.ended(further.status if further is not None else 0, is_summed=is_added)
            finally:
                call.tell(used or {}, "")
            if not is_added:
                self._wanted.ended = "failed"
                break
            self._note(whole.said, has_ended=True)
        if whole.said.rounds == 1:
            return response
        kept = [pair for pair in response.headers if pair[0].lower() not in (b"content-encoding", HEADER.encode())]
        kept.append((HEADER.encode(), f"rounds={whole.said.rounds}".encode()))
        joined = whole.joined()
        body = await self._tools.workers.run(lambda _: json_body.serialise(joined), len(response.body))
        return RawResponse(response.status, kept, body)

    async def _read(self, response: RawResponse) -> JsonObject | None:
        """The body of a whole answer; `None` where it is no JSON object, or too large to be unpacked."""
        encoding, limit = headers.value(response.headers, b"content-encoding"), self._job.max_body

        def read(_: Checkpoint) -> JsonObject | None:
            try:
                return json_body.parse_object(content_coding.unpack(response.body, encoding, limit))
            except (CodingError, TooLarge):
                return None

        return await self._tools.workers.run(read, len(response.body))

    # A further round

    async def _next(self, said: Said) -> _Next | None:
        """The request of the next round; `None` where there is none, which `wanted.ended` says."""
        exchange, sent = self._job.exchange, self._first.sent
        if exchange is not None and exchange.rounds is not self._wanted:
            if exchange.rounds is None:
                return None  # it went to another endpoint, where that isn't wanted
            self._wanted = exchange.rounds
        wanted, context = self._wanted, exchange.demands if exchange is not None else None
        wanted.ended = ""
        if sent.job.native or not Reading.of(sent.job).is_house or not isinstance(context, RuleContext):
            wanted.ended = "format"
        elif said.rounds >= wanted.rounds:
            wanted.ended = "rounds"
        elif self._clock() >= self._ends or not self._job.progress.wanted():
            wanted.ended = "seconds"
        if wanted.ended or not isinstance(context, RuleContext):
            return None
        known, upstream = context, host(sent.job.upstream)

        def prepared(checkpoint: Checkpoint) -> tuple[bytes, bool] | str:
            body = json_body.parse_object(sent.body)
            if body is None or not isinstance(body.get("messages"), list) or not body["messages"]:
                return "format"
            limit = bounds.limit(wanted, body, said, known, upstream)
            if isinstance(limit, str):
                return limit
            made = question.further(body, known, said.text, said.reasoning, limit=limit.tokens, checkpoint=checkpoint)
            return json_body.serialise(made.body), made.is_completion

        try:
            found = await self._tools.workers.run(prepared, len(sent.body) + said.length)
        except Exception as error:
            logger.error("%s\n%s", say("An answer could not be continued:"), safe_text.traceback_without_text(error))
            found = "failed"
        if isinstance(found, str):
            wanted.ended = found
            return None
        now = self._clock()
        job = replace(
            sent.job,
            ahead=True,
            until=now + min(_LEFT_FOR_SLOT, self._ends - now),
            deadline=self._ends - now,
            mend=None,
            fallbacks=None,
            rounds=None,
            purpose="continuation",
        )
        return _Next(Sending(job, sent.headers, found[0]), found[1])

    async def _made(self, following: _Next, client: Client, seconds: float | None) -> RawResponse | None:
        """Make a further round; its answer, if that is whole. `seconds`: after them it is ended."""
        sending = following.sending
        call = Call(sending.job, sending.headers, sending.body, client=client, tools=self._tools)
        try:
            async with asyncio.timeout(seconds):
                return await call.run()
        except TimeoutError:
            self._wanted.ended = "seconds"
        except ClientLeft:
            raise
        except Exception as error:
            logger.error("%s\n%s", say("An answer could not be continued:"), safe_text.traceback_without_text(error))
        return None

    def _note(self, said: Said, *, has_ended: bool) -> None:
        """Note what came of a further round."""
        wanted = self._wanted
        if said.has_text or (has_ended and not said.is_readable):
            wanted.made += 1
        if not has_ended:
            wanted.ended = wanted.ended or "failed"
        elif not said.has_text and said.is_readable:
            wanted.ended = "nothing"


class _OwnCall:
    """Tells of a further round what it used (`events.PAID`), on every way out."""

    def __init__(self, job: Job, following: _Next, clock: Callable[[], float]) -> None:
        self._exchange = job.exchange
        # The exchange is over by now where its client has left.
        self._listener = job.exchange.listener if job.exchange is not None else None
        self._body = following.sending.body
        self._clock = clock
        self._began = clock()
        self._status = 0
        self._is_cancelled = True
        self._is_summed = True

    def ended(self, status: int, *, is_summed: bool = True) -> None:
        """It ended with `status`. `is_summed`: its usage is a part of what the client is told."""
        self._status, self._is_cancelled, self._is_summed = status, False, is_summed

    def tell(self, told: JsonObject, text: str) -> None:
        """Tell it: `told` is its usage as it says itself, `text` what came of a stream.

        What the endpoint doesn't say is estimated, unless it has refused the call.
        """
        exchange = self._exchange
        if exchange is None:
            return
        used, wasted, exchange.wasted = usage.counted(told), exchange.wasted, None
        is_estimated = not used and (self._is_cancelled or wasted is not None or 200 <= self._status < 300)
        if is_estimated:
            estimate = {usage.INPUT: bodies.of_request(self._body), usage.OUTPUT: texts.rough([text])}
            used = wasted.used if wasted is not None and not text else estimate
        paid.tell(
            exchange,
            "continuation",
            used,
            status=self._status,
            ms=1000 * (self._clock() - self._began),
            is_estimated=is_estimated,
            is_cancelled=self._is_cancelled,
            is_summed=self._is_summed and not is_estimated,
            listener=self._listener,
        )


class _FirstRound:
    """The client of the first round: gets its stream, without the end where that is cut."""

    def __init__(self, client: Client, stream: SplicedStream) -> None:
        self._client = client
        self._stream = stream

    @property
    def begun(self) -> bool:
        """See `Client`."""
        return self._client.begun

    def begin(self, status: int, headers: Headers, data: bytes) -> None:
        """See `Client`."""
        self._client.begin(status, headers, self._stream.feed(data))

    async def write(self, data: bytes) -> None:
        """See `Client`."""
        if passed := self._stream.feed(data):
            await self._client.write(passed)

    def put(self, data: bytes) -> None:
        """See `Client`."""
        if passed := self._stream.feed(data):
            self._client.put(passed)

    def end(self, last: bytes = b"") -> None:
        """See `Client`."""
        raise NotImplementedError

    def send(self, response: RawResponse) -> None:
        """See `Client`."""
        raise NotImplementedError

    def drop(self) -> None:
        """See `Client`."""
        raise NotImplementedError


class _FurtherRound(_FirstRound):
    """The client of a further round, for which headers are there by now: its tries begin before its own first byte."""

    begun = False

    def begin(self, status: int, headers: Headers, data: bytes) -> None:
        """See `Client`."""
        self.begun = True
        self.put(data)


class _NoClient(_FirstRound):
    """The client of a further round whose answer is whole: it gets nothing by itself."""

    begun = False

    def __init__(self) -> None:
        """A whole answer is returned."""

    def begin(self, status: int, headers: Headers, data: bytes) -> None:
        """See `Client`."""
        self.begun = True

    async def write(self, data: bytes) -> None:
        """See `Client`."""
