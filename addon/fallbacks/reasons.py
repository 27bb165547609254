"""Why a call goes to another entry of its chain: what its failure means. Pure.

An endpoint that is down, has no room for the call, or doesn't offer the model is no fault of the request. What is wrong
with the request, its key, its length or its content, its client has to hear.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from ..profiles import Profile
from ..texts.sentence import Sentence
from ..wire import json_body, vendor_errors

type Reason = Literal["", "down", "busy", "rate_limit", "quota", "model", "refused", "content"]
"""`""`: the call hasn't failed. `busy`: the account's slots are taken. `model`: the endpoint doesn't offer it.
`refused`: anything else that is wrong with the request, as it was sent there. `content`: what it says is refused."""

FALLS_OVER: Final[frozenset[Reason]] = frozenset(["down", "busy", "rate_limit", "quota", "model"])
"""After which the first fallback is asked. After a fallback's own failure the next one is, unless that is `content`:
another key, model or window may be better there."""

_OF_RULES: Final[dict[str, Reason]] = {
    "rate_limit": "rate_limit",
    "overload": "down",
    "quota": "quota",
    "not_in_plan": "model",
    "model_not_found": "model",
    "content_filter": "content",
    "key_refused": "refused",
    "client_refused": "refused",
    "overflow": "refused",
    "too_large": "refused",
}
"""By the kind of the rule that knows an error."""
_OF_STATUSES: Final[dict[int, Reason]] = {
    402: "quota",
    404: "model",
    408: "down",
    409: "down",
    425: "down",
    429: "rate_limit",
    451: "content",
}
_OF_CODES: Final[dict[str, Reason]] = {
    "model_not_found": "model",
    "insufficient_quota": "quota",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "overloaded_error": "down",
    "context_length_exceeded": "refused",
    "content_filter": "content",
    "content_policy_violation": "content",
}
"""By the code or the type that OpenAI and Anthropic give an error, whatever its status is: gateways use them, too."""
_NO_MODEL: Final = re.compile(
    rb"\bmodel\b.{0,300}?\bnot (?:exist|found)\b|\bunknown model\b", re.IGNORECASE | re.DOTALL
)
"""What endpoints without a code for it say of a model that they don't have, under 400 (deepwn/addi#13:
`Model Not Exist`; ErlichLiu/DeepClaude#111: `Model does not exist`)."""
_BAD_REQUEST = 400
_LONGEST = 2000
"""Bytes of an error in which that is looked for."""
_LEAST_SERVER_ERROR = 500


def of_error(status: int, error: bytes, profile: Profile) -> Reason:
    """The reason in an endpoint's `error`, in the house language, under its `status`."""
    kind = vendor_errors.kind_of(status, error, profile)
    if kind:
        return _OF_RULES.get(kind, "refused")
    for code in _codes(error):
        if code in _OF_CODES:
            return _OF_CODES[code]
    if status == _BAD_REQUEST and _NO_MODEL.search(error[:_LONGEST]):
        return "model"
    return _OF_STATUSES.get(status) or ("down" if status >= _LEAST_SERVER_ERROR else "refused")


def _codes(error: bytes) -> list[str]:
    """The code and the type of an `error`, as far as they are texts."""
    found = (json_body.parse_object(error) or {}).get("error")
    given = [found.get("code"), found.get("type")] if isinstance(found, dict) else []
    return [text for text in given if isinstance(text, str)]


def leads_on(reason: Reason, *, from_first: bool) -> bool:
    """Whether another entry is asked after a failure for this reason."""
    return reason in FALLS_OVER if from_first else reason not in ("", "content")


def said(reason: Reason, model: str) -> Sentence:
    """What has happened, for the log and for a person."""
    match reason:
        case "down":
            return Sentence("{model} was down", model=model)
        case "busy":
            return Sentence("{model} had no room for a further call", model=model)
        case "rate_limit":
            return Sentence("{model} was over its rate limit", model=model)
        case "quota":
            return Sentence("{model} was over its quota", model=model)
        case "model":
            return Sentence("{model} was not offered", model=model)
        case "refused" | "content":
            return Sentence("{model} refused the request", model=model)
        case _:
            return Sentence("{model} did not answer", model=model)
