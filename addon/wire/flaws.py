"""Flaws of answers with a status of success. Answers with and without the relay get the same check."""

from __future__ import annotations

from dataclasses import dataclass

from ..exchange import JsonObject
from . import json_body


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a body with a status of success is no answer."""

    what: str
    """A fixed text, for log, metrics and the client."""
    error: bytes | None = None
    """The body's JSON text if it is an error, with an object under `error`."""


NO_JSON = Flaw("no JSON")
NO_CHOICES = Flaw("no choices")
DAMAGED = Flaw("damaged content coding")
EMPTY_STREAM = Flaw("empty stream")
UNREADABLE_EVENT = Flaw("unreadable event")
TOO_LARGE = Flaw("answer too large")

ERROR_ANSWER = "error in a success"
ERROR_EVENT = "error event first"


def of_answer(text: bytes) -> Flaw | JsonObject:
    """The answer in the body `text`, parsed, or its flaw: an error in it, or neither choices nor vectors."""
    try:
        answer = json_body.parse(text.removeprefix(json_body.BOM))
    except json_body.InvalidJson:
        return NO_JSON
    if not isinstance(answer, dict):
        return NO_JSON
    flaw = of_error(answer, text, ERROR_ANSWER)
    if flaw is not None:
        return flaw
    choices = answer.get("choices")
    if (isinstance(choices, list) and choices) or isinstance(answer.get("data"), list):
        return answer
    error = _foreign_error(answer)
    return NO_CHOICES if error is None else Flaw(ERROR_ANSWER, _as_error(error, answer))


def of_error(answer: JsonObject, text: bytes, what: str) -> Flaw | None:
    """The flaw of a body or event with a value under `error`; `None` without one. `text`: the same, unparsed."""
    error = answer.get("error")
    if not error:
        return None
    return Flaw(what, text if isinstance(error, dict) else _as_error({"message": error}, answer))


def _foreign_error(answer: JsonObject) -> JsonObject | None:
    """An error in another shape than OpenAI's: the native API's two (1729/101836, 1729/97731), or a bare message."""
    response = answer.get("Response")
    inside = response if isinstance(response, dict) else answer
    for given in (inside.get("Error"), inside.get("ErrorMsg"), answer):
        if isinstance(given, dict):
            message = next((given[key] for key in _MESSAGES if isinstance(given.get(key), str)), None)
            code = next((given[key] for key in _CODES if given.get(key) is not None), None)
            if message:
                return {"message": message, "code": code}
    return None


_MESSAGES = ("message", "Message", "msg", "Msg", "detail", "error_msg")
_CODES = ("code", "Code", "error_code", "status")


def _as_error(error: JsonObject, answer: JsonObject) -> bytes:
    message, code = error["message"], error.get("code")
    made = {
        "message": message if isinstance(message, str) else "The endpoint answered with an error.",
        "type": "server_error",
        "param": None,
        "code": str(code) if isinstance(code, str | int) and not isinstance(code, bool) else "upstream_invalid_answer",
        "vendor": answer,
    }
    return json_body.serialise({"error": made})
