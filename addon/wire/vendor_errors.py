"""The endpoint's errors, translated: the status that an error means, in OpenAI's shape.

The meaning of an error is data: `errors` in each profile, then `vendor_errors.toml` for all. `proxy_errors` says why
the status matters.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Final

from ..exchange import JsonObject, Response
from ..profiles import ErrorRule, Profile
from . import flaws, json_body, proxy_errors
from . import retry_after as retry_after_header
from .flaws import Flaw


@dataclass(frozen=True, slots=True)
class KeyShape:
    """What the first characters of an API key tell."""

    begins: str
    product: str
    at: tuple[str, ...]
    """The addresses that take such keys: a host, perhaps with a path."""


def translate_error(
    status: int,
    body: bytes,
    retry_after: str | None,
    profile: Profile,
    model_id: str,
    *,
    key: KeyShape | None = None,
) -> Response | None:
    """The endpoint's error with the status that it means, by the rules for errors; `None` if it says all that itself.

    The vendor's whole error object is kept under `error.vendor`, its message begins `error.message`. Only JSON answers
    with an error and an error status are translated: an error inside a 200 is not. `retry_after`: the endpoint's own
    header, if any. `key`: the shape of the request's API key.
    """
    error = _vendor_error(body) if status >= 400 else None
    if error is None:
        return None
    rule = next((rule for rule in (*profile.errors, *_data().rules) if _matches(rule, status, error)), None)
    if rule is None and status == 401 and _hosts_of(key, profile):
        rule = _WRONG_KEY  # no rule knows these words, but the key says enough
    if rule is None:
        return None
    message = _message(error)
    if rule.says:
        message = said(message, [str(error.get("code"))], rule.says)
    if rule.kind in ("rate_limit", "overload"):
        return _later(rule, status, message, error, retry_after)
    message += _advice(rule, profile, model_id, key)
    return _ENTRIES[rule.kind](message=message, vendor=error).response()


def says(type: str, codes: Iterable[str]) -> str:
    """The sentence that explains errors of this type, or with one of these codes; `""` for others."""
    known = set(codes)
    rules = (rule for rule in _data().rules if rule.says and not rule.message)
    return next((rule.says for rule in rules if rule.code in known or (rule.type and rule.type == type)), "")


def key_shape(headers: Mapping[str, str]) -> KeyShape | None:
    """The shape of the API key in a request's `headers`, if it tells anything."""
    for name in _KEY_HEADERS:
        key = (headers.get(name) or "").strip()
        key = key[len(_BEARER) :].lstrip() if key[: len(_BEARER)].lower() == _BEARER else key
        found = next((shape for shape in _data().keys if key.startswith(shape.begins)), None)
        if found is not None:
            return found
    return None


_WRONG_KEY: Final = ErrorRule(kind="key_refused", status=401)
_KEY_HEADERS: Final = ("authorization", "x-api-key", "api-key")
_BEARER: Final = "bearer "


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
    error = _vendor_error(text) or {}
    if any(_matches(rule, 400, error) for rule in profile.errors):
        return 400  # the profile's rules are for errors that come with this status
    known = _status_of_code(error.get("code")) or _STATUSES.get(str(error.get("type")))
    if known:
        return known
    translated = translate_error(400, text, None, profile, model_id)
    return _UNKNOWN if translated is None else translated.status


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


_ENTRIES: Final = {
    "quota": proxy_errors.INSUFFICIENT_QUOTA,
    "not_in_plan": proxy_errors.MODEL_NOT_IN_PLAN,
    "model_not_found": proxy_errors.MODEL_NOT_FOUND,
    "content_filter": proxy_errors.CONTENT_FILTER,
    "key_refused": proxy_errors.KEY_REFUSED,
    "client_refused": proxy_errors.CLIENT_REFUSED,
    "overflow": proxy_errors.CONTEXT_LENGTH_EXCEEDED,
    "too_large": proxy_errors.MESSAGES_TOO_LARGE,
}
"""The errors for what another try doesn't help with."""


