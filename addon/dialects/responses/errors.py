"""Errors for clients of the Responses API, with the status and the code by which each client does the right thing.

Codex asks again after every status but 400 (docs/facts/responses.md#errors), so an error that stays as long as the
request does is 400 for it. In a stream it goes by the code.
"""

from __future__ import annotations

import math
import re
from typing import Final

from ...exchange import JsonObject, Response
from ...wire import json_body, openai_error, proxy_errors
from ..errors import LARGEST_OBJECT, Given, Meaning, given_in, language, may_pass, meaning, of_object
from . import full_window

TOO_LONG: Final = "context_length_exceeded"
_QUOTA: Final = "insufficient_quota"
_REFUSED: Final = "invalid_prompt"
_RATE_LIMIT: Final = "rate_limit_exceeded"
_BROKEN: Final = "server_error"
_TRY_AGAIN = re.compile(r"try again in\s{0,3}\d", re.IGNORECASE)
"""The words in which Codex finds how long it should wait."""
_DOWN: Final = proxy_errors.UPSTREAM_DOWN.code
_LONGEST_PAUSE: Final = 5
"""Seconds that Codex waits each time where the endpoint is down. It asks 24 times, and shows why only at the end."""
_LONGEST_WAIT: Final = 24 * 3600
"""Seconds of a `retry-after` that are repeated in words."""


def error(response: Response, note: JsonObject) -> Response:
    """The error `response`, in any shape, as OpenAI's, for the client whose request left `note`. Raises nothing.

    A Codex whose request is too long gets no error where it can compact its history instead.
    """
    given = given_in(response.body, response.status, language(note))
    meant = meaning(given, response.status, language(note))
    if meant.too_long is not None and note.get("can_compact"):
        return full_window.answer(note)
    headers = {key: value for key, value in response.headers.items() if key != "content-length"}
    headers["content-type"] = "application/json"
    if meant.retry_after is not None:
        headers.setdefault("retry-after", str(meant.retry_after))
    status = 400 if meant.too_long is not None else meant.status
    if note.get("client") == "codex":
        if not may_pass(status, headers):
            status = 400
        elif _DOWN in given.codes and "retry-after" in headers:
            headers["retry-after"] = str(min(_LONGEST_PAUSE, _seconds(headers["retry-after"]) or 0))
    if given.request_id:
        headers.setdefault("x-request-id", given.request_id)
    fields = _fields(given, meant, status, _seconds(headers.get("retry-after")))
    if note.get("client") == "codex":
        fields.pop("vendor", None)  # it shows the body of a 400 as it is, to a person
    return Response(status, headers, json_body.serialise({"error": fields}))


def failure(given: JsonObject, note: JsonObject) -> JsonObject:
    """The error of a response that fails, `code` and `message`, for an OpenAI error object in the middle of a stream.

    The code tells Codex whether to ask again: it does so after `server_error` and `rate_limit_exceeded`. In place of
    the message of `insufficient_quota`, which may mean a plan without this model, it has words of its own.
    """
    said_in = language(note)
    meant = meaning(of_object(given, language=said_in), 0, said_in)
    code = _code(meant, is_codex=note.get("client") == "codex")
    return {"code": code, "message": _said(meant, meant.retry_after)}


def _code(meant: Meaning, *, is_codex: bool) -> str:
    if meant.too_long is not None:
        return TOO_LONG
    if meant.status == 402 and not is_codex:
        return _QUOTA
    if meant.status == 429:
        return _RATE_LIMIT
    return _BROKEN if may_pass(meant.status, {}) else _REFUSED


def _fields(given: Given, meant: Meaning, status: int, wait: int | None) -> JsonObject:
    """OpenAI's error object."""
    original = given.original or {}
    code = given.codes[0] if given.codes else None
    param = original.get("param")
    fields: JsonObject = {
        "message": _said(meant, wait),
        "type": given.type or openai_error.type_of(status),
        "param": param if isinstance(param, str) else None,
        "code": TOO_LONG if meant.too_long is not None else _QUOTA if meant.status == 402 and not code else code,
    }
    if original and original.keys() - fields.keys() and len(json_body.serialise(original)) <= LARGEST_OBJECT:
        fields["vendor"] = original
    return fields


def _said(meant: Meaning, wait: int | None) -> str:
    if meant.status != 429 or wait is None or _TRY_AGAIN.search(meant.said):
        return meant.said
    return f"{meant.said.rstrip('.。')}. Please try again in {wait}s."


def _seconds(given: str | None) -> int | None:
    """The seconds in a `retry-after`; `None` for a date, or for longer than a day."""
    try:
        wait = float(given or "")
    except ValueError:
        return None
    return math.ceil(wait) if 0 <= wait <= _LONGEST_WAIT else None
