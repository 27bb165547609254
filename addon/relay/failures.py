"""What the client gets where no try brought an answer: the endpoint's own error, or one of ours."""

from __future__ import annotations

from dataclasses import dataclass

from ..exchange import Response
from ..upstream.client import NOT_TRUSTED, TLS_FAILED, CallFailed
from ..upstream.retry import may_pass
from ..wire import content_coding, json_body, proxy_errors
from ..wire.content_coding import CodingError, TooLarge
from ..wire.flaws import TOO_LARGE, Flaw
from .headers import for_client, value
from .job import OWN_HEADER, Headers, Job, Reply

MAX_ERROR = 1 << 20
"""Bytes of an error answer that are read, and that it may unpack to."""

_KEPT_HEADERS = frozenset([b"retry-after", b"x-request-id"])
_NEVER_AGAIN = (b"x-should-retry", b"false")

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that brought no answer."""

    reply: Reply
    """What the client gets if there is no other try."""
    may_pass: bool


def reply(refusal: Response, headers: Headers = ()) -> Reply:
    """An error of the proxy's own, with what `headers` say about trying again and the endpoint's request id."""
    kept = [(name, text) for name, text in headers if name.lower() in _KEPT_HEADERS]
    own = [(name.encode(), text.encode()) for name, text in {**refusal.headers, OWN_HEADER: "1"}.items()]
    return Reply(refusal.status, [*own, *kept], refusal.body)


def refused(status: int, headers: Headers, body: bytes, job: Job) -> Failure:
    """An answer with an error status: JSON passes as it came, anything else becomes an error of the proxy's own."""
    text = _unpacked(body, value(headers, b"content-encoding"))
    passes = may_pass(status, text, job.profile, job.model)
    if _json(text) is not None:
        return Failure(Reply(status, _advised(for_client(headers), passes), body), passes)
    refusal = proxy_errors.refusal(
        status,
        f"The endpoint answered HTTP {status} with something that is no JSON.",
        type=_type(status),
        code="upstream_error",
        retry=None if passes else False,
    )
    return Failure(reply(refusal, headers), passes)


def unusable(flaw: Flaw, headers: Headers, job: Job) -> Failure:
    """A success that is no answer. An error in it is read as if it had come with the status that it means."""
    if flaw.error is not None:
        status = proxy_errors.meant_status(flaw.error, job.profile, job.model)
        plain = [line for line in for_client(headers) if line[0].lower() not in _OF_THE_BODY]
        return refused(status, [*plain, (b"content-type", b"application/json")], flaw.error, job)
    passes = flaw is not TOO_LARGE
    return Failure(reply(proxy_errors.invalid_answer(flaw.what, retry=None if passes else False), headers), passes)


_OF_THE_BODY = frozenset([b"content-type", b"content-encoding"])


def timed_out() -> Failure:
    """The endpoint was silent for too long."""
    return _passing(504, "The endpoint did not answer in time.", "upstream_timeout")


def unreached(error: CallFailed) -> Failure:
    """No connection, or one that broke before the answer was there. The error's text names the kind, no address."""
    kind = str(error)
    if error.begun:
        return _passing(502, f"The endpoint broke off its answer ({kind}).", "upstream_invalid_answer")
    if kind == NOT_TRUSTED:
        # No number of tries makes a certificate a trusted one; who waits for them learns of it later.
        message = (
            f"There is no secure connection with the endpoint: {kind} (ssl_verify_upstream_trusted_ca, ssl_insecure)."
        )
        refusal = proxy_errors.refusal(502, message, type="server_error", code="upstream_tls_failed", retry=False)
        return Failure(reply(refusal), may_pass=False)
    if kind == TLS_FAILED:
        return _passing(502, f"There is no secure connection with the endpoint: {kind}.", "upstream_tls_failed")
    return _passing(502, f"The endpoint could not be reached: {kind}.", "upstream_unreachable")


def broken() -> Response:
    """The proxy itself failed."""
    return proxy_errors.refusal(
        502,
        "The proxy failed while it relayed this request. Its log says more.",
        type="server_error",
        code="proxy_failed",
    )


def stream_broken(*, timed_out: bool) -> bytes:
    """The error (one line of JSON) that ends a stream after its first event."""
    what = "fell silent" if timed_out else "broke off"
    return json_body.serialise(
        {
            "error": {
                "message": f"The endpoint {what} in the middle of its answer: the answer is incomplete.",
                "type": "upstream_error",
                "param": None,
                "code": "upstream_timeout" if timed_out else "stream_broken",
            }
        }
    )


def _passing(status: int, message: str, code: str) -> Failure:
    return Failure(reply(proxy_errors.refusal(status, message, type="server_error", code=code)), may_pass=True)


def _advised(headers: Headers, passes: bool) -> Headers:
    """`headers`, which tell OpenAI's SDKs not to try again where that is pointless."""
    if passes:
        return headers
    return [*(line for line in headers if line[0].lower() != _NEVER_AGAIN[0]), _NEVER_AGAIN]


def _type(status: int) -> str:
    return _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def _unpacked(body: bytes, encoding: str) -> bytes:
    try:
        return content_coding.unpack(body, encoding, MAX_ERROR)
    except (CodingError, TooLarge):
        return b""


def _json(text: bytes) -> object:
    """The JSON object or list in `text`; `None` if it is none."""
    try:
        parsed = json_body.parse(text)
    except json_body.InvalidJson:
        return None
    return parsed if isinstance(parsed, dict | list) else None
