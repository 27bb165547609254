"""A turn: one exchange as its session shows it, by what it has told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypedDict

from .. import events
from ..exchange import JsonObject
from ..observe.last_exchanges import Kept

TOKENS: Final = ("input", "cached", "output", "reasoning")
"""Kinds of tokens that are summed."""
REASONING: Final = ("kept", "recovered", "made_up")
"""Where reasoning is from that was put back."""


class Turn(TypedDict):
    """One exchange. Times are milliseconds; what isn't known is 0, `""`, `None` or absent."""

    id: str
    at: float
    """When it came, in Unix time."""
    last_at: float
    """When it told something last."""
    over: bool
    named: bool
    """Its client names its session."""
    kind: str
    """Which kind of call it is: `main`, `subagent`, `helper`, `embeddings`."""
    client: str
    program: str
    dialect: str
    profile: str
    model: str
    """As it was asked for."""
    used: str
    """The model that the request left with last."""
    mode: str
    usage: dict[str, int]
    cost: dict[str, int]
    ms: float
    addon_ms: float
    queue_ms: float
    first_token_ms: float
    tries: int
    retried: list[JsonObject]
    """Each further try: `number`, `reason`."""
    mended: JsonObject | None
    """What became of a request that was refused: `reason`, `outcome`."""
    fallbacks: list[JsonObject]
    """Each other model or endpoint that was asked: `reason`, `outcome`, `profile`, `model`."""
    rules: list[str]
    changes: int
    vision_calls: int
    status: int | None
    is_error: bool
    """Its client got an error, or no answer."""
    error: str
    """The code of that error."""
    left: bool
    """Its client left before the end of the answer."""
    reasoning: dict[str, int]
    """As in `events.Done`."""
    prompt_cache: JsonObject
    """As in `events.Done`."""
    runaway: JsonObject | None
    """`what`, `count`, `action`, as the event has them; so for `budget`: `budget`, `action`."""
    budget: JsonObject | None


def session_of(kept: Kept) -> str:
    """The id of the exchange's session; `""`: it belongs to none, or nobody knows yet."""
    session: str | None = kept.get("session")
    return session or ""


def turn(kept: Kept) -> Turn:
    """The exchange as a turn."""
    known = kept.summary()
    told: dict[str, list[JsonObject]] = {kind: [] for kind in _PICKED}
    for row in kept.rows:
        if row.kind in told:
            told[row.kind].append({name: row.get(name) for name in _PICKED[row.kind]})
    return {
        "id": kept.id,
        "at": known["at"],
        "last_at": kept.rows[-1].at,
        "over": known["over"],
        "named": known.get("session_named", False),
        "kind": known.get("kind", ""),
        "client": known.get("client", ""),
        "program": known.get("program", ""),
        "dialect": known.get("dialect", ""),
        "profile": known.get("profile", ""),
        "model": known.get("model", ""),
        "used": known.get("sent_model") or known.get("model", ""),
        "mode": known.get("mode", ""),
        "usage": known.get("usage", {}),
        "cost": known.get("cost", {}),
        "ms": known.get("ms", 0.0),
        "addon_ms": known.get("addon_ms", 0.0),
        "queue_ms": known.get("queue_ms", 0.0),
        "first_token_ms": known.get("first_token_ms", 0.0),
        "tries": known.get("tries", 1),
        "retried": told[events.RETRIED],
        "mended": _last(told[events.MENDED]),
        "fallbacks": told[events.FALLBACK],
        "rules": known.get("rules", []),
        "changes": known.get("changes", 0),
        "vision_calls": known.get("vision_calls", 0),
        "status": known.get("status"),
        "is_error": _is_error(known),
        "error": known.get("error", ""),
        "left": known.get("left", False),
        "reasoning": known.get("reasoning", {}),
        "prompt_cache": known.get("prompt_cache", {}),
        "runaway": _last(told[events.RUNAWAY]),
        "budget": _last(told[events.BUDGET]),
    }


_PICKED: Final[Mapping[str, tuple[str, ...]]] = {
    events.RETRIED: ("number", "reason"),
    events.MENDED: ("reason", "outcome"),
    events.FALLBACK: ("reason", "outcome", "profile", "model"),
    events.RUNAWAY: ("what", "count", "action"),
    events.BUDGET: ("budget", "action"),
}


def _last(told: list[JsonObject]) -> JsonObject | None:
    return told[-1] if told else None


def _is_error(known: JsonObject) -> bool:
    if not known["over"] or known.get("left"):
        return False
    return bool(known.get("error")) or known.get("how") != "answered" or (known.get("status") or 0) >= 400