def _advice(rule: ErrorRule, profile: Profile, model_id: str, key: KeyShape | None) -> str:
    """What is known beside the endpoint's words, as a sentence or a parenthesis behind them; or `""`."""
    match rule.kind:
        case "model_not_found":
            successor = profile.model(model_id).successor
            return f' (the model "{model_id}" has a successor: "{successor}")' if successor else ""
        case "not_in_plan" | "quota" if profile.plan and rule.says:
            return _models_of(profile)
        case "key_refused":
            return _hosts_of(key, profile)
        case _:
            return ""


def _later(rule: ErrorRule, status: int, message: str, error: JsonObject, retry_after: str | None) -> Response | None:
    """An error that passes, with the time after which to try again. `None` where status and header say so already.

    A rate limit of unknown length is left to the client's own backoff.
    """
    if status >= 500:
        return None
    seconds, date = _wait(retry_after)
    in_words = _IN_WORDS.search(message) if seconds is None and date is None else None
    if status == 429 and in_words is None and (rule.kind == "rate_limit" or seconds is not None or date is not None):
        return None
    if in_words is not None:
        seconds = float(in_words[1])
    entry = proxy_errors.RATE_LIMIT_EXCEEDED if rule.kind == "rate_limit" else proxy_errors.ENGINE_OVERLOADED
    made = entry(message=message, retry_after=seconds, vendor=error).response()
    if date is not None:
        made.headers["retry-after"] = date
    return made


_IN_WORDS: Final = re.compile(r"try again (?:after|in) (\d{1,5}(?:\.\d{1,3})?) ?s", re.IGNORECASE)
"""Moonshot: `please try again after 1 seconds`."""


def said(message: str, codes: Iterable[str], explanation: str) -> str:
    """An error's `message`, with the numbers among its codes that it doesn't name, and an `explanation` behind it."""
    numbers = (code for code in codes if code.isdigit() and code not in message)
    text = " ".join([message, *(f"(code {code})" for code in numbers)])
    return text if not explanation or explanation in text else f"{text.rstrip('.。')}. {explanation}"


def _models_of(profile: Profile) -> str:
    """The models that a plan is known to have, in a sentence."""
    ids = [model.id for model in profile.models.values() if not model.embedding and model.successor is None]
    if not ids:
        return ""
    more = ", …" if len(ids) > _MOST_NAMED else ""
    return f" Known models of such plans: {', '.join(ids[:_MOST_NAMED])}{more}."


_MOST_NAMED: Final = 30


def _hosts_of(key: KeyShape | None, profile: Profile) -> str:
    """Which hosts take the key, in a sentence, where its shape tells that this one doesn't; else `""`."""
    if key is None or any(f"{own}/".startswith(f"{address}/") for address in key.at for own in profile.hosts):
        return ""
    return f" The key begins with {key.begins}: it is one of {key.product}, for https://{', https://'.join(key.at)}."


def _vendor_error(body: bytes) -> JsonObject | None:
    answer = json_body.parse_object(body)
    if answer is not None and not isinstance(answer.get("error"), dict):
        foreign = flaws.of_answer(body)
        answer = json_body.parse_object(foreign.error or b"") if isinstance(foreign, Flaw) else None
        if answer is not None and isinstance(answer.get("error"), dict):
            answer["error"].pop("vendor", None)
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


def _wait(retry_after: str | None) -> tuple[float | None, str | None]:
    """What `Retry-After` asks for: seconds, or a date, which is passed on unchanged (RFC 9110 section 10.2.3).

    `None` for both: it asks for neither.
    """
    match retry_after_header.parse(retry_after):
        case datetime():
            return None, retry_after
        case seconds:
            return seconds, None


@dataclass(frozen=True, slots=True)
class _Data:
    rules: tuple[ErrorRule, ...]
    keys: tuple[KeyShape, ...]


@cache
def _data() -> _Data:
    given = tomllib.loads(resources.files(__package__).joinpath("vendor_errors.toml").read_text(encoding="utf-8"))
    return _Data(
        rules=tuple(ErrorRule(**row) for row in given["errors"]),
        keys=tuple(KeyShape(row["begins"], row["product"], tuple(row["at"])) for row in given["keys"]),
    )
