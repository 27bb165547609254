"""The endpoint's errors, translated and finished: the status that an error means, in OpenAI's shape, and what helps.

What the endpoint says comes first and stays; sentences of ours follow. The meaning of an error is data: `errors` in
each profile, then `vendor_errors.toml` for all. `proxy_errors` says why the status matters.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Final
from urllib.parse import urlsplit

from ..did_you_mean import alike
from ..exchange import JsonObject, Response
from ..profiles import ErrorRule, Profile
from ..texts import sentences
from ..texts.sentence import Sentence, in_language
from . import flaws, json_body, proxy_errors, safe_text
from . import retry_after as retry_after_header
from .flaws import Flaw
from .openai_error import ErrorResponse, ProxyError, Words


@dataclass(frozen=True, slots=True)
class KeyShape:
    """What the first characters of an API key tell."""

    begins: str
    product: str
    at: tuple[str, ...]
    """The addresses that take such keys: a host, perhaps with a path."""
    source: str = ""


def translate_error(
    status: int,
    body: bytes,
    retry_after: str | None,
    profile: Profile,
    model_id: str,
    *,
    key: KeyShape | None = None,
    base_url: str = "",
    models: Collection[str] = (),
) -> ErrorResponse | None:
    """The endpoint's error with the status that it means, by the rules for errors; `None` if it says all that itself.

    The vendor's whole error object is kept under `error.vendor`, its message begins `error.message`. Only JSON answers
    with an error and an error status are translated: an error inside a 200 is not. `retry_after`: the endpoint's own
    header, if any. `key`: the shape of the request's API key. `base_url`: the endpoint's. `models`: the ids that the
    key is known to have; empty: those that the profile knows.
    """
    error = _vendor_error(body) if status >= 400 else None
    if error is None:
        return None
    host = _host(base_url)
    rule = next((rule for rule in (*profile.errors, *_data().rules) if _matches(rule, status, error)), None)
    is_known = "native_code" in error  # one of Tencent Cloud's own API, where not every 401 is about the key
    if rule is None and status == 401 and not is_known and (key_is_for(key, profile) or _key_page(profile, host)):
        rule = _WRONG_KEY  # no rule knows these words, but it is known where there is a key
    if rule is None:
        return None
    hints = [Sentence(rule.says)] if rule.says else []
    if rule.kind in ("rate_limit", "overload"):
        return _later(rule, status, error, _words(error, rule, hints), retry_after)
    if rule.kind == "model_not_found":
        hints += _other_models(profile, safe_text.plain(model_id), models)
    elif rule.kind == "key_refused":
        hints += [*key_is_for(key, profile), *_key_page(profile, host)]
    elif rule.kind in ("not_in_plan", "quota") and profile.plan and rule.says:
        hints += _models_of(profile)
    return ENTRIES[rule.kind](message=_words(error, rule, hints), vendor=error).response()


def says(type: str, codes: Iterable[str], language: str = sentences.SOURCE) -> str:
    """The sentence that explains errors of this type, or with one of these codes, in `language`; `""` for others."""
    known = set(codes)
    rules = (rule for rule in _data().rules if rule.says and not rule.message)
    found = next((rule for rule in rules if rule.code in known or (rule.type and rule.type == type)), None)
    return "" if found is None else in_language(language, Sentence(found.says))


def is_refusal_of_content(body: bytes) -> bool:
    """Whether the body of an error says that its endpoint refuses the content: nobody should ask it once more."""
    error = _vendor_error(body)
    return error is not None and refuses_content(error)


def refuses_content(error: JsonObject) -> bool:
    """The same for an error object: a vendor's own, or one of ours that has it beside its message."""
    inner = error.get("vendor")
    given = [error, inner] if isinstance(inner, dict) else [error]
    return any(_matches(rule, 0, one) for rule in _policy_rules() for one in given)


def policy_error(error: object) -> ProxyError | None:
    """The error for a refusal of content that came as the object `error` in a stream; `None` for any other."""
    if not isinstance(error, dict) or "vendor" in error:  # one of ours has the endpoint's beside its message
        return None
    rule = next((rule for rule in _policy_rules() if _matches(rule, 0, error)), None)
    if rule is None:
        return None
    hints = [Sentence(rule.says)] if rule.says else []
    return proxy_errors.CONTENT_POLICY_VIOLATION(message=_words(error, rule, hints), vendor=error)


