"""Errors of an upstream that speaks Messages, in OpenAI's shape: the status stays, and so does what the error says.

OpenAI's SDKs tell errors apart by the status. Programs look at `code`: that an input is too long has one of its own.
"""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from ...wire import json_body
from ...wire.openai_error import type_of
from ..errors import Given, given_in, meaning, of_object

_OPENAI_TYPES: Final = {
    "api_error": "server_error",
    "billing_error": "insufficient_quota",
    "request_too_large": "invalid_request_error",
}
"""Anthropic's error types that OpenAI calls something else. The others say what they mean, by their status or name."""
_TOO_LONG: Final = "context_length_exceeded"
"""OpenAI's code for an input that is longer than the model reads: agents compact when they see it."""


def error(status: int, body: bytes) -> bytes:
    """The body of an error answer, which may be anything, as OpenAI's."""
    given = given_in(body, status)
    made: JsonObject = {"error": _object(given, status)}
    if given.request_id:
        made["request_id"] = given.request_id
    return json_body.serialise(made)


def event(given: object) -> JsonObject:
    """OpenAI's error object for the one of an `error` event, or of an error in an answer of status 200."""
    return _object(of_object(given if isinstance(given, dict) else {"message": given}), 0)


def _object(given: Given, status: int) -> JsonObject:
    code = given.codes[0] if given.codes else given.type or None
    if meaning(given, status or 400).too_long is not None:
        code = _TOO_LONG
    kind = _OPENAI_TYPES.get(given.type, given.type) or type_of(status or 500)
    return {"message": given.message, "type": kind, "param": None, "code": code}
