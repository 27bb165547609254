"""Chat calls that the addon makes itself for a client's request, tried again while a failure may pass."""

from __future__ import annotations

from typing import Literal

from ..exchange import JsonObject, Response
from ..profiles import Profile
from ..wire import flaws, proxy_errors, vendor_errors
from ..wire.flaws import Flaw
from . import answer_errors
from .calls import Calls, RetriedCall
from .client import CallFailed, CallTimedOut
from .retry import Retryable
from .target import Target


class ChatCalls:
    """Sends chat requests through the gate."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def until(self, seconds: float) -> float:
        """The moment in `seconds`, on the clock of these calls."""
        return self._calls.timing.clock() + seconds

    async def send(
        self,
        body: JsonObject,
        target: Target,
        profile: Profile,
        *,
        tries: int,
        timeout: float,  # noqa: ASYNC109 - of each try, without the wait for a slot
        until: float,
        ahead: bool,
        purpose: Literal["search", "json"] = "search",
    ) -> JsonObject | Response:
        """The whole answer to the chat request `body`, or the client's error.

        `until`: when, on the clock, no further try is begun; `ahead`: the request has had an answer before this one.
        """
        model = str(body.get("model", ""))
        call: RetriedCall[JsonObject] = RetriedCall(
            name="chat call of a search" if purpose == "search" else "chat call for an answer in JSON",
            purpose=purpose,
            target=target,
            house="chat",
            body=body,
            read=lambda answer: self._read(answer, profile, model),
            failed=_unanswered,
            tries=tries,
            timeout=timeout,
            until=until,
            ahead=ahead,
        )
        return await call.send(self._calls)

    def _read(
        self, answer: Response, profile: Profile, model: str
    ) -> JsonObject | Response | Retryable[JsonObject | Response]:
        answer = vendor_errors.as_meant(answer, profile, model)
        if answer.status >= 400:
            return answer_errors.read(answer, profile, model, self._calls.timing.now())
        found = flaws.of_answer(answer.body)
        if isinstance(found, Flaw):
            error = vendor_errors.unusable_answer(found, profile, model)
            return error if found.error is not None else Retryable(found.what, error)
        return found


def _unanswered(error: CallFailed) -> Response:
    entry = proxy_errors.SEARCH_TIMEOUT if isinstance(error, CallTimedOut) else proxy_errors.SEARCH_UNREACHABLE
    return entry().response()
