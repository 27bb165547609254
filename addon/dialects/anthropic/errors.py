"""Errors in Anthropic's shape, with the status and the words by which each client does the right thing.

What Claude Code does after an error: docs/facts/anthropic.md#errors. The words and codes of vendors: `errors.toml`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from ...exchange import JsonObject, Response
from ...wire import flaws, json_body
from ...wire.flaws import Flaw

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's type for each status; `_type` has those for others."""
_MAY_PASS: Final = frozenset([408, 409, 425, 429])
"""Statuses below 500 after which another try may help."""
_ENDS_AT_ONCE: Final = frozenset([402, 451])
"""Statuses after which Claude Code shows the message and asks no more."""
_SHOWN_IF_FINAL: Final = frozenset([401, 429])
"""Statuses, beside those from 500 on, for which that is so with `x-should-retry: false`."""
_OVERFLOWS: Final = frozenset([400, 413, 422])
"""Statuses of requests that are too long. A 429 may speak of tokens a minute."""
_LONGEST: Final = 4000
"""Characters of a message that are passed on."""
_LARGEST_OBJECT: Final = 16 * 1024
"""Bytes of an error object that is passed on beside its message."""
_EXCERPT: Final = 500
"""Characters of a body that is no error object."""
_TITLE = re.compile(r"<title[^>]{0,100}>([^<]{1,200})", re.IGNORECASE)


def error(response: Response, note: JsonObject) -> Response:
    """The error `response`, in any shape, as Anthropic's, for the client whose request left `note`. Raises nothing.

    Clients get the honest status. Claude Code gets one after which it shows the message and doesn't repeat what another
    try can't help: 400 and 422 cost six requests, 403 and 404 hide the text.
    """
    given = _given(response.body, response.status)
    meant = _meant(given, response.status, note)
    headers = {key: value for key, value in response.headers.items() if key != "content-length"}
    headers["content-type"] = "application/json"
    if meant.retry_after is not None:
        headers.setdefault("retry-after", str(meant.retry_after))
    status = meant.status
    if note.get("client") == "claude-code" and not meant.heals and not _may_pass(status, headers):
        headers["x-should-retry"] = "false"
        if status not in _ENDS_AT_ONCE | _SHOWN_IF_FINAL and status < 500:
            status = 402
    body = {"type": "error", "error": _object(given, meant)}
    if given.request_id:
        body["request_id"] = headers["request-id"] = given.request_id
    return Response(status, headers, json_body.serialise(body))


def event(given: JsonObject, note: JsonObject) -> JsonObject:
    """The data of the event `error`, for an OpenAI error object in the middle of a stream."""
    found = _of_object(given, 0, "")
    return {"type": "error", "error": _object(found, _meant(found, 0, note))}


@dataclass(frozen=True, slots=True)
class _Given:
    """An error as it was given."""

    message: str
    type: str = ""
    codes: tuple[str, ...] = ()
    """The error's own code, and the vendor's, if that is another."""
    original: JsonObject | None = None
    """The error object itself, the vendor's own where ours stands around it."""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class _Meant:
    """What an error means."""

    status: int
    message: str
    type: str
    retry_after: int | None = None
    heals: bool = False
    """Claude Code knows these words, and asks again for something else."""


# What was given


def _given(body: bytes, status: int) -> _Given:
    found = flaws.of_answer(body)
    if isinstance(found, Flaw) and found.error is not None:
        answer = json_body.parse_object(found.error) or {}
        beside = answer.get("request_id") or answer.get("id")
        return _of_object(answer.get("error"), status, beside if isinstance(beside, str) else "")
    text = body[: 4 * _LONGEST].decode("utf-8", "replace").strip()
    if not text:
        return _Given(f"The endpoint answered HTTP {status} and gave no reason.")
    if text.startswith("<"):
        title = _TITLE.search(text)
        named = f": {title[1].strip()}" if title else ""
        return _Given(f"The endpoint answered HTTP {status} with a page in place of an error{named}.")
    return _Given(f"The endpoint answered HTTP {status}: {text[:_EXCERPT]}")


def _of_object(given: Any, status: int, beside: str) -> _Given:
    given = given if isinstance(given, dict) else {}
    inner = given.get("vendor")
    original: JsonObject = inner if isinstance(inner, dict) else given
    codes = tuple(dict.fromkeys(code for code in map(_word, (given.get("code"), original.get("code"))) if code))
    message = given.get("message")
    if not isinstance(message, str) or not message.strip():
        message = f"The endpoint answered HTTP {status} and gave no reason." if status else "The endpoint failed."
    named = (original.get("request_id"), original.get("id"), beside)
    request_id = next((name for name in named if isinstance(name, str) and name), "")
    return _Given(message, _word(given.get("type")), codes, original, request_id[:100])


