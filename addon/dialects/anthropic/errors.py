"""Errors in Anthropic's shape, with the status and the words by which each client does the right thing.

What Claude Code does after an error: docs/facts/anthropic.md#errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...exchange import JsonObject, Response
from ...wire import json_body
from ..errors import LARGEST_OBJECT, Given, Meaning, given_in, language, may_pass, meaning, of_object

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
_CONTENT: Final = 451
"""The status by which Claude Code is told of a refusal of content: it isn't about a bill."""
_ENDS_AT_ONCE: Final = frozenset([402, _CONTENT])
"""Statuses after which Claude Code shows the message and asks no more."""
_SHOWN_IF_FINAL: Final = frozenset([401, 429])
"""Statuses, beside those from 500 on, for which that is so with `x-should-retry: false`."""


def error(response: Response, note: JsonObject) -> Response:
    """The error `response`, in any shape, as Anthropic's, for the client whose request left `note`. Raises nothing.

    Clients get the honest status. Claude Code gets one after which it shows the message and doesn't repeat what another
    try can't help: 400 and 422 cost six requests, 403 and 404 hide the text.
    """
    given = given_in(response.body, response.status, language(note))
    meant = _meant(given, response.status, note)
    headers = {key: value for key, value in response.headers.items() if key != "content-length"}
    headers["content-type"] = "application/json"
    if meant.retry_after is not None:
        headers.setdefault("retry-after", str(meant.retry_after))
    status = meant.status
    if note.get("client") == "claude-code" and meant.refuses_content:
        headers["x-should-retry"], status = "false", _CONTENT
    elif note.get("client") == "claude-code" and not meant.is_known and not may_pass(status, headers):
        headers["x-should-retry"] = "false"
        if status not in _ENDS_AT_ONCE | _SHOWN_IF_FINAL and status < 500:
            status = 402
    body = {"type": "error", "error": _object(given, meant)}
    if id := given.request_id or headers.get("x-request-id"):
        body["request_id"] = headers["request-id"] = id
    return Response(status, headers, json_body.serialise(body))


def event(given: JsonObject, note: JsonObject) -> JsonObject:
    """The data of the event `error`, for an OpenAI error object in the middle of a stream."""
    found = of_object(given, language=language(note))
    return {"type": "error", "error": _object(found, _meant(found, 0, note))}


@dataclass(frozen=True, slots=True)
class _Meant:
    """What an error means."""

    status: int
    message: str
    type: str
    retry_after: int | None = None
    is_known: bool = False
    """Claude Code knows these words, and asks again for something else."""
    refuses_content: bool = False


def _meant(given: Given, status: int, note: JsonObject) -> _Meant:
    found = meaning(given, status, language(note))
    words = _too_long(found, note) or _too_much(found, note)
    if words:
        return _Meant(400, words, _TYPES[400], is_known=True)
    content = found.refuses_content
    return _Meant(found.status, found.said, _type(found.status), found.retry_after, refuses_content=content)


def _too_long(found: Meaning, note: JsonObject) -> str:
    """Anthropic's words for an input that is too long, by which Claude Code compacts; "" for another error."""
    numbers, message = found.too_long, found.message
    if numbers is None:
        return ""
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


def _too_much(found: Meaning, note: JsonObject) -> str:
    """Anthropic's words for a `max_tokens` that is too large, after which Claude Code asks for less; else ""."""
    numbers = found.too_much or {}
    most, asked = numbers.get("most"), numbers.get("asked") or _number(note.get("max_tokens"))
    if most is None or asked <= most:
        return ""
    model = note.get("model")
    return f"max_tokens: {asked} > {most}, which is the maximum allowed number of output tokens for {model}"


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _type(status: int) -> str:
    return _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def _object(given: Given, meant: _Meant) -> JsonObject:
    """Anthropic's error object. `details` has what its message can't hold."""
    details: JsonObject = {}
    if given.codes:
        details["error_code"] = given.codes[0]
    if given.original and len(json_body.serialise(given.original)) <= LARGEST_OBJECT:
        details["original"] = given.original
    made: JsonObject = {"type": meant.type, "message": meant.message}
    return {**made, "details": details} if details else made
