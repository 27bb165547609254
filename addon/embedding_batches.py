"""Embedding batches: an embeddings request that is too large for one call, sent as several and answered as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx

from addon.cascade import Upstream
from addon.exchange import JsonObject
from addon.outgoing import CallFailed, CallTimedOut, Outgoing
from addon.profiles import Profile
from addon.wire import embeddings, errors, json_body
from addon.wire.errors import Refusal

CONCURRENCY = 3
"""Calls at a time, per request: the legacy endpoint allows an account five in all (1729/111007)."""

_PASSED_HEADERS = ("content-type", "retry-after", "x-request-id")


class _Refused(Exception):
    """A batch was refused, and with it the whole request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self.refusal = refusal


class EmbeddingBatches:
    """Sends the bodies that `rules.embeddings.batches` made, through `outgoing`."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def send(
        self,
        bodies: Sequence[JsonObject],
        upstream: Upstream,
        profile: Profile,
        timeout: float,  # noqa: ASYNC109 - of each call, as everywhere with Outgoing
        concurrency: int = CONCURRENCY,
    ) -> JsonObject | Refusal:
        """The joined answer to `bodies` (at least one), in their order; floats, as they came.

        A batch that fails ends the others at once and is the answer to the whole: the endpoint's error under its
        honest status, 504 after `timeout` seconds for one call, 502 without a usable answer. Cancelling this
        coroutine ends the calls.
        """
        waiting = iter(enumerate(bodies))
        answers: dict[int, JsonObject] = {}

        async def work() -> None:
            for position, body in waiting:
                answers[position] = await self._send_one(body, upstream, profile, timeout)

        workers = [asyncio.create_task(work()) for _ in range(min(concurrency, len(bodies)))]
        try:
            await asyncio.gather(*workers)
        except _Refused as refused:
            return refused.refusal
        finally:
            for worker in workers:
                worker.cancel()
        return embeddings.join([answers[position] for position in range(len(bodies))])

    async def _send_one(
        self,
        body: JsonObject,
        upstream: Upstream,
        profile: Profile,
        timeout: float,  # noqa: ASYNC109
    ) -> JsonObject:
        url = f"{upstream.base_url.rstrip('/')}/embeddings"
        try:
            answer = await self._outgoing.post(url, json_body.serialise(body), upstream.headers, timeout)
        except CallTimedOut:
            raise _Refused(_unreached(504, "did not answer in time", "upstream_timeout")) from None
        except CallFailed:
            raise _Refused(_unreached(502, "could not be reached", "upstream_unreachable")) from None
        return _usable(answer, body, profile)


def _usable(answer: httpx.Response, body: JsonObject, profile: Profile) -> JsonObject:
    """The answer to one batch. Raises `_Refused` for an error and for what isn't a list of as many vectors."""
    if answer.status_code >= 400:
        raise _Refused(_refused(answer, str(body.get("model", "")), profile))
    try:
        parsed = json_body.parse(answer.content)
    except json_body.InvalidJson:
        parsed = None
    if answer.status_code == 200 and isinstance(parsed, dict):
        data = parsed.get("data")
        # A vector too few would shift all that follow onto other texts.
        if isinstance(data, list) and len(data) == len(body["input"]):
            return parsed
    raise _Refused(_unreached(502, "gave no usable answer", "upstream_invalid_answer"))


def _refused(answer: httpx.Response, model_id: str, profile: Profile) -> Refusal:
    honest = errors.honest(answer.status_code, answer.content, answer.headers.get("retry-after"), profile, model_id)
    if honest is not None:
        return honest
    headers = {name: answer.headers[name] for name in _PASSED_HEADERS if name in answer.headers}
    return Refusal(answer.status_code, answer.content, headers)


def _unreached(status: int, what: str, code: str) -> Refusal:
    message = f"The endpoint {what} for one part of this embeddings request, which is too large for one call."
    return errors.refusal(status, message, type="server_error", code=code)