def _word(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


# What it means


def _meant(given: _Given, status: int, note: JsonObject) -> _Meant:
    known = next((_data().codes[code] for code in given.codes if code in _data().codes), {})
    status = known.get("status") or _status(given, status)
    message = given.message
    if len(message) > _LONGEST:
        message = message[:_LONGEST] + "…"
    if known.get("kind") == "too_long" or status in _OVERFLOWS:
        words = _too_long(message, note, is_known="kind" in known) or _too_much(message, note)
        if words:
            return _Meant(400, words, _TYPES[400], heals=True)
    said = " ".join([message, *(f"(code {code})" for code in given.codes if _is_missing(code, message))])
    if "says" in known:
        said = f"{said.rstrip('.。')}. {known['says']}"
    return _Meant(status, said, _type(status), known.get("retry_after"))


def _status(given: _Given, status: int) -> int:
    """The status that an error means: the one it came with, unless its type says more. A stream has none: 0."""
    by_type: int | None = _data().types.get(given.type)
    if status == 429 or not status:
        return by_type or status or _status_of_code(given) or 500
    return 402 if by_type == 402 else status


def _status_of_code(given: _Given) -> int:
    """TokenHub's codes begin with their status: 429001 (document 1823/131595)."""
    for code in given.codes:
        if code.isascii() and code.isdigit() and len(code) in (3, 6) and 400 <= int(code[:3]) <= 599:
            return int(code[:3])
    return 0


def _too_long(message: str, note: JsonObject, *, is_known: bool) -> str:
    """Anthropic's words for an input that is too long, by which Claude Code compacts; "" for another message."""
    found = next(filter(None, (pattern.search(message) for pattern in _data().too_long)), None)
    if found is None:
        return f"prompt is too long: {message}" if is_known else ""
    numbers = {name: int(text) for name, text in found.groupdict().items() if text is not None and len(text) < 19}
    limit = numbers.get("limit")
    if limit is None:
        return message if message.startswith("prompt is too long") else f"prompt is too long: {message}"
    tokens, output = numbers.get("input", numbers.get("total")), numbers.get("output")
    if tokens is not None and output is not None and tokens <= limit:
        return (
            f"input length and `max_tokens` exceed context limit: {tokens} + {output} > {limit}, decrease input length "
            "or `max_tokens` and try again"
        )
    if tokens is None or tokens <= limit:
        tokens = max(_number(note.get("input_tokens")), limit + 1)
    return f"prompt is too long: {tokens} tokens > {limit} maximum"


def _too_much(message: str, note: JsonObject) -> str:
    """Anthropic's words for a `max_tokens` that is too large, after which Claude Code asks for less; else ""."""
    found = next(filter(None, (pattern.search(message) for pattern in _data().too_much)), None)
    if found is None:
        return ""
    numbers = found.groupdict()
    most = int(numbers["most"][:18])
    asked = int((numbers.get("asked") or "0")[:18]) or _number(note.get("max_tokens"))
    if asked <= most:
        return ""
    model = note.get("model")
    return f"max_tokens: {asked} > {most}, which is the maximum allowed number of output tokens for {model}"


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _is_missing(code: str, message: str) -> bool:
    """Whether a vendor's code, a number, has to be named beside the message."""
    return code.isdigit() and code not in message


def _may_pass(status: int, headers: dict[str, str]) -> bool:
    match headers.get("x-should-retry"):
        case "true":
            return True
        case "false":
            return False
        case _:
            return status in _MAY_PASS or status >= 500


def _type(status: int) -> str:
    return _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def _object(given: _Given, meant: _Meant) -> JsonObject:
    """Anthropic's error object. `details` has what its message can't hold."""
    details: JsonObject = {}
    if given.codes:
        details["error_code"] = given.codes[0]
    if given.original and len(json_body.serialise(given.original)) <= _LARGEST_OBJECT:
        details["original"] = given.original
    made: JsonObject = {"type": meant.type, "message": meant.message}
    return {**made, "details": details} if details else made


# The data


@dataclass(frozen=True, slots=True)
class _Data:
    too_long: list[re.Pattern[str]]
    too_much: list[re.Pattern[str]]
    codes: dict[str, JsonObject]
    types: dict[str, int]


@cache
def _data() -> _Data:
    given = tomllib.loads(resources.files(__package__).joinpath("errors.toml").read_text(encoding="utf-8"))
    return _Data(
        too_long=[re.compile(row["pattern"], re.DOTALL) for row in given["too_long"]],
        too_much=[re.compile(row["pattern"], re.DOTALL) for row in given["too_much"]],
        codes={row["code"]: row for row in given["code"]},
        types=given["types"],
    )
