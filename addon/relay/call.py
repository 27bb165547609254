"""One call through the relay: which tries it takes to get an answer.

Tries of the request as it came; then, where its endpoint has refused it, one more of the mended request.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from ..texts.terminal import say
from ..upstream import retry
from ..upstream.retry import Retryable, persist
from ..wire import safe_text
from . import headers
from .job import Client, Headers, Job, Mended, RawResponse
from .tries import Outcome, Sending, Tools, Tries

logger = logging.getLogger("hunyuan_fix")


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
        response = await self._answered()
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

    async def _answered(self) -> RawResponse | None:
        """The answer to the request, as it came or mended; `None` where it was streamed."""

        async def attempt(number: int) -> Outcome:
            return await self._tries.make(self._sending, self._client, again=number > 1)

        response: RawResponse | None = await persist(
            attempt, tries=self._job.tries, until=self._until, timing=self._timing
        )
        if response is not None and self._job.mend is not None and self._tries.refusal[0]:
            response = await self._mended_try(response)
        return response

    async def _mended_try(self, refused: RawResponse) -> RawResponse | None:
        """The answer to one more try, if the refusal says how it may be accepted; `refused` where that doesn't help.

        On the host of a plan there is one further try at most, for whatever reason.
        """
        mend, job = self._job.mend, self._job
        is_last = retry.allowed(self._tries.made + 1, job.profile) == self._tries.made
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
                    self._sending, self._client, again=True, gives_up=False, begun=self._tell
                )
                if isinstance(answer, RawResponse) and answer.status < 400:
                    self._tell(answer.status)
                elif answer is not None:
                    answer = refused
                    self._tell(self._tries.refusal[0])
        finally:
            self._tell(0)  # it was told by now, unless the client left
        return answer if answer is None or isinstance(answer, RawResponse) else refused

    def _tell(self, status: int) -> None:
        """Tell the mended call, once, how it ended."""
        mended, self._mended = self._mended, None
        if mended is not None:
            mended.ended(status)
