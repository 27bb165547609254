"""What would have happened without the addon: what the endpoint is known to say to the request as it came."""

from __future__ import annotations

from typing import Literal, TypedDict

from .. import dialects, prediction, profiles
from ..exchange import Exchange, printable
from ..prediction import Problem
from ..texts import sentences
from ..views import shorten

type Kind = Literal["refused", "accepted", "no_such_api", "unknown"]

_LONGEST = 1000
"""Characters of a message or a reason."""
_LARGEST = 24 << 20
"""Bytes of a body that is looked at."""


class Refusal(TypedDict):
    """One refusal. `proven`: it was seen, or is documented."""

    status: int
    message: str
    pointer: str
    reason: str
    proven: bool


class Without(TypedDict):
    """What would have happened. `more`: further reasons for which the endpoint would refuse the same request."""

    kind: Kind
    refusal: Refusal | None
    more: int


def without(exchange: Exchange, came: bytes | None, language: str) -> Without:
    """What the endpoint would have said to the body `came`. Raises nothing."""
    unknown: Without = {"kind": "unknown", "refusal": None, "more": 0}
    if came is None or len(came) > _LARGEST:
        return unknown
    try:
        return _asked(exchange, came, language)
    except Exception:  # what it judges is of any shape, and so is what a translation makes of it
        return unknown


def _asked(exchange: Exchange, came: bytes, language: str) -> Without:
    dialect, profile = dialects.DIALECTS[exchange.dialect], profiles.load(exchange.profile)
    body = shorten.parse_object(came)
    if body is None:
        return {"kind": "unknown", "refusal": None, "more": 0}
    if not dialect.is_house and dialects.of_format(exchange.spoken or exchange.dialect) not in profile.speaks:
        return {"kind": "no_such_api", "refusal": None, "more": 0}
    if not dialect.is_house or dialect.house == "native" or not prediction.is_known(exchange.profile):
        return {"kind": "unknown", "refusal": None, "more": 0}
    problems = prediction.problems(body, dialect.house, exchange.profile)
    if not problems:
        return {"kind": "accepted", "refusal": None, "more": 0}
    first = next(filter(prediction.is_proven, problems), problems[0])
    return {"kind": "refused", "refusal": _refusal(first, language), "more": len(problems) - 1}


def _refusal(problem: Problem, language: str) -> Refusal:
    pointer, reason = prediction.pointer_and_reason(problem)
    error = problem.body["error"]
    return {
        "status": problem.status,
        "message": printable(str(error.get("message", ""))[:_LONGEST]),
        "pointer": printable(pointer[:_LONGEST]),
        "reason": printable(sentences.translated(language, reason)[:_LONGEST]),
        "proven": prediction.is_proven(problem),
    }
