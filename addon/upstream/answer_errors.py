"""The endpoint's error answers to the addon's own calls, as the client gets them and as they may pass."""

from __future__ import annotations

from ..exchange import Response
from ..profiles import Profile
from ..wire import retry_after, vendor_errors
from . import retry
from .retry import Retryable

_PASSED_HEADERS = ("content-type", "retry-after", "x-request-id")


def read[T](answer: Response, profile: Profile, model: str, now: float) -> Response | Retryable[T | Response]:
    """An `answer` of status 400 and above: the client's error, retryable where another try may succeed.

    `now`: Unix time, for a `Retry-After` that is a date.
    """
    error = _for_client(answer, profile, model)
    if not retry.may_pass(answer.status, answer.body, profile, model):
        return error
    return Retryable(f"HTTP {answer.status}", error, retry_after.seconds(answer.headers.get("retry-after"), now))


def _for_client(answer: Response, profile: Profile, model: str) -> Response:
    """The endpoint's error under the status that it means, else unchanged but for its headers."""
    translated = vendor_errors.translate_error(
        answer.status, answer.body, answer.headers.get("retry-after"), profile, model
    )
    if translated is not None:
        return translated
    headers = {name: answer.headers[name] for name in _PASSED_HEADERS if name in answer.headers}
    return Response(answer.status, headers, answer.body)
