"""The endpoint's errors, translated: the status that an error means, in OpenAI's shape.

The meaning of an error is data: `errors` in each profile. `proxy_errors` says why the status matters.
"""

from __future__ import annotations

from datetime import datetime

from ..exchange import JsonObject, Response
from ..profiles import ErrorKind, ErrorRule, Profile
from . import flaws, json_body, proxy_errors
from . import retry_after as retry_after_header
from .flaws import Flaw


def translate_error(
    status: int, body: bytes, retry_after: str | None, profile: Profile, model_id: str
) -> Response | None:
    """The endpoint's error with the status that it means, by the profile's error rules; `None` if no rule matches.

    The vendor's whole error object is kept under `error.vendor`, its message as `error.message`. Only JSON answers with
    an error object and an error status are translated: an error inside a 200 is not. `retry_after`: the endpoint's own
    header, if any.
    """
    error = _vendor_error(body) if status >= 400 else None
    if error is None:
        return None
    kind = next((rule.kind for rule in profile.errors if _matches(rule, status, error)), None)
    return None if kind is None else _translated(kind, error, retry_after, profile, model_id)


def unusable_answer(flaw: Flaw, profile: Profile, model_id: str) -> Response:
    """The error for an answer with a status of success that has a `flaw`.

    An error in it gets the status that it means; any other flaw is a 502.
    """
    if flaw.error is None:
        return proxy_errors.INVALID_ANSWER(flaw=flaw.what).response()
    status = meant_status(flaw.error, profile, model_id)
    unchanged = Response(status, {"content-type": "application/json"}, flaw.error)
    return translate_error(status, flaw.error, None, profile, model_id) or unchanged


def as_meant(answer: Response, profile: Profile, model_id: str) -> Response:
    """`answer`; if its status is one of success and its body an error, with the status that the error means.

    An error whose meaning isn't known keeps its status.
    """
    if answer.status >= 400 or b'"error"' not in answer.body:
        return answer
    body = json_body.parse_object(answer.body)
    flaw = flaws.of_error(body, answer.body, flaws.ERROR_ANSWER) if body is not None else None
    if flaw is None or flaw.error is None:
        return answer
    status = meant_status(flaw.error, profile, model_id)
    return answer if status == _UNKNOWN else Response(status, answer.headers, flaw.error)


def meant_status(text: bytes, profile: Profile, model_id: str) -> int:
    """The status that the endpoint should have sent with the error object in the JSON `text`."""
    if translate_error(400, text, None, profile, model_id) is not None:
        return 400  # the profile's rules are for errors that come with this status
    error = _vendor_error(text) or {}
    return _status_of_code(error.get("code")) or _STATUSES.get(str(error.get("type")), _UNKNOWN)


_UNKNOWN = 502
"""The status of an error whose meaning isn't known."""
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "billing_error": 402,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "content_filter_error": 451,
    "overloaded_error": 529,
}
"""Error types as TokenHub, OpenAI and Anthropic name them (docs/facts/tokenhub.md#errors)."""


def _status_of_code(code: object) -> int | None:
    """TokenHub's codes begin with their status: 429001 (document 1823/131595)."""
    digits = str(code)
    status = int(digits[:3]) if digits.isascii() and digits.isdigit() and len(digits) in (3, 6) else 0
    return status if 400 <= status <= 599 else None


def _translated(
    kind: ErrorKind, error: JsonObject, retry_after: str | None, profile: Profile, model_id: str
) -> Response | None:
    message = _message(error)
    match kind:
        case "rate_limit":
            seconds, date = _wait(retry_after)
            limited = proxy_errors.RATE_LIMIT_EXCEEDED(message=message, retry_after=seconds, vendor=error).response()
            if date is not None:
                limited.headers["retry-after"] = date
            return limited
        case "quota":
            return proxy_errors.INSUFFICIENT_QUOTA(message=message, vendor=error).response()
        case "model_not_found":
            return proxy_errors.MODEL_NOT_FOUND(message=message + _advice(profile, model_id), vendor=error).response()
        case "content_filter":
            return proxy_errors.CONTENT_FILTER(message=message, vendor=error).response()
        case "overload" | "not_in_plan" | "overflow":
            return None


def _vendor_error(body: bytes) -> JsonObject | None:
    answer = json_body.parse_object(body)
    if answer is None or not isinstance(answer.get("error"), dict):
        return None
    # A sibling product puts the id beside the error object (docs/facts/hunyuan.md#errors): it is kept with the rest.
    beside = {key: value for key, value in answer.items() if key != "error"}
    return {**beside, **answer["error"]}


def _matches(rule: ErrorRule, status: int, error: JsonObject) -> bool:
    return (
        (rule.status is None or rule.status == status)
        and (rule.type is None or rule.type == error.get("type"))
        and (rule.code is None or rule.code == str(error.get("code")))
        and (rule.message is None or rule.message in _message(error))
    )


def _message(error: JsonObject) -> str:
    message = error.get("message")
    return message if isinstance(message, str) and message else "The endpoint gave no reason."


def _advice(profile: Profile, model_id: str) -> str:
    successor = profile.model(model_id).successor
    return f' (the model "{model_id}" has a successor: "{successor}")' if successor else ""


def _wait(retry_after: str | None) -> tuple[float | None, str | None]:
    """What `Retry-After` asks for: seconds, or a date, which is passed on unchanged (RFC 9110 section 10.2.3).

    `None` for both: it asks for neither.
    """
    match retry_after_header.parse(retry_after):
        case datetime():
            return None, retry_after
        case seconds:
            return seconds, None
