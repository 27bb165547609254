"""Refusals: OpenAI-shaped errors, and the endpoint's errors turned into what they really mean.

Why statuses matter: real clients send what got a 400 once, but what gets a lasting 429 or 5xx up to 30 times
(docs/facts/clients.md#retries). So an error that a retry can't fix gets status 400.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from ..exchange import JsonObject, Response
from ..profiles import ErrorKind, ErrorRule, Profile
from . import json_body
from .flaws import Flaw

DEFAULT_RETRY_AFTER = 2.0
"""Seconds to wait after a rate limit whose answer names none."""


def refusal(
    status: int,
    message: str,
    *,
    type: str,
    code: str | None,
    param: str | None = None,
    retry_after: float | None = None,
    retry: bool | None = None,
    extra: Mapping[str, object] | None = None,
) -> Response:
    """An error as OpenAI words it: `{"error": {"message", "type", "param", "code"}}`.

    `retry_after`: seconds, sent as whole ones, rounded up. `retry`: what `x-should-retry` tells OpenAI's SDKs,
    unset if None. `extra`: further fields of the error object.
    """
    error = {"message": message, "type": type, "param": param, "code": code, **(extra or {})}
    headers = {"content-type": "application/json"}
    if retry_after is not None:
        headers["retry-after"] = str(math.ceil(retry_after))
    if retry is not None:
        headers["x-should-retry"] = "true" if retry else "false"
    return Response(status, headers, json_body.serialise({"error": error}))


def honest(status: int, body: bytes, retry_after: str | None, profile: Profile, model_id: str) -> Response | None:
    """What the endpoint's error answer really is, by the profile's error rules; None: pass it as it came.

    The vendor's whole error object is kept under `error.vendor`, its message as `error.message`. Only JSON
    answers with an error object and an error status are looked at: an error inside a 200 passes.
    `retry_after` is the endpoint's own header, if any.
    """
    error = _vendor_error(body) if status >= 400 else None
    if error is None:
        return None
    kind = next((rule.kind for rule in profile.errors if _matches(rule, status, error)), None)
    return None if kind is None else _meant(kind, error, retry_after, profile, model_id)


def unusable(flaw: Flaw, profile: Profile, model_id: str) -> Response:
    """What a success that is no answer should have been: the endpoint's error with its honest status, or a 502."""
    if flaw.error is None:
        return invalid_answer(flaw.what)
    status = meant_status(flaw.error, profile, model_id)
    as_it_came = Response(status, {"content-type": "application/json"}, flaw.error)
    return honest(status, flaw.error, None, profile, model_id) or as_it_came


def invalid_answer(what: str, retry: bool | None = None) -> Response:
    """The error for an answer that can't be used; `what` says why."""
    return refusal(
        502,
        f"The endpoint's answer can't be used: {what}.",
        type="server_error",
        code="upstream_invalid_answer",
        retry=retry,
    )


def meant_status(text: bytes, profile: Profile, model_id: str) -> int:
    """The status that the endpoint should have sent with the error object in the JSON `text`."""
    if honest(400, text, None, profile, model_id) is not None:
        return 400  # its rules are about errors that come with this status
    error = _vendor_error(text) or {}
    return _status_of_code(error.get("code")) or _STATUSES.get(str(error.get("type")), 502)


_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "rate_limit_error": 429,
    "content_filter_error": 451,
}
"""Error types as TokenHub and OpenAI name them (docs/facts/tokenhub.md#errors)."""


def _status_of_code(code: object) -> int | None:
    """TokenHub's codes begin with their status: 429001 (document 1823/131595)."""
    digits = str(code)
    status = int(digits[:3]) if digits.isascii() and digits.isdigit() and len(digits) in (3, 6) else 0
    return status if 400 <= status <= 599 else None


def _meant(kind: ErrorKind, error: JsonObject, retry_after: str | None, profile: Profile, model_id: str) -> Response:
    message = _message(error)
    vendor = {"vendor": error}
    match kind:
        case "rate_limit":
            seconds, date = _wait(retry_after)
            limited = refusal(
                429,
                message,
                type="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after=seconds,
                extra=vendor,
            )
            if date is not None:
                limited.headers["retry-after"] = date
            return limited
        case "quota":
            return refusal(
                400, message, type="insufficient_quota", code="insufficient_quota", retry=False, extra=vendor
            )
        case "model_not_found":
            return refusal(
                404,
                message + _advice(profile, model_id),
                type="invalid_request_error",
                param="model",
                code="model_not_found",
                extra=vendor,
            )
        case "content_filter":
            return refusal(400, message, type="invalid_request_error", code="content_filter", extra=vendor)


def _vendor_error(body: bytes) -> JsonObject | None:
    try:
        answer = json_body.parse(body)
    except json_body.InvalidJson:
        return None
    if not isinstance(answer, dict) or not isinstance(answer.get("error"), dict):
        return None
    # A sibling product puts the id beside the error object (docs/facts/hunyuan.md#errors): it is kept with the rest.
    beside = {key: value for key, value in answer.items() if key != "error"}
    return {**beside, **answer["error"]}


def _matches(rule: ErrorRule, status: int, error: JsonObject) -> bool:
    return (
        (rule.status is None or rule.status == status)
        and (rule.code is None or rule.code == str(error.get("code")))
        and (rule.message is None or rule.message in _message(error))
    )


def _message(error: JsonObject) -> str:
    message = error.get("message")
    return message if isinstance(message, str) and message else "The endpoint gave no reason."


def _advice(profile: Profile, model_id: str) -> str:
    successor = profile.model(model_id).successor
    return f' (the model "{model_id}" has a successor: "{successor}")' if successor else ""


def _wait(retry_after: str | None) -> tuple[float, str | None]:
    """What `Retry-After` asks for: seconds, or a date, which is passed on as it is (RFC 9110 section 10.2.3)."""
    if retry_after is None:
        return DEFAULT_RETRY_AFTER, None
    try:
        seconds = float(retry_after)
    except ValueError:
        return DEFAULT_RETRY_AFTER, retry_after if _is_date(retry_after) else None
    return (seconds if 0 <= seconds < math.inf else DEFAULT_RETRY_AFTER), None


def _is_date(text: str) -> bool:
    try:
        parsedate_to_datetime(text)
    except ValueError:
        return False
    return True
