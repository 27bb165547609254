"""One call through the relay: which tries it takes to get an answer.

Tries of the request as it came; then, where its endpoint has refused it, one more of the mended request. Where all of
these have failed for a reason that another model or endpoint has nothing to do with, the same for each fallback.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from ..fallbacks import reasons
from ..texts.terminal import say
from ..upstream import retry
from ..upstream.retry import Retryable, persist
from ..wire import safe_text
from . import headers
from .job import Client, Elsewhere, Fallbacks, Headers, Job, Mended, RawResponse
from .tries import Outcome, Sending, Tools, Tries

logger = logging.getLogger("hunyuan_fix")

_LEAST_NO_ANSWER = 300
"""Statuses from which on a fallback hasn't answered."""


class Call:
    """One call, with the client's `request_headers` and its `body`, which is sent unchanged."""

    def __init__(self, job: Job, request_headers: Headers, body: bytes, *, client: Client, tools: Tools) -> None:
        self._job = job
        self._sending = Sending(job, headers.for_endpoint(request_headers, streamed=job.streamed), body)
        self._client = client
        self._counts = tools.counts
        self._timing = tools.timing
        self._until = tools.timing.clock() + job.deadline
        self._tries = Tries(tools, self._until)
        self._mended: Mended | None = None
        """The mended call, until it is told how it ended."""

    async def run(self) -> RawResponse | None:
        """The answer to send; `None` where it was streamed to the client by now. Raises `ClientLeft`."""
        self._counts.calls += 1
        response = await self._answered(again=False)
        if self._job.fallbacks is not None:
            response = await self._elsewhere(response, self._job.fallbacks)
        if response is None:
            return None
        return RawResponse(response.status, self._tries.marked(response.headers), response.body)

    @property
    def sent(self) -> Sending:
        """What was sent last: the request as it came, or as it was changed for a further try."""
        return self._sending

    def cut(self, error: bytes) -> bytes:
        """The last bytes for a client whose stream is cut: an event with `error`, unless the answer has ended.

        `error` is one line of JSON. For a call whose `run` was cancelled.
        """
        events = self._tries.events
        return events.broken(error) if events else b""

    async def _answered(self, *, again: bool) -> RawResponse | None:
        """The answer to the request, as it came or mended; `None` where it was streamed.

        `again`: its first try goes ahead of new calls, too.
        """

        async def attempt(number: int) -> Outcome:
            return await self._tries.make(
                self._sending, self._client, again=again or number > 1, leaves_half=self._leaves_half
            )

        response: RawResponse | None = await persist(
            attempt, tries=self._job.tries, until=self._until, timing=self._timing
        )
        if response is not None and self._job.mend is not None and self._tries.refusal[0]:
            response = await self._mended_try(response)
        return response

    @property
    def _leaves_half(self) -> bool:
        """Whether half of the time is for another endpoint."""
        return self._job.fallbacks is not None and self._job.fallbacks.is_left

    async def _elsewhere(self, first: RawResponse | None, fallbacks: Fallbacks) -> RawResponse | None:
        """The answer of the first fallback that has one; `first`, where that is an answer, or none has.

        Nothing of `first` was sent to the client, and nothing of a fallback's failure is.
        """
        response, answered, is_first = first, False, True
        try:
            while response is not None and reasons.leads_on(self._tries.reason, from_first=is_first):
                if self._timing.clock() >= self._until or not self._job.progress.wanted():
                    break
                there = await self._next(fallbacks)
                if there is None:
                    break
                is_first, self._job = False, there.job
                leaving = headers.for_endpoint(there.headers, streamed=there.job.streamed)
                self._sending = Sending(there.job, leaving, there.body)
                self._tries.why = "fallback"
                response = await self._answered(again=True)
                answered = response is None or response.status < _LEAST_NO_ANSWER
                if answered:
                    return response
            return first
        finally:
            has_begun = self._client.begun and not is_first
            fallbacks.ended(answered=answered or has_begun, reason=self._tries.reason)

    async def _next(self, fallbacks: Fallbacks) -> Elsewhere | None:
        try:
            return await fallbacks.next(self._tries.reason, self._job)
        except Exception as error:
            said = say("A fallback could not be prepared:")
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
            return None

    async def _mended_try(self, refused: RawResponse) -> RawResponse | None:
        """The answer to one more try, if the refusal says how it may be accepted; `refused` where that doesn't help.

        On the host of a plan there is one further try at most, for whatever reason.
        """
        mend, job = self._job.mend, self._job
        made = job.progress.made[job.upstream]
        is_last = retry.allowed(made + 1, job.profile) == made
        if mend is None or is_last or self._timing.clock() >= self._until:
            return refused
        try:
            self._mended = mended = await mend(*self._tries.refusal)
        except Exception as error:
            said = say("A refused call could not be mended:")
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
            return refused
        if mended is None:
            return refused
        answer: RawResponse | Retryable[RawResponse] | None = refused
        reason = self._tries.reason
        try:
            if self._timing.clock() < self._until:
                self._sending = Sending(
                    replace(job, url=mended.url, native=mended.native, note=mended.note, judges=True),
                    headers.for_endpoint(mended.headers, streamed=job.streamed),
                    mended.body,
                )
                self._tries.why = "mended"
                # Its stream's headers wait for its first event: the client gets the first error unless there is one.
                answer = await self._tries.make(
                    self._sending,
                    self._client,
                    again=True,
                    gives_up=False,
                    leaves_half=self._leaves_half,
                    begun=self._tell,
                )
                if isinstance(answer, RawResponse) and answer.status < 400:
                    self._tell(answer.status)
                elif answer is not None:
                    answer = refused
                    self._tell(self._tries.refusal[0])
                    if not reasons.leads_on(self._tries.reason, from_first=True):
                        self._tries.reason = reason  # that of the error which the client gets
        finally:
            self._tell(0)  # it was told by now, unless the client left
        return answer if answer is None or isinstance(answer, RawResponse) else refused

    def _tell(self, status: int) -> None:
        """Tell the mended call, once, how it ended."""
        mended, self._mended = self._mended, None
        if mended is not None:
            mended.ended(status)
