"""The client's answer when every try has failed: the endpoint's error, or one of the proxy's own."""

from __future__ import annotations

from dataclasses import dataclass

from ..exchange import Response
from ..fallbacks import reasons
from ..fallbacks.reasons import Reason
from ..upstream.circuit_breaker import host
from ..upstream.client import NOT_TRUSTED, TLS_FAILED, CallFailed
from ..upstream.retry import may_pass
from ..wire import content_coding, json_body, proxy_errors, vendor_errors
from ..wire.content_coding import CodingError, TooLarge
from ..wire.flaws import TOO_LARGE, Flaw
from ..wire.openai_error import ErrorResponse, ProxyError, response_in
from .headers import for_client, value
from .job import OWN_HEADER, Headers, Job, RawResponse
from .reading import Reading

MAX_ERROR = 1 << 20
"""Bytes of an error answer that are read, and that it may unpack to."""

_KEPT_HEADERS = frozenset([b"retry-after", b"x-request-id"])
_OF_THE_BODY = frozenset([b"content-type", b"content-encoding"])
_NEVER_AGAIN = (b"x-should-retry", b"false")

_TYPES = {401: "authentication_error", 403: "permission_error"}
"""OpenAI's types for statuses of the endpoint; for the others `proxy_errors` has them."""


@dataclass(frozen=True, slots=True)
class FailedTry:
    """A try that brought no answer."""

    response: RawResponse
    """What the client gets if there is no other try."""
    may_pass: bool
    refusal: tuple[int, bytes] = (0, b"")
    """Status and body of the endpoint's error, unpacked; 0 where it gave none."""
    reason: Reason = "down"
    """What it means for the call's fallbacks."""


def own(error: ProxyError, language: str = "en", headers: Headers = ()) -> RawResponse:
    """An error of the proxy's own, with `Retry-After` and the request id from the endpoint's `headers`."""
    return raw(error.response(), language, headers)


def raw(made: Response, language: str = "en", headers: Headers = ()) -> RawResponse:
    """The same for an error that is a `Response` already."""
    kept = [(name, text) for name, text in headers if name.lower() in _KEPT_HEADERS]
    named = made.error.reason if isinstance(made, ErrorResponse) else "1"
    own = [(name.encode(), text.encode()) for name, text in {**made.headers, OWN_HEADER: named}.items()]
    made = response_in(language, made)
    return RawResponse(made.status, [*own, *kept], made.body)


def refused(status: int, headers: Headers, body: bytes, job: Job) -> FailedTry:
    """An answer with an error status: JSON passes unchanged, anything else becomes an error of the proxy's own."""
    text = _unpacked(body, value(headers, b"content-encoding"))
    error_text = Reading.of(job).error(status, text)
    passes = may_pass(status, error_text, job.profile, job.model)
    reason = reasons.of_error(status, error_text, job.profile) if job.fallbacks is not None else ""
    if _is_json(text):
        response = RawResponse(status, _advised(for_client(headers), passes), body)
        return FailedTry(response, passes, (status, text), reason)
    error = proxy_errors.UPSTREAM_ERROR(
        number=status, status=status, type=_TYPES.get(status), retry=None if passes else False
    )
    return FailedTry(own(error, job.language, headers), passes, (status, text), reason)


def passed(status: int, headers: Headers, body: bytes) -> FailedTry:
    """An answer with an error status that passes unchanged."""
    text = _unpacked(body, value(headers, b"content-encoding"))
    return FailedTry(RawResponse(status, for_client(headers), body), False, (status, text), "")


def unusable(flaw: Flaw, headers: Headers, job: Job) -> FailedTry:
    """An answer with a status of success and a `flaw`. An error in it is treated as if it had its own status."""
    if flaw.error is not None:
        status = vendor_errors.meant_status(flaw.error, job.profile, job.model)
        plain = [pair for pair in for_client(headers) if pair[0].lower() not in _OF_THE_BODY]
        return refused(status, [*plain, (b"content-type", b"application/json")], flaw.error, job)
    passes = flaw is not TOO_LARGE
    error = proxy_errors.INVALID_ANSWER(flaw=flaw.what, retry=None if passes else False)
    return FailedTry(own(error, job.language, headers), passes, reason="down" if passes else "refused")


def timed_out(job: Job) -> FailedTry:
    """The endpoint was silent for too long."""
    return FailedTry(own(proxy_errors.UPSTREAM_TIMEOUT(where=host(job.upstream)), job.language), may_pass=True)


def unreached(error: CallFailed, job: Job) -> FailedTry:
    """No connection, or one that broke before the answer was there. The error's text names the kind, no address."""
    kind = str(error)
    if error.begun:
        entry = proxy_errors.ANSWER_BROKEN_OFF
    elif gone := vendor_errors.shut_down(job.profile, host(job.upstream)):
        return FailedTry(raw(gone, job.language), may_pass=False)
    elif kind == NOT_TRUSTED:
        # Further tries don't make a certificate trusted, and would only delay the error.
        entry = proxy_errors.UPSTREAM_NOT_TRUSTED
    elif kind == TLS_FAILED:
        entry = proxy_errors.UPSTREAM_TLS_FAILED
    else:
        entry = proxy_errors.UPSTREAM_UNREACHABLE
    return FailedTry(own(entry(kind=kind, where=host(job.upstream)), job.language), may_pass=entry.retry is not False)


def stream_broken(job: Job, *, timed_out: bool) -> bytes:
    """The error (one line of JSON) that ends a stream after its first event."""
    entry = proxy_errors.STREAM_TIMEOUT if timed_out else proxy_errors.STREAM_BROKEN
    return entry().in_language(job.language).body()


def _advised(headers: Headers, passes: bool) -> Headers:
    """`headers`, with `x-should-retry: false` for OpenAI's SDKs if another try is pointless."""
    if passes:
        return headers
    return [*(pair for pair in headers if pair[0].lower() != _NEVER_AGAIN[0]), _NEVER_AGAIN]


def _unpacked(body: bytes, encoding: str) -> bytes:
    try:
        return content_coding.unpack(body, encoding, MAX_ERROR)
    except (CodingError, TooLarge):
        return b""


def _is_json(text: bytes) -> bool:
    """Whether `text` is a JSON object or list."""
    try:
        return isinstance(json_body.parse(text), dict | list)
    except json_body.InvalidJson:
        return False