@cache
def _policy_rules() -> tuple[ErrorRule, ...]:
    """The rules for refusals of content, which mean the same wherever they come from."""
    return tuple(rule for rule in _data().rules if rule.kind == "content_filter")


def key_shape(headers: Mapping[str, str]) -> KeyShape | None:
    """The shape of the API key in a request's `headers`, if it tells anything."""
    for name in _KEY_HEADERS:
        key = _BEFORE_KEY.sub("", (headers.get(name) or "")[:_LONGEST_BEFORE])
        found = next((shape for shape in _data().keys if key.startswith(shape.begins)), None)
        if found is not None:
            return found
    return None


PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which another try may succeed. 529: Anthropic's for an endpoint that has too much to do."""
_WRONG_KEY: Final = ErrorRule(kind="key_refused", status=401)
_KEY_HEADERS: Final = ("authorization", "x-api-key", "api-key")
_BEFORE_KEY: Final = re.compile(r"^(?:bearer(?=[\s:=\"'])|[\s:=\"'“”‘’`\ufeff\u200b])+", re.IGNORECASE)
"""What stands before a key: the scheme, and what was copied with the key, or typed twice."""
_LONGEST_BEFORE: Final = 200
"""Characters of a header in which the beginning of a key is looked for."""


def unusable_answer(
    flaw: Flaw, profile: Profile, model_id: str, *, key: KeyShape | None = None, base_url: str = ""
) -> Response:
    """The error for an answer with a status of success that has a `flaw`.

    An error in it gets the status that it means; any other flaw is a 502.
    """
    if flaw.error is None:
        return proxy_errors.INVALID_ANSWER(flaw=flaw.what).response()
    status = meant_status(flaw.error, profile, model_id)
    unchanged = Response(status, {"content-type": "application/json"}, flaw.error)
    made = translate_error(status, flaw.error, None, profile, model_id, key=key, base_url=base_url) or unchanged
    if made.status not in PASSING:
        made.headers.setdefault("x-should-retry", "false")
    return made


def shut_down(profile: Profile, host: str, where: str = "") -> ErrorResponse | None:
    """The error of a call without a connection to `host`, if its platform was shut down; `None` for any other.

    `where`: what the message calls the host.
    """
    if not profile.is_gone(host):
        return None
    gone = proxy_errors.UPSTREAM_SHUT_DOWN(where=where or host, day=profile.shut_down, successor=profile.moved_to)
    return gone.response()


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
    known = _own_status(error) or _status_of_code(error.get("code")) or _STATUSES.get(str(error.get("type")))
    if known:
        return known
    translated = translate_error(400, text, None, profile, model_id)
    return _UNKNOWN if translated is None else translated.status


def counted_as(status: int, error: JsonObject, profile: Profile | None) -> str:
    """The code by which an endpoint's error is counted; `""` where nothing is known of it.

    Where a rule knows what it means, that of the error of ours with this meaning. Else by its type, its code, or its
    `status`, which is 0 for an error in a stream; where no error of ours has this meaning, one of `TYPES`.
    """
    held = status or 400  # as `meant_status` has it
    rules = (*(profile.errors if profile else ()), *_data().rules)
    rule = next((rule for rule in rules if _matches(rule, held, error)), None)
    if rule is not None:
        return ENTRIES[rule.kind].code
    status = _STATUSES.get(str(error.get("type"))) or _status_of_code(error.get("code")) or status
    if known := _CODES.get(status):
        return known
    return "server_error" if status >= 500 else "invalid_request_error" if status >= 400 else ""


def kind_of(status: int, body: bytes, profile: Profile) -> str:
    """The kind of the rule that knows the endpoint's error in the JSON `body`; `""` where none does."""
    error = _vendor_error(body) or {}
    rules = (*profile.errors, *_data().rules)
    return next((rule.kind for rule in rules if _matches(rule, status, error)), "")


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
TYPES: Final = frozenset(["invalid_request_error", "permission_error", "not_found_error", "server_error"])
"""Those of errors that may have no entry in `proxy_errors`."""
_CODES: Final = {
    401: proxy_errors.KEY_REFUSED.code,
    402: proxy_errors.INSUFFICIENT_QUOTA.code,
    403: "permission_error",
    404: "not_found_error",
    413: proxy_errors.MESSAGES_TOO_LARGE.code,
    429: proxy_errors.RATE_LIMIT_EXCEEDED.code,
    451: proxy_errors.CONTENT_POLICY_VIOLATION.code,
    529: proxy_errors.ENGINE_OVERLOADED.code,
}
"""What an error is counted as, by the status that it has or means."""


