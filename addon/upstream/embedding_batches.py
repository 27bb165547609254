"""Embedding batches: an embeddings request that is too large for one call, sent as several and answered as one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..answers import embeddings
from ..embeddings import overlong
from ..exchange import JsonObject, Response
from ..profiles import Profile
from ..wire import json_body, proxy_errors, vendor_errors
from . import answer_errors
from .calls import Calls, RetriedCall
from .client import CallFailed, CallTimedOut
from .retry import Retryable
from .target import Target

CONCURRENCY = 3
"""Calls at a time, per request: the legacy endpoint allows an account five in all (1729/111007)."""

TRIES = 3
"""Tries for each of them."""

PATIENCE = 60.0
"""Seconds in which each of them must have begun its last try."""


_OF_A_TEXT = frozenset({400, 413, 422, 451})
"""Statuses of errors that may be about one text of a batch."""
_MOST_CUTS = 8
"""How often one text is cut, and sent again."""


class Texts(Protocol):
    """What becomes of the texts of a request while they are sent."""

    tries_alone: bool
    """Each text of a batch that is refused may be sent alone."""

    def answered(self, texts: Sequence[str], answer: JsonObject, sent: Sequence[str]) -> None:
        """The answer for `texts` is there. `sent`: as they were sent: the one text of it may have been cut."""

    def shorter(self, text: str) -> str | None:
        """What to send in the place of a text that was refused as too long; `None`: nothing."""

    def place(self, text: str) -> int:
        """Where it stands in what the client sent."""


class _BatchFailed(Exception):
    """One batch failed for good, and with it the whole request. `response`: the client's answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True, slots=True)
class _Request:
    """What all batches of one request have in common."""

    target: Target
    profile: Profile
    timeout: float
    tries: int
    until: float
    """When, on the clock, the last try must have begun."""
    texts: Texts | None


class EmbeddingBatches:
    """Sends the bodies that `rules.embeddings.batches` made."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def send(
        self,
        bodies: Sequence[JsonObject],
        target: Target,
        profile: Profile,
        timeout: float,  # noqa: ASYNC109 - of each try, without the wait for a slot
        concurrency: int = CONCURRENCY,
        *,
        tries: int = TRIES,
        patience: float = PATIENCE,
        texts: Texts | None = None,
    ) -> JsonObject | Response:
        """The joined answer to `bodies` (at least one), in their order; vectors unchanged.

        A batch whose failure may pass is tried `tries` times; within `patience` seconds the last try of the last one
        has begun. One that fails for good ends the others at once and is the answer to the whole: the endpoint's error
        under the status that it means, 504 after `timeout` seconds for one try, 502 without a usable answer, the gate's
        refusal. Cancelling this coroutine ends the calls.

        With `texts` the inputs are lists of texts. A batch that is refused for what may be one of its texts is sent
        once more, text by text, so that the others are paid for once and the one that it is about is named.
        """
        request = _Request(target, profile, timeout, tries, self._calls.timing.clock() + patience, texts)
        waiting = iter(enumerate(bodies))
        answers: dict[int, JsonObject] = {}

        async def work() -> None:
            for position, body in waiting:
                # Once the first batch is through the others go ahead of new calls: the first is paid for.
                answers[position] = await self._batch(body, request, ahead=position > 0)

        workers = [asyncio.create_task(work()) for _ in range(min(concurrency, len(bodies)))]
        try:
            await asyncio.gather(*workers)
        except _BatchFailed as failed:
            return failed.response
        finally:
            for worker in workers:
                worker.cancel()
        return embeddings.join([answers[position] for position in range(len(bodies))])

    async def _batch(self, body: JsonObject, request: _Request, *, ahead: bool) -> JsonObject:
        """The answer to one batch, if need be to each of its texts. Raises `_BatchFailed`."""
        texts = request.texts
        if texts is None:
            return await self._send_one(body, request, ahead=ahead)
        inputs = body["input"]
        if len(inputs) == 1:
            return await self._alone(body, request, texts, ahead=ahead)
        try:
            answer = await self._send_one(body, request, ahead=ahead)
        except _BatchFailed as failed:
            if not texts.tries_alone or failed.response.status not in _OF_A_TEXT:
                raise
            each = [await self._alone({**body, "input": [text]}, request, texts, ahead=True) for text in inputs]
            return embeddings.join(each)
        texts.answered(inputs, answer, inputs)
        return answer

    async def _alone(self, body: JsonObject, request: _Request, texts: Texts, *, ahead: bool) -> JsonObject:
        """The answer to one text, which is cut where its endpoint refuses it as too long. Raises `_BatchFailed`."""
        (text,) = sent = body["input"]
        for cuts in itertools.count():
            try:
                answer = await self._send_one({**body, "input": sent}, request, ahead=ahead)
            except _BatchFailed as failed:
                may_cut = cuts < _MOST_CUTS and overlong.is_refusal(failed.response)
                cut = texts.shorter(sent[0]) if may_cut else None
                if cut is None:
                    raise _BatchFailed(_naming(failed.response, texts.place(text))) from None
                sent, ahead = [cut], True
            else:
                texts.answered([text], answer, sent)
                return answer
        raise AssertionError("the loop has no end of its own")

    async def _send_one(self, body: JsonObject, request: _Request, *, ahead: bool) -> JsonObject:
        """The answer to one batch. Raises `_BatchFailed`."""
        call: RetriedCall[JsonObject] = RetriedCall(
            name="embeddings call",
            purpose="embeddings",
            target=request.target,
            house="embeddings",
            body=body,
            read=lambda answer: self._read(answer, body, request.profile),
            failed=_unanswered,
            tries=request.tries,
            timeout=request.timeout,
            until=request.until,
            ahead=ahead,
        )
        result = await call.send(self._calls)
        if isinstance(result, Response):
            raise _BatchFailed(result)
        return result

    def _read(
        self, answer: Response, body: JsonObject, profile: Profile
    ) -> JsonObject | Response | Retryable[JsonObject | Response]:
        model = str(body.get("model", ""))
        answer = vendor_errors.as_meant(answer, profile, model)
        if answer.status < 400:
            return _usable(answer, body)
        return answer_errors.read(answer, profile, model, self._calls.timing.now())


def _usable(answer: Response, body: JsonObject) -> JsonObject | Response | Retryable[JsonObject | Response]:
    """The answer to one batch, if it is a list of as many vectors as there are texts in `body`."""
    unusable = proxy_errors.BATCH_INVALID_ANSWER().response()
    if answer.status != 200:
        return unusable
    parsed = json_body.parse_object(answer.body)
    data = None if parsed is None else parsed.get("data")
    # With one vector missing, all later ones would stand for the wrong texts.
    if parsed is not None and isinstance(data, list) and len(data) == len(body["input"]):
        return parsed
    return Retryable("no usable answer", unusable)


def _unanswered(error: CallFailed) -> Response:
    entry = proxy_errors.BATCH_TIMEOUT if isinstance(error, CallTimedOut) else proxy_errors.BATCH_UNREACHABLE
    return entry().response()


def _naming(response: Response, place: int) -> Response:
    """An endpoint's error about one text, with its place in the request where it names none."""
    if response.status not in _OF_A_TEXT:
        return response
    body = json_body.parse_object(response.body)
    error = body.get("error") if body is not None else None
    if body is None or not isinstance(error, dict) or error.get("param"):
        return response
    named = json_body.serialise({**body, "error": {**error, "param": f"input.{place}"}})
    return replace(response, body=named)