def _own_status(error: JsonObject) -> int | None:
    """The status that an error object names itself, as those of APIs do that always answer 200."""
    status = error.get("status")
    return status if isinstance(status, int) and 400 <= status <= 599 else None


def _status_of_code(code: object) -> int | None:
    """TokenHub's codes begin with their status: 429001 (document 1823/131595)."""
    digits = str(code)
    status = int(digits[:3]) if digits.isascii() and digits.isdigit() and len(digits) in (3, 6) else 0
    return status if 400 <= status <= 599 else None


ENTRIES: Final = {
    "rate_limit": proxy_errors.RATE_LIMIT_EXCEEDED,
    "overload": proxy_errors.ENGINE_OVERLOADED,
    "quota": proxy_errors.INSUFFICIENT_QUOTA,
    "not_in_plan": proxy_errors.MODEL_NOT_IN_PLAN,
    "model_not_found": proxy_errors.MODEL_NOT_FOUND,
    "content_filter": proxy_errors.CONTENT_POLICY_VIOLATION,
    "key_refused": proxy_errors.KEY_REFUSED,
    "client_refused": proxy_errors.CLIENT_REFUSED,
    "overflow": proxy_errors.CONTEXT_LENGTH_EXCEEDED,
    "too_large": proxy_errors.MESSAGES_TOO_LARGE,
    "retired": proxy_errors.ENDPOINT_RETIRED,
}
"""What an error becomes, by the `kind` of its rule."""


def _other_models(profile: Profile, model: str, models: Collection[str]) -> list[Sentence]:
    """What may be asked for in place of `model`: its successor, models whose ids are like its own, or where all are."""
    if successor := _successor(profile, model):
        return successor
    asked = model.rpartition("/")[2]  # an aggregator's id begins with the vendor: "tencent/hy3"
    known = {name: other.successor for name, other in profile.models.items() if "*" not in name}
    offered = set(models or [name for name, successor in known.items() if not successor])
    replaced = {name for name, successor in known.items() if successor} - offered
    near = alike(asked, (offered | replaced) - {model}, len(known) + len(offered))
    if near and near[0] in replaced:
        return _successor(profile, near[0])
    near = [name for name in near if name in offered][:_MOST_NEAR]
    if near:
        return [Sentence(_NEAR_OF_KEY if models else _NEAR, near=", ".join(map(safe_text.plain, near)))]
    return [Sentence(_ALL_MODELS, model=model)] if model else []


def _successor(profile: Profile, model: str) -> list[Sentence]:
    """The successor of `model`, and where it is; nothing for a model without one."""
    known = profile.model(model)
    if not known.successor:
        return []
    template = _RETIRED if known.retired else _SUCCESSOR
    moved = [Sentence(_MOVED, url=profile.moved_to)] if profile.moved_to else []
    return [Sentence(template, model=model, successor=known.successor, day=known.retired), *moved]


_MOST_NEAR: Final = 3
_RETIRED: Final = 'The model "{model}" was retired on {day}; its successor is "{successor}".'
_SUCCESSOR: Final = 'The model "{model}" has a successor: "{successor}".'
_MOVED: Final = "It is on another platform, with keys of its own: {url}."
_NEAR: Final = "Known models with a similar id: {near}."
_NEAR_OF_KEY: Final = "Models that this key has, with a similar id: {near}."
_ALL_MODELS: Final = (
    "GET /v1/models lists those that there are; hunyuan_models={model}=ID asks for one of them instead."
)
_PLAN_MODELS: Final = "Known models of such plans: {models}."
_KEY_IS_FOR: Final = "The key begins with {begins}: it is one of {product}, for {addresses}."
_KEY_PAGE: Final = "Keys for this endpoint are made at {page}"
TEMPLATES: Final = (
    _RETIRED,
    _SUCCESSOR,
    _MOVED,
    _NEAR,
    _NEAR_OF_KEY,
    _ALL_MODELS,
    _PLAN_MODELS,
    _KEY_IS_FOR,
    _KEY_PAGE,
)
"""The sentences with values that may follow the endpoint's words. Those without are in the data: `explanations`."""


def explanations() -> list[str]:
    """The sentences of `vendor_errors.toml`, and the products there whose names are more than a brand."""
    products = (shape.product for shape in _data().keys if " " in shape.product)
    return [*(rule.says for rule in _data().rules if rule.says), *products]


def rules() -> Sequence[ErrorRule]:
    """The rules of `vendor_errors.toml`."""
    return _data().rules


def key_shapes() -> Sequence[KeyShape]:
    """The shapes of keys in `vendor_errors.toml`."""
    return _data().keys


def _later(
    rule: ErrorRule, status: int, error: JsonObject, message: Words, retry_after: str | None
) -> ErrorResponse | None:
    """An error that passes, with the time after which to try again. `None` where status and header say so already.

    A rate limit of unknown length is left to the client's own backoff.
    """
    if status >= 500:
        return None
    seconds, date = _wait(retry_after)
    in_words = _IN_WORDS.search(message.words) if seconds is None and date is None else None
    if status == 429 and in_words is None and (rule.kind == "rate_limit" or seconds is not None or date is not None):
        return None
    if in_words is not None:
        seconds = float(in_words[1])
    made = ENTRIES[rule.kind](message=message, retry_after=seconds, vendor=error).response()
    if date is not None:
        made.headers["retry-after"] = date
    return made


_IN_WORDS: Final = re.compile(r"try again (?:after|in) (\d{1,5}(?:\.\d{1,3})?) ?s", re.IGNORECASE)
"""Moonshot: `please try again after 1 seconds`."""


def said(message: str, codes: Iterable[str], explanation: str) -> str:
    """An error's `message`, with the numbers among its codes that it doesn't name, and an `explanation` behind it."""
    text = _with_codes(message, codes)
    return text if not explanation or explanation in text else f"{text.rstrip('.。')}. {explanation}"


def _with_codes(message: str, codes: Iterable[str]) -> str:
    """`message`, with the numbers among `codes` that it doesn't name."""
    numbers = (code for code in codes if code.isdigit() and code not in message)
    return " ".join([message, *(f"(code {code})" for code in numbers)])


def _words(error: JsonObject, rule: ErrorRule, hints: list[Sentence]) -> Words:
    """What the endpoint said, with its code where a rule explains that, and what follows."""
    message = _message(error)
    return Words(_with_codes(message, [str(error.get("code"))]) if rule.says else message, tuple(hints))


def _models_of(profile: Profile) -> list[Sentence]:
    """The models that a plan is known to have."""
    ids = [model.id for model in profile.models.values() if not model.embedding and model.successor is None]
    more = ", …" if len(ids) > _MOST_NAMED else ""
    return [Sentence(_PLAN_MODELS, models=", ".join(ids[:_MOST_NAMED]) + more)] if ids else []


_MOST_NAMED: Final = 30


def key_is_for(key: KeyShape | None, profile: Profile) -> list[Sentence]:
    """Which addresses take the key, where its shape tells that this one doesn't."""
    if key is None or any(f"{own}/".startswith(f"{address}/") for address in key.at for own in profile.hosts):
        return []
    addresses = ", ".join(f"https://{address}" for address in key.at)
    return [Sentence(_KEY_IS_FOR, begins=key.begins, product=Sentence(key.product), addresses=addresses)]


def _host(base_url: str) -> str:
    try:
        return urlsplit(base_url).hostname or ""
    except ValueError:
        return ""


def _key_page(profile: Profile, host: str) -> list[Sentence]:
    """Where keys for `host` are made. For a host that isn't the vendor's own, such as a test's, the first page is.

    None where the host isn't given: the vendor may have several, with keys of their own.
    """
    pages = profile.key_pages
    page = pages.get(host)
    if page is None and host and all(host != own.partition("/")[0] for own in profile.hosts):
        page = next(iter(pages.values()), None)
    return [Sentence(_KEY_PAGE, page=page)] if page else []


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
        keys=tuple(KeyShape(**{**row, "at": tuple(row["at"])}) for row in given["keys"]),
    )
